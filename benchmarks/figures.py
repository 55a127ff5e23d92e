"""The figure of a benchmark's record: a row for every case, or lines over a parameter."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.record import Case, Record

#: The colors of glojax's own contestants, and of all others.
OWN_COLOR, OTHER_COLOR = "#b2182b", "#6b8ba4"

LINE_STYLES = ("-o", "--s", ":^")


class Layout(NamedTuple):
    """The layout of a benchmark's figure.

    Attributes:
        panel: The parameter whose values have a panel each; None for one panel.
        own: The contestants of glojax.
        x: The parameter on the x axis of lines; None for a row for each case.
    """

    panel: str | None
    own: tuple[str, ...]
    x: str | None = None


LAYOUTS = {
    "population_training": Layout("network", ("glojax", "glojax_shard_map")),
    "population_cost": Layout("network", ("glojax",)),
    "generation": Layout(None, ("glojax",)),
    "joint_tuning": Layout(None, ("together",)),
    "evolution_strategy": Layout("function", ("glojax",)),
    "interpreter": Layout("classes", ("program",), x="size"),
    "losses": Layout("logits", ("cross_entropy", "x * y", "baikal", "baikal_cma")),
    "cluster_overhead": Layout(None, ("workers",)),
    "cluster_simulation": Layout(None, (), x="workers"),
    "convolution": Layout(
        "layer", ("convolve", "in groups", "4 x canonical", "4 x grouped", "4 x patches", "4 x mapped")
    ),
}


def draw(record: Record, path: Path) -> None:
    """Draw a record as a PNG file."""
    layout = LAYOUTS.get(record.benchmark, Layout(None, ()))
    panels: dict[str, list[Case]] = {}
    for case in record.cases:
        value = f"{layout.panel}: {case.parameters[layout.panel]}" if layout.panel else ""
        panels.setdefault(value, []).append(case)
    height = 3.2 if layout.x else 1.2 + 0.24 * max(map(len, panels.values()))
    columns = min(len(panels), 4 if layout.x else 3)
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(max(7.0, 5.2 * columns), height * rows + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(f"{record.benchmark}: {record.unit}, median and quartiles\n{device_line(record)}", fontsize=10)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    for axes, (title, cases) in zip(grid, panels.items(), strict=False):
        if layout.x:
            _draw_lines(axes, cases, layout.x)
        else:
            _draw_rows(axes, cases, layout)
        axes.set_title(title, fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without the version of the drawing library, the same record gives the same file.
    figure.savefig(path, dpi=110, format="png", metadata={"Software": None})


def device_line(record: Record) -> str:
    """Return a line about the device."""
    device = record.device
    count = f"{device['count']} x " if device["count"] > 1 else ""
    rate = record.matrix_product_gflops.median
    precision = f" in {device['precision']}" if "precision" in device else ""
    product = f"; matrix product {rate:,.0f} GFLOP/s{precision}" if rate else ""
    return f"{count}{device['kind']}, {device['cores']} cores, JAX {record.versions['jax']}{product}"


def _draw_rows(axes: Axes, cases: Sequence[Case], layout: Layout) -> None:
    """Draw a row for each case, the fastest at the top, failures at the bottom."""
    cases = sorted(cases, key=lambda case: (case.samples.median is None, case.samples.median or 0))
    for row, case in enumerate(cases):
        median, quartiles = case.samples.median, case.samples.quartiles
        if median is None or quartiles is None:
            axes.annotate(" failed", (0, row), xycoords=("axes fraction", "data"), va="center", fontsize=8, color="0.4")
            continue
        color = OWN_COLOR if case.contestant in layout.own else OTHER_COLOR
        axes.plot(quartiles, [row, row], color=color, linewidth=2, alpha=0.5)
        axes.plot(median, row, "o", color=color)
        shown = f"{median:,.0f}" if median >= 1000 else f"{median:.3g}"
        axes.annotate(f"   {shown}", (max(median, quartiles[1]), row), va="center", fontsize=8)
    axes.set_yticks(range(len(cases)), [_label(case, layout) for case in cases], fontsize=8)
    axes.set_ylim(len(cases) - 0.4, -0.6)
    medians = [case.samples.median for case in cases if case.samples.median]
    if medians:
        axes.set_xscale("log")
        axes.set_xlim(min(medians) / 1.5, max(medians) * 3)
    axes.grid(alpha=0.3)


def _draw_lines(axes: Axes, cases: Sequence[Case], x: str) -> None:
    contestants: dict[str, list[Case]] = {}
    for case in cases:
        if case.samples.values:
            contestants.setdefault(case.contestant, []).append(case)
    for (contestant, own), style in zip(contestants.items(), LINE_STYLES, strict=False):
        own.sort(key=lambda case: float(case.parameters[x]))
        axes.plot(
            [case.parameters[x] for case in own], [case.samples.median or 0 for case in own], style, label=contestant
        )
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = sorted({int(case.parameters[x]) for case in cases})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel(x)
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)


def _label(case: Case, layout: Layout) -> str:
    return ", ".join([case.contestant, *(f"{key} {value}" for key, value in case.known.items() if key != layout.panel)])
