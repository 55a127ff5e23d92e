"""Loss functions in the form of optax, of any expression."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from glojax.errors import ConfigurationError
from glojax.expressions import LossTree, to_latex
from glojax.losses.compiled import compile_instructions
from glojax.losses.label_objective import ZERO, for_other_classes, label_objective
from glojax.losses.libraries import Target
from glojax.losses.links import DOMAINS, LINKS, Link, Linked
from glojax.losses.objective import (
    DEFAULT_PROB_EPSILON,
    ClassReduction,
    check_objective,
    computing_dtype,
    objective,
)
from glojax.losses.operations import Function
from glojax.losses.regular import regular
from glojax.losses.regular_softmax import RegularSoftmax
from glojax.losses.source import source
from glojax.losses.stable import Instructions, stable


@dataclass(frozen=True, repr=False)
class Loss:
    """A loss function of logits and labels: minus an expression, summed over the classes, labels or numbers.

    It can be pickled, compared and hashed, and works under `jit`, `grad`, `vmap`, `hessian`, `shard_map` and `remat`.

    Attributes:
        tree: The expression in the label x and the probability y of a class; a text is parsed.
        class_reduction: "sum" or "mean" over the classes.
        prob_epsilon: Lower bound of y and 1 - y in denominators, in [0, 0.5).
        link: How logits become y: "softmax" over the classes; "sigmoid" of each, for labels that exclude no other; or
            "identity", for regression: then x is the target and y the prediction, and y, 1 - y and x - y keep their
            sign and at least `prob_epsilon` in denominators.
    """

    tree: LossTree
    class_reduction: ClassReduction = "sum"
    prob_epsilon: float = DEFAULT_PROB_EPSILON
    link: Link = "softmax"

    def __post_init__(self) -> None:
        object.__setattr__(self, "tree", _tree(self.tree))
        if self.link not in DOMAINS:
            raise ConfigurationError(f"link is {self.link!r}; expected one of {', '.join(DOMAINS)}.")
        check_objective(self.class_reduction, self.prob_epsilon)

    def __call__(
        self,
        logits: Any,
        labels: Any,
        axis: int = -1,
        where: Any = None,
        weights: Any = None,
    ) -> jax.Array:
        """Return the loss of each example.

        Args:
            logits: [..., C] floating, of any dtype: bfloat16 and float16 are computed in float32. Minus infinity stands
                for a class that is impossible. Predictions, for regression.
            labels: [..., C], one-hot, soft or several, or targets; or, for a softmax, integers [...]. An integer that
                is no class, such as -1 or -100 for padding, has a loss and a gradient of 0.
            axis: The axis of the classes in the logits, soft labels, `where` and `weights`.
            where: Which classes there are, a bool array that broadcasts to the logits; the others have no probability.
            weights: Factors on the classes, an array that broadcasts to the logits. The mean over the classes is
                weighted by them.

        Returns:
            [...], of the dtype of the logits. Differentiable in logits, soft labels and weights.
        """
        logits, labels = jnp.asarray(logits), jnp.asarray(labels)
        if not jnp.issubdtype(logits.dtype, jnp.floating):
            raise ConfigurationError(f"Logits are of dtype {logits.dtype}; expected floating-point numbers.")
        axis = _checked_axis(axis, logits.ndim)
        shape, dtype = logits.shape, computing_dtype(logits.dtype)
        logits = jnp.moveaxis(logits, axis, -1)
        if logits.shape[-1] == 0:
            raise ConfigurationError(f"Logits of shape {shape} have no class; expected at least one.")
        num_classes, computed = logits.shape[-1], logits.astype(dtype)
        is_example = None
        if labels.shape == shape:
            labels = jnp.moveaxis(labels, axis, -1).astype(dtype)
        elif self.link == "softmax" and labels.shape == logits.shape[:-1] and jnp.issubdtype(labels.dtype, jnp.integer):
            labels = labels.astype(jnp.int32) if labels.dtype.itemsize < 4 else labels
            is_example = (labels >= 0) & (labels < num_classes)
        else:
            of_classes = f", or integers of shape {logits.shape[:-1]}" if self.link == "softmax" else ""
            raise ConfigurationError(
                f"Labels of shape {labels.shape} and dtype {labels.dtype} do not fit logits of shape {shape}; "
                f"expected shape {shape}{of_classes}."
            )
        factors = None if weights is None else _last("weights", weights, shape, axis).astype(dtype)
        if where is not None:
            is_class = _last("where", where, shape, axis).astype(bool)
            # Among the classes of a softmax it has no probability; elsewhere its value must not matter.
            computed = jnp.where(is_class, computed, -jnp.inf if self.link == "softmax" else 0)
            factors = jnp.where(is_class, 1 if factors is None else factors, 0).astype(dtype)
        function, link = self._compiled
        if self._of_classes is not None and is_example is not None and factors is None:
            losses = label_objective(*self._of_classes, self.prob_epsilon, labels, computed, is_example)
            losses = losses if self.class_reduction == "sum" else losses / num_classes
        else:
            labels = labels if is_example is None else jax.nn.one_hot(labels, num_classes, dtype=dtype)
            losses = objective(
                function, self.class_reduction, self.prob_epsilon, (), labels, computed, factors, is_example, link
            )
        losses = losses if is_example is None else jnp.where(is_example, losses, 0)
        return losses.astype(logits.dtype)

    @cached_property
    def _compiled(self) -> tuple[Function, Linked]:
        instructions = stable(self.tree, DOMAINS[self.link])
        simple = regular(instructions) if self.link == "softmax" else None
        return _function(simple or instructions), RegularSoftmax if simple else LINKS[self.link]

    @cached_property
    def _of_classes(self) -> tuple[Function, Function | None] | None:
        """What computes a regular function of the label's class, and of the others; None if it is not regular."""
        if self._compiled[1] is not RegularSoftmax or (others := for_other_classes(stable(self.tree))) is None:
            return None
        return self._compiled[0], None if others == ZERO else _function(regular(others) or others)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name[0] != "_"}

    def __repr__(self) -> str:
        options = {"class_reduction": "sum", "prob_epsilon": DEFAULT_PROB_EPSILON, "link": "softmax"}
        others = (f", {name}={vars(self)[name]!r}" for name, value in options.items() if vars(self)[name] != value)
        return f"Loss({str(self.tree)!r}{''.join(others)})"

    def to_python(self, target: Target = "python") -> str:
        """Return a module that needs no glojax, with one function `loss(logits, labels)`.

        Values and, by automatic differentiation, gradients are those of this loss at all logits, for labels as they are
        here without `axis`, `where` and `weights`. Where y and 1 - y leave `prob_epsilon` in a denominator, slopes may
        differ by a factor of 1 + `prob_epsilon`.

        Args:
            target: "python", which is NumPy in float64, "jax", "torch", or "sympy", which is exact and bounds nothing.

        Raises:
            ConfigurationError: The target is unknown, or the link is none of a softmax.
            ExpressionError: The target lacks an operator of the tree.

        Examples:
            >>> namespace = {}
            >>> exec(Loss("x * log(y)").to_python(), namespace)
            >>> float(namespace["loss"]([2.0, 0.0], 1).round(4))
            2.1269
        """
        if self.link != "softmax":
            raise ConfigurationError(f"{self} has no softmax; only losses of a softmax are exported as source code.")
        return source(self.tree, target, self.class_reduction, self.prob_epsilon)

    def to_latex(self) -> str:
        """Return the loss as a LaTeX formula, without dollar signs."""
        sign = r"-\frac{1}{n} \sum_{i}" if self.class_reduction == "mean" else r"-\sum_{i}"
        return rf"{sign} \left({to_latex(self.tree)}\right)"

    def _repr_latex_(self) -> str:
        return f"${self.to_latex()}$"


def _function(instructions: Instructions) -> Function:
    function = compile_instructions(instructions)
    return lambda _, leaves: function(leaves)


def _tree(given: LossTree | str) -> LossTree:
    if isinstance(given, str):
        return LossTree.parse(given)
    if not isinstance(given, LossTree):
        raise ConfigurationError(f"Got {given!r} for a loss; expected a LossTree or its text; make_loss knows names.")
    return given


def _checked_axis(axis: int, num_axes: int) -> int:
    if not isinstance(axis, int) or not -num_axes <= axis < num_axes:
        raise ConfigurationError(f"axis is {axis!r} for logits of {num_axes} axes; expected one of them.")
    return axis


def _last(name: str, array: Any, shape: tuple[int, ...], axis: int) -> jax.Array:
    """Return an array that broadcasts to the logits' shape with the classes' axis as the last one."""
    try:
        return jnp.moveaxis(jnp.broadcast_to(array, shape), axis, -1)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"{name} of shape {np.shape(array)} does not broadcast to the logits' shape, {shape}."
        ) from error
