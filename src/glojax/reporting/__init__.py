"""Curves of losses and pictures of runs."""

from glojax.reporting.curves import LossCurve, binary_loss_curve
from glojax.reporting.figures import draw_summary

__all__ = ["LossCurve", "binary_loss_curve", "draw_summary"]
