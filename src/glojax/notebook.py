"""The display of losses in IPython, which shows other objects by methods of their own."""

import sys
from typing import Any

from glojax.expressions import LossTree
from glojax.losses import Loss


def register_displays() -> None:
    """Let a notebook show losses as formula and curve, if glojax is imported in one."""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if shell is not None:
        html = shell.display_formatter.formatters["text/html"]
        html.for_type(Loss, _loss_html)
        html.for_type(LossTree, _tree_html)


def _loss_html(loss: Loss) -> str:
    from glojax.reporting.loss_display import loss_html  # matplotlib takes its time

    return loss_html(loss)


def _tree_html(tree: LossTree) -> str:
    from glojax.reporting.loss_display import tree_html  # matplotlib takes its time

    return tree_html(tree)
