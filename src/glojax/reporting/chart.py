"""Charts as inline SVG, in a coordinate system of their own, which the page scales; colours come from its style."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self, TypeGuard

from matplotlib.ticker import MaxNLocator

from glojax.reporting.elements import Element, element, shortened

WIDTH, HEIGHT = 480, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 26, 46

#: Greatest length of the names on the left, the space that they take, and the height of their rows.
_NAME_LENGTH, _MARGIN_OF_NAMES, _CHARACTER_WIDTH, _ROW_HEIGHT = 26, 20, 8, 34

#: Half the width of a character of a title, where its letters are largest.
_HALF_OF_TITLE = 4.8

#: Least width of a column and height of a row with a name; where they are narrower, some of the names are left out, as
#: are some of the numbers that would touch each other.
_NAMED_WIDTH, _NAMED_HEIGHT = 26, 18

#: Greatest magnitude that is drawn; ticks are computed from differences and their logarithms.
_LARGEST = 1e30

Point = tuple[float | None, float | None]


@dataclass(frozen=True)
class Axis:
    """An axis from `low` to `high`; `names` are those of 0, 1, ...; only whole numbers are marked if `is_whole`."""

    title: str
    low: float
    high: float
    is_log: bool = False
    names: tuple[str, ...] = ()
    is_whole: bool = False

    @classmethod
    def over(
        cls,
        title: str,
        values: Iterable[float | None],
        *,
        is_log: bool = False,
        is_whole: bool = False,
        margin: float = 0.06,
    ) -> Self:
        """Return an axis for these values and a margin; those that are unknown or cannot be drawn do not count."""
        known = [value for value in values if is_drawn(value) and (value > 1 / _LARGEST or not is_log)]
        low, high = (min(known), max(known)) if known else (1.0, 1.0)
        if is_log:
            room = (high / low) ** margin * 1.1 if high > low else 2.0
            return cls(title, low / room, high * room, is_log=True)
        room = (high - low) * margin if high > low else max(abs(high), 1.0) * 0.05
        return cls(title, low - room, high + room, is_whole=is_whole)

    @classmethod
    def of_names(cls, names: Iterable[str]) -> Self:
        """Return a vertical axis with a row for each name, the first one on top."""
        names = tuple(names)
        return cls("", len(names) - 0.5, -0.5, names=names)

    @classmethod
    def of_columns(cls, title: str, names: Iterable[str]) -> Self:
        """Return a horizontal axis with a column for each name, the first one on the left."""
        names = tuple(names)
        return cls(title, -0.5, len(names) - 0.5, names=names)

    def share(self, value: float) -> float:
        """Return where a value lies, from 0 at the low end to 1 at the high one."""
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """The values that are marked, and their texts."""
        if self.names:
            return [(index, shortened(name, _NAME_LENGTH)) for index, name in enumerate(self.names)]
        if self.is_log:
            decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            every, factors = len(decades) // 8 + 1, (1, 2, 5) if len(decades) <= 3 else (1,)
            values = [factor * 10.0**decade for decade in decades[::every] for factor in factors]
        else:
            locator = MaxNLocator(6, steps=[1, 2, 2.5, 5, 10], integer=self.is_whole)
            values = [float(value) for value in locator.tick_values(self.low, self.high)]
        smallest = (self.high - self.low) / 1e6
        return [
            (value, f"{0 if abs(value) < smallest and not self.is_log else value:.6g}")
            for value in values
            if self.low <= value <= self.high
        ]


def is_drawn(value: float | None) -> TypeGuard[float]:
    """Return whether a value is known and not too large to be drawn."""
    return value is not None and abs(value) < _LARGEST


class Chart:
    """A chart, drawn mark by mark; `series` is the number of a colour, from 0."""

    def __init__(self, x: Axis, y: Axis):
        self.x, self.y = x, y
        longest = min(_NAME_LENGTH, max(map(len, y.names), default=0))
        self._left = _MARGIN_OF_NAMES + _CHARACTER_WIDTH * longest if y.names else _LEFT
        if x.names and y.names:  # a matrix, of square cells
            side = WIDTH - _RIGHT - self._left
            self._height = round(_TOP + _BOTTOM + side * len(y.names) / len(x.names))
        else:
            self._height = _TOP + _BOTTOM + _ROW_HEIGHT * len(y.names) if y.names else HEIGHT
        self._marks: list[Element] = []
        self._legend: list[tuple[str, int]] = []

    def name(self, text: str, series: int) -> None:
        """Name a series below the chart."""
        self._legend.append((text, series))

    def line(self, points: Iterable[Point], series: int, *, is_stepped: bool = False) -> None:
        """Draw a line, which breaks where a value is unknown."""
        path, pen, before = [], "M", None
        for point in points:
            at = self._at(point)
            if at is None:
                pen = "M"
            elif is_stepped and pen == "L" and before is not None:
                path.append(f"H{at[0]:.1f}V{at[1]:.1f}")
            else:
                path.append(f"{pen}{at[0]:.1f} {at[1]:.1f}")
                pen = "L"
            before = at
        if path:
            self._marks.append(element("path", d="".join(path), class_=f"line s{series}"))

    def dots(self, points: Sequence[Point], tips: Sequence[str | None], series: int, *, is_faint: bool = False) -> None:
        """Draw dots, each with a text that is shown when it is pointed at."""
        faint = " faint" if is_faint else ""
        for point, tip in zip(points, tips, strict=True):
            if (at := self._at(point)) is not None:
                place = {"cx": f"{at[0]:.1f}", "cy": f"{at[1]:.1f}"}
                self._marks.append(element("circle", **place, r="4", class_=f"dot s{series}{faint}", data_tip=tip))

    def bar(self, row: int, low: float, high: float, tip: str, series: int, thickness: float = 0.5) -> None:
        """Draw a horizontal bar in a row."""
        start, end = self._at((low, row)), self._at((high, row))
        if start is not None and end is not None:
            height = thickness * _ROW_HEIGHT
            place = {"x": f"{start[0]:.1f}", "y": f"{start[1] - height / 2:.1f}"}
            size = {"width": f"{max(1.0, end[0] - start[0]):.1f}", "height": f"{height:.1f}"}
            self._marks.append(element("rect", **place, **size, class_=f"bar s{series}", data_tip=tip))

    def cell(self, row: int, column: int, share: float, tip: str, series: int, text: str | None = None) -> None:
        """Fill the cell of a row and a column, the stronger the greater a share from 0 to 1, and write a text in it."""
        start, end = self._at((column - 0.5, row - 0.5)), self._at((column + 0.5, row + 0.5))
        if start is None or end is None:
            return
        place = {"x": f"{start[0]:.1f}", "y": f"{start[1]:.1f}"}
        size = {"width": f"{end[0] - start[0]:.1f}", "height": f"{end[1] - start[1]:.1f}"}
        opacity = f"{0.1 + 0.9 * min(max(share, 0.0), 1.0):.2f}"
        self._marks.append(
            element("rect", **place, **size, class_=f"cell s{series}", fill_opacity=opacity, data_tip=tip)
        )
        if text is not None:
            middle = {"x": f"{(start[0] + end[0]) / 2:.1f}", "y": f"{(start[1] + end[1]) / 2 + 4:.1f}"}
            kind = "middle on-dark" if share > 0.5 else "middle on-light"
            self._marks.append(element("text", text, **middle, class_=kind))

    def tick(self, row: int, value: float | None, series: int) -> None:
        """Draw a vertical stroke in a row."""
        if (at := self._at((value, row))) is not None:
            self._marks.append(element("path", d=f"M{at[0]:.1f} {at[1] - 11:.1f}v22", class_=f"mean s{series}"))

    def text(self, point: Point, text: str) -> None:
        """Write a text above a point."""
        if (at := self._at(point)) is not None:
            self._marks.append(element("text", text, x=f"{at[0]:.1f}", y=f"{at[1] - 8:.1f}", class_="middle"))

    def rule(self, *, x: float | None = None, y: float | None = None) -> None:
        """Draw a line across the chart."""
        at = self._at((self.x.low if x is None else x, self.y.low if y is None else y))
        if at is not None:
            path = f"M{self._left} {at[1]:.1f}H{WIDTH - _RIGHT}" if x is None else f"M{at[0]:.1f} {_TOP}V{self._base}"
            self._marks.append(element("path", d=path, class_="rule"))

    def diagonal(self, low: float, high: float) -> None:
        """Draw a line through the points of equal coordinates."""
        start, end = self._at((low, low)), self._at((high, high))
        if start is not None and end is not None:
            path = f"M{start[0]:.1f} {start[1]:.1f}L{end[0]:.1f} {end[1]:.1f}"
            self._marks.append(element("path", d=path, class_="rule"))

    def strips(self, values: Sequence[float], tips: Sequence[str]) -> None:
        """Show a text wherever a pointer is nearest to one of the ascending values."""
        at = [self._left + self.x.share(value) * (WIDTH - _RIGHT - self._left) for value in values]
        edges = [self._left, *((a + b) / 2 for a, b in pairwise(at)), WIDTH - _RIGHT]
        for (start, end), tip in zip(pairwise(edges), tips, strict=True):
            size = {"width": f"{max(0.0, end - start):.1f}", "height": str(self._base - _TOP)}
            self._marks.append(element("rect", x=f"{start:.1f}", y=str(_TOP), **size, class_="strip", data_tip=tip))

    def figure(self, title: str, note: str | None = None) -> Element:
        """Return the chart with its title, its names and a note."""
        frame = {"x": str(self._left), "y": str(_TOP), "height": str(self._base - _TOP)}
        frame |= {"width": str(WIDTH - _RIGHT - self._left), "class_": "plot"}
        box = f"{frame['x']} {frame['y']} {frame['width']} {frame['height']}"
        drawing = element(
            "svg",
            *self._axes(),
            element("svg", *self._marks, **frame, viewBox=box),
            viewBox=f"0 0 {WIDTH} {self._height}",
            role="img",
            aria_label=title,
        )
        names = [element("li", element("i", class_=f"key s{series}"), text) for text, series in self._legend]
        return element(
            "figure",
            element("figcaption", title),
            drawing,
            element("ul", *names, class_="legend") if names else None,
            element("p", note, class_="note") if note else None,
        )

    @property
    def _base(self) -> int:
        return self._height - _BOTTOM

    def _at(self, point: Point) -> tuple[float, float] | None:
        """Return where a point is drawn; far outside of the chart, where its edge clips, everything is one."""
        x, y = point
        if not (is_drawn(x) and is_drawn(y)):
            return None
        if self.x.is_log and x < 1 / _LARGEST:
            return None
        across, up = (min(max(share, -9.0), 9.0) for share in (self.x.share(x), self.y.share(y)))
        return self._left + across * (WIDTH - _RIGHT - self._left), self._base - up * (self._base - _TOP)

    def _axes(self) -> list[Element]:
        made = []
        ticks = self.x.ticks
        wanted = sum(_NAMED_WIDTH if self.x.names else 10 + 9 * len(text) for _, text in ticks)
        every = math.ceil(wanted / (WIDTH - _RIGHT - self._left)) or 1
        for value, text in ticks[::every]:
            at = self._at((value, self.y.low))
            if at is not None:
                if not self.x.names:
                    made.append(element("path", d=f"M{at[0]:.1f} {_TOP}V{self._base}", class_="grid"))
                made.append(element("text", text, x=f"{at[0]:.1f}", y=self._base + 17, class_="middle"))
        every = math.ceil(_NAMED_HEIGHT * len(self.y.names) / max(1, self._base - _TOP)) or 1
        for value, text in self.y.ticks[::every]:
            at = self._at((self.x.low, value))
            if at is not None:
                if not self.y.names:
                    made.append(element("path", d=f"M{self._left} {at[1]:.1f}H{WIDTH - _RIGHT}", class_="grid"))
                made.append(element("text", text, x=self._left - 8, y=f"{at[1] + 4:.1f}", class_="end"))
        # A title that is wider than the chart begins to the left of it.
        middle = min((self._left + WIDTH - _RIGHT) / 2, WIDTH - _HALF_OF_TITLE * len(self.x.title))
        made.append(element("text", self.x.title, x=middle, y=self._height - 8, class_="middle title"))
        if self.y.title:
            made.append(element("text", self.y.title, x=4, y=14, class_="title"))
        return made
