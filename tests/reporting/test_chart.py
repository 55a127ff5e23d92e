"""Charts as SVG, and the elements that they are made of."""

from xml.etree.ElementTree import Element

import pytest

from glojax.expressions import LossTree
from glojax.reporting.chart import WIDTH, Axis, Chart
from glojax.reporting.elements import as_html, element, formula, shortened, table


def marks(chart: Chart, tag: str) -> list[Element]:
    return list(chart.figure("a chart").iter(tag))


def paths(chart: Chart, kind: str) -> list[str]:
    return [mark.attrib["d"] for mark in marks(chart, "path") if mark.attrib["class"].startswith(kind)]


@pytest.mark.parametrize(
    ("axis", "shares"),
    [
        (Axis("", 0, 4), {0: 0, 1: 0.25, 4: 1, 8: 2}),
        (Axis("", 0.01, 100, is_log=True), {0.01: 0, 1: 0.5, 100: 1}),
        (Axis.of_names(("first", "second")), {0: 0.75, 1: 0.25}),
    ],
)
def test_an_axis_knows_where_a_value_lies(axis: Axis, shares: dict[float, float]) -> None:
    assert {value: axis.share(value) for value in shares} == pytest.approx(shares)


@pytest.mark.parametrize(
    ("axis", "ticks"),
    [
        (Axis("", -0.25, 1.02), ["-0.25", "0", "0.25", "0.5", "0.75", "1"]),
        (Axis("", 0.005, 20, is_log=True), ["0.01", "0.1", "1", "10"]),
        (Axis("", 1, 7, is_log=True), ["1", "2", "5"]),
        (Axis.of_names(("first", "a" * 30)), ["first", "a" * 25 + "…"]),
        (Axis.over("", [1.0, 2.0], is_whole=True), ["1", "2"]),
        (Axis.over("", [15.0, 30.0], is_whole=True), ["15", "20", "25", "30"]),
    ],
)
def test_an_axis_has_round_ticks(axis: Axis, ticks: list[str]) -> None:
    assert [text for _, text in axis.ticks] == ticks


@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize("values", [[], [None], [3.0], [3.0, None, 5.0], [float("inf"), 1e308, 2.0], [0.0, -1.0]])
def test_an_axis_holds_what_is_known(values: list[float | None], is_log: bool) -> None:
    axis = Axis.over("", values, is_log=is_log)
    known = [value for value in values if value is not None and abs(value) < 9 and (value > 0 or not is_log)]
    assert axis.low < axis.high < 1e9
    assert all(axis.low < value < axis.high for value in known)
    assert axis.ticks


def test_a_line_breaks_where_a_value_is_unknown() -> None:
    chart = Chart(Axis("", 0, 4), Axis("", 0, 1))
    chart.line([(0, 0), (1, 1), (2, None), (3, 0.5), (4, float("nan"))], 0)
    (path,) = paths(chart, "line")
    assert path.count("M") == 2
    assert path.count("L") == 1


def test_a_stepped_line_goes_across_and_then_up() -> None:
    chart = Chart(Axis("", 0, 1), Axis("", 0, 1))
    chart.line([(0, 0), (1, 1)], 0, is_stepped=True)
    (path,) = paths(chart, "line")
    assert path == "M58.0 254.0H466.0V26.0"


def test_what_cannot_be_drawn_is_left_out() -> None:
    chart = Chart(Axis("", 0.1, 10, is_log=True), Axis.of_names(("a",)))
    values = [None, float("inf"), float("nan"), 1e300, 0.0, -1.0, 1.0]
    chart.dots([(value, 0) for value in values], [str(value) for value in values], 0)
    assert [dot.attrib["data-tip"] for dot in marks(chart, "circle")] == ["1.0"]


def test_strips_lie_side_by_side_and_fill_the_chart() -> None:
    chart = Chart(Axis("", 0, 10), Axis("", 0, 1))
    chart.strips([1.0, 2.0, 9.0], ["one", "two", "three"])
    strips = [(float(one.attrib["x"]), float(one.attrib["width"])) for one in marks(chart, "rect")]
    assert [start for start, _ in strips] == pytest.approx([58, 119.2, 282.4], abs=0.1)
    assert sum(width for _, width in strips) == pytest.approx(408, abs=0.2)


def test_texts_are_escaped_and_do_not_command() -> None:
    made = as_html(element("p", "<b>&\u202e\x1b", element("i"), "</p>", title='">', data_tip="a\nb"))
    assert made == '<p title="&quot;&gt;" data-tip="a\nb">&lt;b&gt;&amp;\\u202e\\x1b<i></i>&lt;/p&gt;</p>'


def test_a_formula_is_mathematics_unless_it_is_long() -> None:
    short = formula(LossTree.parse("sqrt(y) / x - 1e-05*exp(max(x, y))"))
    assert short.tag == "math"
    assert {part.tag for part in short.iter()} >= {"mfrac", "msqrt", "msup"}
    assert "&#" not in as_html(short)
    long = LossTree.parse(" + ".join(["x"] * 60))
    assert as_html(formula(long)) == f"<code>{long}</code>"


def test_a_table_has_a_cell_for_each_value() -> None:
    assert [cell.text for cell in table(["a", "b"], [["1", "2"], ["3", element("code", "4")]]).iter("td")] == [
        *("1", "2", "3"),
        None,
    ]


def test_a_long_text_ends_with_an_ellipsis() -> None:
    assert [shortened("abcd", 4), shortened("abcde", 4)] == ["abcd", "abc…"]


def test_a_matrix_has_square_cells_as_strong_as_their_shares() -> None:
    chart = Chart(Axis.of_columns("predicted", "01"), Axis.of_names(("0 cat", "1 dog")))
    chart.cell(0, 0, 1.0, "all", 1, "36")
    chart.cell(1, 0, 0.0, "none", 0)
    first, second = [mark.attrib for mark in marks(chart, "rect")]
    assert [first["fill-opacity"], second["fill-opacity"]] == ["1.00", "0.10"]
    assert float(first["width"]) == pytest.approx(float(first["height"]), abs=0.5)
    assert float(second["y"]) == pytest.approx(float(first["y"]) + float(first["height"]), abs=0.2)
    assert first["x"] == second["x"]
    texts = {mark.text for mark in marks(chart, "text")}
    assert texts == {"0", "1", "predicted", "0 cat", "1 dog", "36"}


@pytest.mark.parametrize(("size", "columns"), [(10, 10), (100, 15)])
def test_a_matrix_names_as_many_columns_as_there_is_room_for(size: int, columns: int) -> None:
    names = [str(number) for number in range(size)]
    chart = Chart(Axis.of_columns("", names), Axis.of_names(names))
    below = [mark for mark in marks(chart, "text") if mark.attrib["class"] == "middle"]
    assert len(below) == pytest.approx(columns, abs=1)


def test_the_longest_standard_name_and_a_long_title_are_whole() -> None:
    name = "generalized cross entropy"
    chart = Chart(Axis("test accuracy: this loss minus the other one", 0.0, 1.0), Axis.of_names((name,)))
    shown = {mark.text: mark for mark in marks(chart, "text")}
    assert float(shown[name].attrib["x"]) >= 8 * len(name)
    assert float(shown[chart.x.title].attrib["x"]) + 4.7 * len(chart.x.title) <= WIDTH
