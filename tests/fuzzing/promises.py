"""What is promised of every text, whatever it is."""

import re

from glojax.errors import ExpressionError
from glojax.expressions import MAX_NODES, LossTree, canonical, to_latex
from glojax.expressions.bounds import node_bounds
from glojax.losses import LossProgram


def outcome(text: str) -> str:
    """What a text is, after all that is promised of it was tried.

    Returns:
        "a tree" with its order of size, or the error, in few words.

    Raises:
        AssertionError: A promise is broken.
        Exception: Whatever else comes out of a text; nothing but an `ExpressionError` should.
    """
    try:
        tree = LossTree.parse(text)
    except ExpressionError as error:
        return kind(str(error))
    assert 1 <= tree.size <= MAX_NODES
    _check_text(tree)
    bounds = tree.fold(node_bounds)
    assert bounds.lower <= bounds.upper
    form = canonical(tree)
    assert form.size <= MAX_NODES
    assert canonical(form) == form, "the canonical form has another"
    if form != tree:
        _check_text(form)
    assert to_latex(form)
    assert 1 <= LossProgram.from_tree(form, 2 * MAX_NODES).length <= 2 * form.size
    return f"a tree of {'up to 10' if tree.size <= 10 else 'up to 100' if tree.size <= 100 else 'up to 1,000'} nodes"


def _check_text(tree: LossTree) -> None:
    again = LossTree.parse(str(tree))
    assert again == tree, "not read back"
    assert hash(again) == hash(tree)


def kind(message: str) -> str:
    """An error's message without what is particular to the text."""
    first, *others = message.split("\n")
    assert len(others) in (0, 2)
    assert len(message) < 300
    assert all(line.isprintable() for line in (first, *others)), "control characters"
    problem = re.sub(r"^At character \d+: ", "", first)
    problem = re.split(r"; |, got|, the only| \(", problem)[0]
    return re.sub(r"'(?![()]')[^']*'(\.\.\.)?|\"[^\"]*\"(\.\.\.)?|[\d,]{2,}", "_", problem).rstrip(".")
