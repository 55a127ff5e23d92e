"""Curves of losses and pictures of runs."""

from glojax.reporting.curves import LossCurve as LossCurve, binary_loss_curve as binary_loss_curve
from glojax.reporting.figures import draw_summary as draw_summary
