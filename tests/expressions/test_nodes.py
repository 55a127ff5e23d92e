from glojax.expressions import Node


def test_arity_is_that_of_the_operator() -> None:
    assert [Node(operator).arity for operator in ("x", "log", "add")] == [0, 1, 2]
