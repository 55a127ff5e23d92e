from glojax.expressions import Node
from glojax.expressions.nodes import fold_nodes


def test_fold_gives_operands_from_left_to_right() -> None:
    nodes = (Node("subtract"), Node("log"), Node("y"), Node("divide"), Node("x"), Node("y"))
    text = fold_nodes(nodes, lambda node, *operands: f"{node.operator}({', '.join(operands)})")
    assert text == "subtract(log(y()), divide(x(), y()))"


def test_fold_does_not_recurse() -> None:
    nodes = (Node("sqrt"),) * 100_000 + (Node("y"),)
    assert fold_nodes(nodes, lambda node, *operands: 1 + sum(operands)) == len(nodes)


def test_arity_is_that_of_the_operator() -> None:
    assert [Node(operator).arity for operator in ("x", "log", "add")] == [0, 1, 2]
