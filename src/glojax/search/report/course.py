"""The course of a run: search, size against fitness, tuning, and where the time went."""

from collections import Counter
from collections.abc import Sequence

from glojax.reporting.chart import Axis, Chart, is_drawn
from glojax.reporting.elements import Element, element, shortened, table
from glojax.search.generations import GenerationRecord
from glojax.search.pareto import pareto_front
from glojax.search.progress import shown
from glojax.search.report.outcome import MAX_ROWS
from glojax.search.report.records import NUM_DRAWN, Candidate, Records
from glojax.search.verdict import CONFIDENCE

#: Points of a chart, and columns that can be pointed at, at most.
_MAX_POINTS, _MAX_STRIPS = 1000, 150

_REASONS = {
    "known": "drawn before",
    "lacks_variable": "lacks x or y",
    "gradient": "no usable gradient",
    "pull": "pushes off the label",
    "rung": "poor short trainings",
    "constraint": "against a constraint",
    "non_finite": "not finite",
    "crashed": "ended its workers",
}

_PHASES = {"discovery": 1, "tuning": 3, "control": 5}


def search(run: Records) -> Element | None:
    """Return the fitness by generation, what was drawn and rejected, and the audit."""
    if not run.generations and not run.candidates:
        return None
    counts = run.result.search
    looked_at = [one for one in run.candidates if one.phase == "discovery"]
    if counts is None:
        rejected = Counter(one.rejected_by or one.status for one in looked_at if one.status != "trained")
        trained = sum(one.status == "trained" for one in looked_at)
        bars = {"new losses": len(looked_at), "trained in full": trained}
    else:
        rejected = Counter(counts.rejected)
        bars = {"trees drawn": counts.drawn, "new shapes": counts.candidates, "trained in full": counts.trained}
    rows = [(name, number, 1) for name, number in bars.items()]
    rows += [(_REASONS.get(name, name), number, 5) for name, number in rejected.most_common(MAX_ROWS)]
    audit = None
    if counts is not None and counts.audit.checked:
        low, high = counts.audit.interval
        audit = (
            f"Audit: of the losses that a heuristic rule rejects, {counts.audit.checked} were trained in full all the "
            f"same, and {counts.audit.false_rejections} reached cross-entropy's fitness: the rate of false rejections "
            f"lies between {low:.1%} and {high:.1%} ({CONFIDENCE:.0%} interval, Wilson)."
        )
    return element(
        "div",
        element(
            "div",
            _generations(run) if run.generations else None,
            _bars("What was drawn and what was rejected", "losses", rows) if any(bars.values()) else None,
            class_="charts",
        ),
        element("p", audit) if audit else None,
    )


def _generations(run: Records) -> Element:
    records = run.generations
    numbers = [float(one.generation) for one in records]
    lines: dict[str, list[float | None]] = {
        "best": [one.best_fitness for one in records],
        "median": [one.median_fitness for one in records],
    }
    every = max(1, len(records) // _MAX_STRIPS)
    # What lies far below the best ones is cut off; it would make their differences invisible.
    y = Axis.over("fitness", _upper(lines["best"], 0.25, 20))
    y = Axis.over(
        "fitness",
        [y.low, y.high, *(one for one in lines["median"] if one is not None and one > 2 * y.low - y.high)],
        margin=0,
    )
    chart = Chart(Axis.over("generation", numbers, is_whole=True, margin=0.03), y)
    for series, (name, values) in zip((0, 5), lines.items(), strict=True):
        chart.line(list(zip(numbers, values, strict=True)), series)
        if any(value is not None and value >= y.low for value in values):
            chart.name(name, series)
    chart.strips(numbers[::every], [_generation(one) for one in records[::every]])
    return chart.figure("Fitness by generation", "The fitness is the validation score; higher is better.")


def _generation(one: GenerationRecord) -> str:
    return (
        f"generation {one.generation}: best {shown(one.best_fitness)}, median {shown(one.median_fitness)}\n"
        f"{one.trained} trained, {one.rejected} rejected, {one.cached} known\n{shortened(one.best_expression)}"
    )


def _bars(title: str, unit: str, rows: Sequence[tuple[str, float, int]], note: str | None = None) -> Element:
    """Return a chart of numbers by their names."""
    longest = max([1e-9, *(number for _, number, _ in rows if is_drawn(number))])
    chart = Chart(Axis(unit, 0.0, 1.05 * longest), Axis.of_names(name for name, _, _ in rows))
    for row, (name, number, series) in enumerate(rows):
        chart.bar(row, 0.0, number, f"{name}: {number:,.6g} {unit}", series)
    return chart.figure(title, note)


def sizes(run: Records) -> Element | None:
    """Return size against fitness, each loss with its formula, and the Pareto front."""
    best = run.best_first[:_MAX_POINTS]
    if not best:
        return None
    front = pareto_front(run.best_first)
    y = Axis.over("fitness", _upper([one.fitness for one in best], 0.75, 2))
    x = Axis.over("size, in nodes", [float(one.tree.size) for one in best], is_whole=True)
    chart = Chart(x, y)
    steps = [(float(one.tree.size), max(_fitness(one), y.low)) for one in front]
    chart.line([*steps, (x.high, front[-1].fitness)], 0, is_stepped=True)
    for phase, series in _PHASES.items():
        own = [one for one in best if one.phase == phase and one not in front]
        # What lies below the chart stands at its lower edge.
        points = [(float(one.tree.size), max(_fitness(one), y.low)) for one in own]
        chart.dots(points, [_about(one) for one in own], series, is_faint=True)
        if own:
            chart.name(phase, series)
    chart.dots(steps, [_about(one) for one in front], 0)
    chart.name("Pareto front", 0)
    note = "Dots at the lower edge lie below it."
    if len(run.best_first) > len(best):
        note = f"The best {len(best):,} of {len(run.best_first):,}. {note}"
    rows: list[list[Element | str]] = [
        [str(one.tree.size), shown(one.fitness), element("code", shortened(str(one.tree)))] for one in front[:MAX_ROWS]
    ]
    return element(
        "div",
        chart.figure("Size against fitness", note),
        element("div", element("h3", "The Pareto front"), table(["size", "fitness", "loss"], rows)),
        class_="charts",
    )


def _upper(values: Sequence[float | None], share: float, factor: float) -> list[float]:
    """Return the values but those that lie far below a quantile: `factor` times as far as that is from the best."""
    known = sorted(value for value in values if is_drawn(value))
    if not known:
        return []
    quantile = known[int(share * (len(known) - 1))]
    return [value for value in known if value >= quantile - factor * (known[-1] - quantile)]


def _fitness(one: Candidate) -> float:
    assert one.fitness is not None
    return one.fitness


def _about(one: Candidate) -> str:
    rate = "" if one.learning_rate is None else f", rate {one.learning_rate:.3g}"
    return f"{shortened(str(one.tree))}\nfitness {shown(one.fitness)}, size {one.tree.size}{rate}\n{one.phase}"


def tuning(run: Records) -> Element | None:
    """Return the fitness by generation of each loss under tuning, and what came of it."""
    if not run.tuning:
        return None
    names = list(dict.fromkeys(one.loss for one in run.tuning))[:NUM_DRAWN]
    records = [one for one in run.tuning if one.loss in names]
    fitness = [value for one in records for value in (one.best_so_far, one.best_fitness)]
    x = Axis.over("generation", [float(one.generation) for one in records], is_whole=True, margin=0.03)
    chart = Chart(x, Axis.over("fitness", fitness))
    for series, name in enumerate(names):
        own = [one for one in records if one.loss == name]
        numbers = [float(one.generation) for one in own]
        chart.line(list(zip(numbers, [one.best_so_far for one in own], strict=True)), series, is_stepped=True)
        tips = [
            f"best {shown(one.best_fitness)}, so far {shown(one.best_so_far)}\nsigma {one.sigma:.2g}" for one in own
        ]
        chart.dots(list(zip(numbers, [one.best_fitness for one in own], strict=True)), tips, series)
        chart.name(shortened(name, 60), series)
    rows: list[list[Element | str]] = [
        [
            element("code", shortened(one.expression)),
            str(one.num_coefficients),
            f"{shown(one.fitness_before)}\u00a0→\u00a0{shown(one.fitness)}",
            one.stop_reason,
        ]
        for one in run.result.tuning[:MAX_ROWS]
    ]
    return element(
        "div",
        chart.figure("Tuning of coefficients by CMA-ES", "Lines are the best so far, dots the best of a generation."),
        table(["best coefficients", "number", "fitness", "ended by"], rows) if rows else None,
        class_="charts",
    )


def time(run: Records) -> Element | None:
    """Return where optimizer steps and seconds went."""
    searched = sum(one.candidate_steps for one in run.generations)
    # Losses that are tuned together share the time of a generation.
    tuning_seconds = {one.generation: one.seconds for one in run.tuning}
    tuned = sum(one.candidate_steps for one in run.tuning)
    rest = max(0, run.num_steps - searched - tuned)
    steps = {"search": searched, "tuning": tuned, "rates and comparison": rest}
    seconds = {"search": sum(one.seconds for one in run.generations), "tuning": sum(tuning_seconds.values())}
    if not run.num_steps:
        return None
    figures = [_bars("Optimizer steps", "steps", [(name, number, 1) for name, number in steps.items() if number])]
    if any(seconds.values()):
        note = f"Search: {searched / max(seconds['search'], 1e-3):,.0f} steps a second." if searched else None
        rows = [(name, number, 2) for name, number in seconds.items() if number]
        figures.append(_bars("Time", "seconds", rows, note))
    return element("div", *figures, class_="charts")
