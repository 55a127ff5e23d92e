"""The command that writes a loss for other frameworks."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

import tyro
from rich.console import Console

from glojax.losses import ClassReduction, make_loss
from glojax.losses.libraries import Target
from glojax.losses.objective import DEFAULT_PROB_EPSILON
from glojax.search.execution import ExecutionOptions
from glojax.terminal import print_text


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Options of an export."""

    expression: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="EXPRESSION")]
    """The loss: a name, such as baikal or focal, or an expression of x and y, such as "log(y) - x / y"."""
    to: Target | Literal["latex"]
    """A Python module with a function loss(logits, labels), for NumPy (python), JAX, PyTorch or SymPy; or a formula."""
    class_reduction: ClassReduction = "sum"
    """The sum or the mean over the classes."""
    prob_epsilon: float = DEFAULT_PROB_EPSILON
    """Lower bound of y and 1 - y in denominators; SymPy and formulas have none."""
    coefficients: tuple[float, ...] | None = None
    """A factor for each node in prefix order. By default those of the expression."""
    execution: tyro.conf.Suppress[ExecutionOptions] = field(default_factory=ExecutionOptions)


def print_export(options: ExportOptions, console: Console) -> None:
    """Print a loss in another notation."""
    loss = make_loss(options.expression, options.coefficients, options.class_reduction, options.prob_epsilon)
    print_text(loss.to_latex() if options.to == "latex" else loss.to_python(options.to), console)
