"""The ancestors of the loss that was found: which losses it was made of, and how."""

from collections.abc import Mapping
from typing import NamedTuple

from glojax.expressions import LossTree, Origin
from glojax.reporting.chart import Axis, Chart
from glojax.reporting.elements import Element, element, shortened, table
from glojax.search.progress import shown
from glojax.search.report.records import Records

#: Losses of a family that are shown, the nearest to the found one.
MAX_SHOWN = 40


class Relative(NamedTuple):
    """A loss of the family.

    Attributes:
        tree: The loss.
        fitness: Its fitness; None if it is unknown.
        origin: How it was made; None if that is unknown.
        turn: Its number among the losses of the run, from 1.
    """

    tree: LossTree
    fitness: float | None
    origin: Origin | None
    turn: int


def family(run: Records) -> dict[LossTree, Relative]:
    """Return the found loss and its ancestors, the nearest first, at most `MAX_SHOWN`."""
    if run.found is None:
        return {}
    known = _known(run)
    shown: dict[LossTree, Relative] = {}
    queue = [run.found] if run.found in known else []
    # Nothing is visited twice: a forged file may have a circle.
    for tree in queue:
        if tree in shown:
            continue
        if len(shown) == MAX_SHOWN:
            break
        shown[tree] = known[tree]
        queue += [parent for parent in _parents(known[tree]) if parent in known]
    return shown


def ancestry(run: Records) -> Element | None:
    """Return the family as a chart of fitness over time, and as a table of formulas."""
    relatives = family(run)
    if all(one.origin is None for one in relatives.values()):
        return None
    numbers = {tree: number for number, tree in enumerate(relatives, start=1)}
    rows: list[list[Element | str]] = []
    for tree, one in relatives.items():
        made = "unknown" if one.origin is None else one.origin.making
        of = [str(numbers[parent]) if parent in numbers else "not shown" for parent in _parents(one)]
        origin = f"{made} of {' and '.join(of)}" if of else made
        rows.append([str(numbers[tree]), shown(one.fitness), origin, element("code", shortened(str(tree)))])
    text = (
        "Number 1 is the loss of this run. Crossover takes a part of another loss into one; mutation changes nodes; "
        "selection copies; coefficients are changed by the tuning. Another text of the same shape trains alike."
    )
    if len(relatives) == MAX_SHOWN:
        text += f" The nearest {MAX_SHOWN} are shown."
    return element(
        "div",
        element("div", _chart(relatives, numbers), element("p", text), class_="charts"),
        table(["", "fitness", "made by", "loss"], rows),
    )


def _chart(relatives: Mapping[LossTree, Relative], numbers: Mapping[LossTree, int]) -> Element:
    turns = [one.turn for one in relatives.values()]
    y = Axis.over("fitness", [one.fitness for one in relatives.values()], margin=0.12)
    chart = Chart(Axis.over("loss, in the order of the run", turns, is_whole=True), y)
    # What has no fitness, or one that cannot be drawn, stands at the lower edge.
    places = {
        tree: (one.turn, y.low if one.fitness is None else min(max(one.fitness, y.low), y.high))
        for tree, one in relatives.items()
    }
    for tree, one in relatives.items():
        for parent in _parents(one):
            if parent in places:
                chart.line([places[parent], places[tree]], 5)
    for tree, one in relatives.items():
        made = "" if one.origin is None else f", {one.origin.making}"
        tip = f"{numbers[tree]}: {shortened(str(tree))}\nfitness {shown(one.fitness)}{made}"
        chart.dots([places[tree]], [tip], 0 if numbers[tree] == 1 else 1)
        chart.text(places[tree], str(numbers[tree]))
    chart.name("the loss", 0)
    if len(relatives) > 1:
        chart.name("its ancestors", 1)
    return chart.figure("Which losses it was made of", "Lines lead from parents to children.")


def _parents(one: Relative) -> list[LossTree]:
    return [] if one.origin is None else list(dict.fromkeys(one.origin.parents))


def _known(run: Records) -> dict[LossTree, Relative]:
    """Return all losses of the run; what is evaluated twice was made the first time."""
    discovered = [one for one in run.candidates if one.phase == "discovery"]
    tuned = [one for one in run.candidates if one.phase == "tuning"]
    # The finalists of the discovery may be shorter texts of what was evaluated, and are tuned as such.
    both = [*discovered, *run.finalists, *tuned]
    known: dict[LossTree, Relative] = {}
    for one in both:
        known.setdefault(one.tree, Relative(one.tree, one.fitness, one.origin, len(known) + 1))
    return known
