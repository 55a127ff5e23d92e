"""What a notebook shows of a search, as HTML: the formula of the best loss, its curve, and tables."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from glojax.evaluation import Evaluation
from glojax.expressions import Domain, LossTree
from glojax.losses import Loss, find_tree
from glojax.reporting.figures import search_picture

#: So many of the best losses are listed.
_NUM_LISTED = 10


def search_html(best: LossTree, ranked: Sequence[Evaluation], fitness: Sequence[float | None], domain: Domain) -> str:
    """Return the best loss as a formula and a curve, the fitness in the order of the search, and the best losses."""
    standard = "squared_error" if domain == "real" else "cross_entropy"
    losses = {"best": best, standard: find_tree(standard, domain)}
    picture = b64encode(search_picture(fitness, losses, domain)).decode()
    rows = ((one.fitness, one.tree.size, one.learning_rate, one.tree) for one in ranked[:_NUM_LISTED])
    return (
        paragraph(f"${Loss(best).to_latex()}$")
        + f'<img alt="fitness by evaluation, and the shape of the best loss" src="data:image/png;base64,{picture}">'
        + table(("fitness", "size", "learning rate", "loss"), rows)
    )


def paragraph(text: str) -> str:
    """Return a text as a paragraph."""
    return f"<p>{escape(text)}</p>"


def table(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """Return a table of numbers, which may be unknown, and of texts in the last column."""
    head = "".join(f"<th>{escape(name)}</th>" for name in header)
    body = ""
    for row in rows:
        *numbers, text = row
        cells = "".join(f"<td>{'' if number is None else f'{number:.4g}'}</td>" for number in numbers)
        body += f'<tr>{cells}<td style="text-align: left">{escape(str(text))}</td></tr>'
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
