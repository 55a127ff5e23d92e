"""The losses that searches found, and what they do to an example.

python -m experiments.found_losses

The paper explains Baikal by its minimum, which keeps a network from certainty.

Ours: with ten classes, the pull of each loss on the true class's logit, relative to its pull in an untrained network,
where every class has a probability of a tenth. Cross-entropy pulls an example that it has all wrong as hard as it can.
The two roots, found on clean labels, pull it less; though they are of different data and networks, their curves are
nearly one. All but two for wrong labels, x * y^0.75 and a root with cross-entropy, push an example back that is right
and certain, as label smoothing does.
Baikal with roots pulls the harder, the more wrong an example is: 11 times as hard at a probability of a thousandth.

Time: a second.
"""

from functools import partial
from typing import Any

import numpy as np

from experiments import script
from experiments.records import Records
from experiments.report import Report, table
from experiments.style import finish, new_figure
from glojax.losses import CATALOG, FOUND, find_tree
from glojax.losses.objective import DEFAULT_PROB_EPSILON
from glojax.reporting.pulls import of_classes

NUM_CLASSES = 10

#: Losses of the literature that stand beside the found ones.
BESIDE = ("cross_entropy", "label_smoothing", "generalized_cross_entropy", "symmetric_cross_entropy")

#: Red for clean labels, purple for rare classes, blue for wrong labels, green for Adam.
_STYLES: dict[str, dict[str, Any]] = {
    "smoothed_root": {"color": "#b2182b", "linestyle": "-"},
    "penalized_root": {"color": "#b2182b", "linestyle": "--"},
    "penalized_symmetric": {"color": "#762a83", "linestyle": "-"},
    "smoothed_focal": {"color": "#762a83", "linestyle": "--"},
    "smoothed_absolute_error": {"color": "#2166ac", "linestyle": ":"},
    "root_cross_entropy": {"color": "#67a9cf", "linestyle": "-"},
    "three_quarter_power": {"color": "#2166ac", "linestyle": "-"},
    "penalized_absolute_error": {"color": "#2166ac", "linestyle": "-."},
    "bootstrapped_root": {"color": "#2166ac", "linestyle": "--"},
    "root_baikal": {"color": "#1b7837", "linestyle": "-"},
    "smoothed_poly": {"color": "#1b7837", "linestyle": "--"},
    "confident_root": {"color": "#1b7837", "linestyle": "-."},
}

#: Probabilities of the true class in the table.
POINTS = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)

Options = script.CommonOptions
wanted = script.no_trainings


def relative_pull(name: str, points: np.ndarray) -> np.ndarray:
    """Return the pull [N] at probabilities [N] of the true class, the others sharing the rest, over that at a tenth."""
    at = np.concatenate([points, [1 / NUM_CLASSES]])
    _, pull = of_classes(find_tree(name), at, (1 - at) / (NUM_CLASSES - 1), NUM_CLASSES, DEFAULT_PROB_EPSILON)
    return np.asarray(pull[:-1] / pull[-1])


def report(options: Options, records: Records) -> Report:
    figure = new_figure(10.5, 4.2)
    axes = figure.subplots()
    points = 1 / (1 + np.exp(-np.linspace(-7, 7, 401)))
    for name, style in zip(BESIDE, ("-", ":", "--", "-."), strict=True):
        axes.plot(points, relative_pull(name, points), linestyle=style, color="0.4", linewidth=1.2, label=name)
    for name in FOUND:
        axes.plot(points, relative_pull(name, points), linewidth=1.8, label=name, **_STYLES[name])
    axes.axhline(0, color="0.8", linewidth=0.8)
    axes.set_xscale("logit")
    axes.set_ylim(-1.2, 3.6)
    finish(
        axes,
        title="Pull on the true class's logit, ten classes",
        xlabel="probability of the true class",
        ylabel="pull, relative to that at 0.1",
        legend=False,
    )
    figure.legend(loc="outside right center")
    rows = [
        (name, f"`{CATALOG[name] if name in CATALOG else FOUND[name].text}`", *map("{:.3f}".format, pulls))
        for name in (*BESIDE, *FOUND)
        for pulls in [relative_pull(name, np.array(POINTS))]
    ]
    tasks = "\n".join(f"- `{name}`: {loss.task} (`{loss.record}`)." for name, loss in FOUND.items())
    return Report(f"{table(('loss', 'f(x, y)', *(f'y = {point:g}' for point in POINTS)), rows)}\n{tasks}\n", figure)


main = partial(script.run_script, Options, wanted, report, __doc__)


if __name__ == "__main__":
    script.start(main)
