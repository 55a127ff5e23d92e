"""The losses of two classes, against the probability of the true one (figure 6).

python -m experiments.binary_loss

The paper: the minima lie at 1 for cross-entropy, at 0.71 for Baikal and at 0.77 for BaikalCMA.

Ours: 1, 0.7071 and 0.7719.

Time: a second.
"""

from functools import partial

import jax
import jax.numpy as jnp
from scipy.optimize import brentq

from experiments import script
from experiments.records import Records
from experiments.report import Report, table
from experiments.style import LABELS, STYLES, finish, new_figure
from experiments.trainings import PAPER_LOSSES
from glojax.expressions import LossTree
from glojax.losses import CATALOG, compile_tree
from glojax.reporting.curves import binary_loss_curve

#: The minima that the paper reads off its plot.
PAPER = {"cross_entropy": "1", "baikal": "0.71", "baikal_cma": "0.77"}


Options = script.CommonOptions
wanted = script.no_trainings


def minimum(tree: LossTree) -> float:
    """Return the probability of the true one of two classes at which the loss is least; 1 if it falls everywhere."""
    function = compile_tree(tree)

    def loss(right: jax.Array) -> jax.Array:
        value: jax.Array = -(function(jnp.ones_like(right), right) + function(jnp.zeros_like(right), 1 - right))
        return value

    low, high = 1e-3, 1 - 1e-9
    with jax.enable_x64(True):
        slope = jax.jit(jax.grad(loss))
        return 1.0 if slope(high) < 0 else float(brentq(lambda prob: float(slope(prob)), low, high, xtol=1e-12))


def report(options: Options, records: Records) -> Report:
    figure = new_figure()
    axes = figure.subplots()
    rows = []
    for loss in PAPER_LOSSES:
        curve = binary_loss_curve(CATALOG[loss]).above(0.02)
        axes.plot(curve.points, curve.loss, label=LABELS[loss], markevery=0.08, markersize=4, **STYLES[loss])
        least = minimum(CATALOG[loss])
        if least < 1:
            axes.axvline(least, color=STYLES[loss]["color"], linestyle=STYLES[loss]["linestyle"], linewidth=0.8)
            axes.annotate(f"{least:.2f}", (least, curve.loss.min()), xytext=(4, 8), textcoords="offset points")
        rows.append((LABELS[loss], PAPER[loss], f"{least:.4f}".removesuffix(".0000")))
    axes.set(xlim=(0, 1), ylim=(-2, 14))
    finish(axes, title="Loss of two classes", xlabel="probability of the true class", ylabel="loss")
    return Report(table(("loss", "minimum, paper", "minimum, ours"), rows), figure)


main = partial(script.run_script, Options, wanted, report, __doc__)


if __name__ == "__main__":
    script.start(main)
