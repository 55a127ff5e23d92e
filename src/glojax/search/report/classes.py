"""What the trained networks predict on the test set: which classes they confuse, and how sure they are."""

from glojax.reporting.chart import Axis, Chart
from glojax.reporting.elements import Element, element, shortened
from glojax.search.comparison import BEST_RATE
from glojax.search.predictions import Predictions
from glojax.search.rates import RIVAL
from glojax.search.report.records import Records

#: Classes up to which the number of examples stands in each cell.
_MAX_COUNTED = 12

#: Cells of a matrix that are drawn, at most.
_MAX_CELLS = 2000

#: Examples of a bin below which its accuracy says little.
_FEW = 10


def classes(run: Records) -> Element | None:
    """Return the calibration and the confusion matrices of the first compared loss and of cross-entropy."""
    first = next((one.name for one in run.result.comparison), "")
    known = run.result.predictions
    rival = RIVAL + BEST_RATE if RIVAL + BEST_RATE in known else RIVAL
    shown = {name: known[name] for name in dict.fromkeys((first, rival)) if name in known}
    if not shown:
        return None
    networks = " and ".join(f"{len(one.seeds)} of {name.replace('_', ' ')}" for name, one in shown.items())
    text = (
        f"The test set under the networks of the comparison, {networks}, each loss at its learning rate there; every "
        "network counts every example. The confidence is the probability of the predicted class. The expected "
        "calibration error is the mean gap between confidence and accuracy in 15 equal bins (Guo et al., 2017, On "
        "calibration of modern neural networks)."
    )
    matrices = [_confusion(run, name, one) for name, one in shown.items()]
    return element(
        "div",
        element("div", _calibration(run, shown), element("p", text), class_="charts"),
        element("div", *matrices, class_="charts"),
    )


def _calibration(run: Records, shown: dict[str, Predictions]) -> Element:
    """Return the reliability diagram."""
    chart = Chart(Axis.over("confidence", [0.0, 1.0], margin=0.03), Axis.over("accuracy", [0.0, 1.0], margin=0.03))
    chart.diagonal(0.0, 1.0)
    for name, one in reversed(shown.items()):
        every = zip(*one.bins, strict=True)
        bins = [(confidence / count, right / count, count) for count, right, confidence in every if count > 0]
        chart.line([(x, y) for x, y, count in bins if count >= _FEW], run.series(name))
        for x, y, count in bins:
            tip = f"{name}\nconfidence {x:.3f}, accuracy {y:.3f}\n{count:,.6g} examples"
            chart.dots([(x, y)], [tip], run.series(name), is_faint=count < _FEW)
    for name, one in shown.items():
        chart.name(f"{name.replace('_', ' ')}: calibration error {one.calibration_error:.4f}", run.series(name))
    note = f"A dot for each bin that has examples, pale for fewer than {_FEW}. The dashed line is perfect calibration."
    return chart.figure("Confidence and accuracy", note)


def _confusion(run: Records, name: str, one: Predictions) -> Element:
    """Return the confusion matrix: a row for each class, a column for each predicted one."""
    C = len(one.confusion)
    names = run.class_names(C)
    chart = Chart(Axis.of_columns("predicted class", map(str, range(C))), Axis.of_names(names))
    totals = [sum(counts) for counts in one.confusion]
    cells = [
        (count / totals[row], row, column, count)
        for row, counts in enumerate(one.confusion)
        for column, count in enumerate(counts)
        if count > 0 and totals[row] > 0
    ]
    for share, row, column, count in sorted(cells, reverse=True)[:_MAX_CELLS]:
        number = f"{count:,.6g}"
        tip = f"{number} of {totals[row]:,.6g} of class {names[row]}\npredicted as {names[column]}"
        text = number if C <= _MAX_COUNTED and len(number) <= 4 else None
        chart.cell(row, column, share, tip, 1 if row == column else 0, text)
    title = f"Confusion matrix of {shortened(name.replace('_', ' '), 60)}"
    note = "Rows are true classes; a cell is as strong as its share of the row."
    if len(cells) > _MAX_CELLS:
        note = f"{note} The {_MAX_CELLS:,} strongest of {len(cells):,} are drawn."
    return chart.figure(title, note)
