"""What a run has come to: the verdict, the comparison with every seed, and the learning rates that were tried."""

from collections.abc import Sequence

from glojax.reporting.chart import Axis, Chart
from glojax.reporting.elements import Element, element, shortened, table
from glojax.search.progress import shown
from glojax.search.report.records import NUM_DRAWN, Records
from glojax.search.verdict import CONFIDENCE, Verdict
from glojax.wording import counted

#: Rows of a chart and of a table, and dots of a chart, at most; a file may hold more than anybody wants to see.
MAX_ROWS, MAX_DOTS = 40, 2000


def verdict(run: Records) -> Element:
    """Return the verdict in a sentence, and its figures."""
    result = run.result
    words, kind, others = _headline(run)
    tiles: dict[str, str] = {}
    if result.comparison and result.expression is not None:
        tiles[f"test {run.metric}"] = shown(result.comparison[0].test.mean)
    if result.mean_score is not None:
        tiles["validation, fresh seeds"] = shown(result.mean_score)
    if result.learning_rate is not None:
        tiles["learning rate"] = f"{result.learning_rate:.3g}"
    if run.candidates:
        tiles["losses looked at"] = f"{len(run.candidates):,}"
    tiles |= {"trainings": f"{run.num_trainings:,}", "optimizer steps": f"{run.num_steps:,}"}
    differences = _differences(result.verdict[:MAX_ROWS]) if len(result.verdict) > 1 else None
    sentences = element("div", *(element("p", text) for text in others), differences)
    return element(
        "div",
        element("p", words, class_=f"verdict {kind}".rstrip()),
        element("dl", *(element("div", element("dt", n), element("dd", v)) for n, v in tiles.items()), class_="tiles"),
        element("div", sentences, _forest(run), class_="charts") if result.verdict else sentences,
    )


def _headline(run: Records) -> tuple[str, str, Sequence[str]]:
    """Return the verdict, what kind of news it is, and further sentences."""
    result = run.result
    if not run.is_finished:
        number = len(run.generations)
        done = f"It has done {counted(number, 'generation')} of the search" if number else "It has only begun"
        best = f", the best fitness so far is {shown(run.best_first[0].fitness)}" if run.best_first else ""
        if run.is_running:
            text = "The page is written again as the run goes on; reload it to see what is new."
            return "This run is going on.", "", [f"{done}{best}. {text}"]
        return "This run has not come to its end.", "", [f"{done}{best}. Go on with: {run.resume_command}"]
    if result.verdict:
        first = result.verdict[0]
        words, kind = _outcome(first)
        # The sentence begins with the test score of the loss that was found; a table has the other standard losses.
        return f"{words} {first.against.replace('_', ' ')}.", kind, [first.sentence]
    if result.expression is None or not result.comparison:
        if result.expression is None:
            losses, seeds = len(result.comparison), max((len(o.test.values) for o in result.comparison), default=0)
            return f"{counted(losses, 'loss', 'losses')} compared over {counted(seeds, 'seed')}.", "", []
        return f"A loss with validation {run.metric} {shown(result.mean_score)} on average over fresh seeds.", "", []
    first_mean, *means = [(one.name, one.test.mean) for one in result.comparison]
    differences = [
        f"{shown(first_mean[1] - mean, '+')} against {name}"
        for name, mean in means
        if mean is not None and first_mean[1] is not None
    ]
    sentence = f"A loss with test {run.metric} {shown(first_mean[1])} on average over fresh seeds."
    return sentence, "", [f"{', '.join(differences)}."] if differences else []


def _outcome(one: Verdict) -> tuple[str, str]:
    """Return how a loss does against a standard one, and what kind of news it is."""
    if one.better is None:
        return "It cannot be told whether this loss is better than", ""
    if one.better:
        return "This loss is better than", "good"
    if one.p is not None and one.p < 1 - CONFIDENCE:
        return "This loss is worse than", "bad"
    return "This loss is no better than", ""


def _differences(verdicts: Sequence[Verdict]) -> Element:
    """Return the differences, their intervals and their p-values as a table."""
    rows: list[list[Element | str]] = [
        [
            one.against.replace("_", " "),
            "unknown" if one.difference is None else f"{one.difference:+.4f}",
            "" if one.interval is None else f"{one.interval[0]:+.4f} to {one.interval[1]:+.4f}",
            "" if one.p is None else f"{one.p:.2g}",
        ]
        for one in verdicts
    ]
    return table(["this loss minus", "difference", f"{CONFIDENCE * 100:.0f} % interval", "p"], rows)


def _forest(run: Records) -> Element:
    """Return the differences and their intervals as a chart."""
    verdicts, metric = run.result.verdict[:MAX_ROWS], run.metric
    ends = [end for one in verdicts for end in one.interval or ()]
    x = Axis.over(f"test {metric}: this loss minus the other one", [0.0, *ends, *(one.difference for one in verdicts)])
    chart = Chart(x, Axis.of_names(one.against.replace("_", " ") for one in verdicts))
    chart.rule(x=0.0)
    for row, one in enumerate(verdicts):
        series = run.series(one.against)
        p = "" if one.p is None else f", p = {one.p:.2g}"
        tip = f"{one.against}: {'unknown' if one.difference is None else f'{one.difference:+.4f}'}{p}"
        if one.interval is not None:
            tip += f"\n95 % interval {one.interval[0]:+.4f} to {one.interval[1]:+.4f}"
            chart.bar(row, *one.interval, tip, series, thickness=0.12)
        chart.dots([(one.difference, row)], [tip], series)
    note = "Lines are 95 % intervals (Welch); p is corrected for the number of losses (Holm)."
    return chart.figure("Against each standard loss, each at its own best rate", note)


def comparison(run: Records) -> Element | None:
    """Return the scores of each compared loss, every seed as a dot."""
    losses = run.result.comparison[:MAX_ROWS]
    if not losses:
        return None
    each = MAX_DOTS // len(losses)
    test = "test" if run.result.test_split == "official" else f"{run.result.test_split} test"
    x = Axis.over(f"{test} {run.metric}", [value for one in losses for value in one.test.values])
    chart = Chart(x, Axis.of_names(one.name.replace("_", " ") for one in losses))
    for row, one in enumerate(losses):
        series = run.series(one.name)
        values = one.test.values[:each]
        chart.dots([(value, row) for value in values], [f"{one.name}\n{shown(value)}" for value in values], series)
        chart.tick(row, one.test.mean, series)
    any_broke = any(one.non_finite for one in losses)
    rows: list[list[Element | str]] = []
    for one in losses:
        sd = ["" if scores.sd is None else f"\u00a0±\u00a0{scores.sd:.4f}" for scores in (one.validation, one.test)]
        p_value = next(
            (t.p_value for t in run.result.welch if {t.first, t.second} == {losses[0].name, one.name} != {one.name}),
            None,
        )
        rows.append(
            [
                element("span", one.name, element("br"), element("code", shortened(one.expression))),
                f"{one.learning_rate:.3g}",
                f"{shown(one.validation.mean)}{sd[0]}",
                f"{shown(one.test.mean)}{sd[1]}",
                "" if p_value is None else f"{p_value:.2g}",
                *([str(one.non_finite)] if any_broke else []),
            ]
        )
    header = ["loss", "rate", "validation", test, "Welch p", *(["broke off"] if any_broke else [])]
    note = "A dot for each seed, a stroke for the mean."
    return element(
        "div",
        chart.figure(f"{test.capitalize()} {run.metric}", note),
        table(header, rows),
        element(
            "p", "Mean ± standard deviation; Welch's t-test of the test scores against the first loss.", class_="note"
        ),
    )


def rates(run: Records) -> Element | None:
    """Return the learning rates that each loss was tried at."""
    tried = run.result.rates or {one.name: one.tried for one in run.result.comparison if len(one.tried) > 1}
    # The compared losses come first, the found one among them, each in the colour that it has elsewhere.
    compared = {name: number for number, name in enumerate(run.losses)}
    tried = dict(sorted(tried.items(), key=lambda one: compared.get(one[0], NUM_DRAWN))[:NUM_DRAWN])
    trials = [trial for rates in tried.values() for trial in rates]
    if not trials:
        return None
    x = Axis.over("learning rate", [trial.learning_rate for trial in trials], is_log=True, margin=0.03)
    chart = Chart(x, Axis.over(f"validation {run.metric}", [trial.mean_validation for trial in trials]))
    for name, own in tried.items():
        series = run.series(name)
        points = [(trial.learning_rate, trial.mean_validation) for trial in own]
        chart.line(points, series)
        tips = [f"{name}\n{shown(trial.mean_validation)} at rate {trial.learning_rate:.3g}" for trial in own]
        chart.dots(points, tips, series)
        chart.name(name.replace("_", " "), series)
    text = (
        "A loss times ten trains like the loss at ten times the learning rate. So losses are compared each at its own "
        "best rate: what a better rate can give is no merit of a loss."
    )
    return element("div", element("div", chart.figure("Score by learning rate"), element("p", text), class_="charts"))
