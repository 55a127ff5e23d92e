"""The losses of two classes, against label and probability both (figure 8).

python -m experiments.loss_surfaces

The paper: binary cross-entropy is least where the probability is the label; Baikal pulls predictions for hard labels
away from 0 and 1.

Ours: the same; for the label 1 Baikal is least at a probability of 0.707.

Time: a second.
"""

from functools import partial

import jax.numpy as jnp
import numpy as np
from matplotlib.colors import BoundaryNorm, LinearSegmentedColormap

from experiments import script
from experiments.records import Records
from experiments.report import Report, table
from experiments.style import LABELS, new_figure
from glojax.expressions import LossTree
from glojax.losses import CATALOG, compile_tree

LOSSES = ("cross_entropy", "baikal")

GREYS = LinearSegmentedColormap.from_list("light greys", ["1.0", "0.45"])

#: Labels of the table.
LABEL_VALUES = (0.0, 0.25, 0.5, 0.75, 1.0)


Options = script.CommonOptions
wanted = script.no_trainings


def surface(tree: LossTree, labels: np.ndarray, probs: np.ndarray) -> np.ndarray:
    """Return the loss [labels, probs] of two classes: minus the sum over both, as with one-hot labels."""
    function = compile_tree(tree)
    x, y = (jnp.asarray(grid, jnp.float32) for grid in np.meshgrid(labels, probs, indexing="ij"))
    return -np.asarray(function(x, y) + function(1 - x, 1 - y), np.float64)


def report(options: Options, records: Records) -> Report:
    figure = new_figure(10, 4.2)
    labels, probs = np.linspace(0, 1, 51), np.linspace(0, 1, 1001)[1:-1]
    # Every tenth value is enough for the figure.
    drawn = slice(4, None, 10)
    minima = []
    for axes, loss in zip(figure.subplots(1, 2), LOSSES, strict=True):
        values = surface(CATALOG[loss], labels, probs)
        levels = np.quantile(values, np.linspace(0, 0.9, 13))
        # A step of grey for each level, light enough for the text on it.
        norm = BoundaryNorm(levels, GREYS.N, extend="both")
        grid = (probs[drawn], labels, values[:, drawn])
        filled = axes.contourf(*grid, levels=levels, cmap=GREYS, norm=norm, extend="both")
        lines = axes.contour(*grid, levels=levels[::2], colors="black", linewidths=0.6)
        axes.clabel(lines, levels=levels[2:-2:2], fmt="%.2f", fontsize=8)
        least = probs[values.argmin(axis=1)]
        axes.plot(least, labels, color="#b2182b", linestyle="--", linewidth=2, label="least for each label")
        axes.set(title=LABELS[loss], xlabel="probability of the class", ylabel="label of the class", xlim=(0, 1))
        axes.legend(loc="upper left")
        figure.colorbar(filled, ax=axes, label="loss")
        rows = surface(CATALOG[loss], np.array(LABEL_VALUES), probs)
        minima.append(probs[rows.argmin(axis=1)])
    header = ("label", *(f"{LABELS[loss]} least at" for loss in LOSSES))
    cells = [(f"{label:g}", *(f"{own[row]:.3f}" for own in minima)) for row, label in enumerate(LABEL_VALUES)]
    return Report(f"{table(header, cells)}\nOn a grid of 0.001, without 0 and 1 themselves.\n", figure)


main = partial(script.run_script, Options, wanted, report, __doc__)


if __name__ == "__main__":
    script.start(main)
