"""How a loss function is written for NumPy, JAX, PyTorch and SymPy: what `glojax.losses.source` puts together.

The numerics are those of `glojax.losses.softmax`, in a form that automatic differentiation keeps. Everything comes from
the log-odds of a class, log(y / (1 - y)): those of the largest logit from the other logits, those of the others, whose
y is at most 1/2, from log(y). So y, 1 - y and their logarithms are exact at both ends, and so are their slopes. In
denominators the log-odds are clipped, and keep their slope. SymPy is exact without all this.
"""

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

#: What a loss is exported to.
Target = Literal["python", "jax", "torch", "sympy"]

#: The text of each operator with operands; `np` stands for the library. `Library.texts` has those that differ.
TEXTS: Final = {
    "add": "{} + {}",
    "subtract": "{} - {}",
    "multiply": "{} * {}",
    "divide": "{} / {}",
    "square": "{} ** 2",
    "log": "np.log({})",
    "sqrt": "np.sqrt({})",
    "exp": "np.exp({})",
    "abs": "np.abs({})",
    "tanh": "np.tanh({})",
    "sin": "np.sin({})",
    "cos": "np.cos({})",
    "max": "np.maximum({}, {})",
    "min": "np.minimum({}, {})",
    "analytic_quotient": "np.divide({}, np.sqrt(1 + np.square({})))",
    "power": "np.power({}, {})",
    "log power": "np.exp({2} * {1})",
    "power complement": "(-np.expm1({2} * {1}))",
}

#: The names of the leaves of `glojax.losses.leaves` that are no names in an expression.
LEAVES: Final = {
    "complement": "one_minus_y",
    "difference": "x_minus_y",
    "log_complement": "log_one_minus_y",
    "clipped_y": "bounded_y",
    "clipped_complement": "bounded_one_minus_y",
    "clipped_difference": "bounded_x_minus_y",
}

#: How they are computed, each from x, the log-odds and those before it.
_DEFINITIONS: Final = {
    "log_y": "log_sigmoid(odds)",
    "log_one_minus_y": "log_sigmoid(-odds)",
    "y": "np.exp(log_y)",
    "one_minus_y": "np.exp(log_one_minus_y)",
    "x_minus_y": "np.where(odds > 0, one_minus_y - (1 - x), x - y)",
    "bounded_y": "np.exp(log_sigmoid(bounded_odds))",
    "bounded_one_minus_y": "np.exp(log_sigmoid(-bounded_odds))",
    "bounded_x_minus_y": "np.where(odds > 0, bounded_one_minus_y - (1 - x), x - bounded_y)",
}

#: Lines before a definition.
COMMENTS: Final = {
    "is_top": (
        "",
        "# The log-odds, log(y / (1 - y)); those of the largest logit come from the others: nothing cancels.",
    ),
    "bounded_odds": ("# In denominators they are bounded, and keep their slope.",),
}


class Library(NamedTuple):
    """A library that a loss function is written for.

    Attributes:
        module: The name for `np` in the texts.
        imports: The lines that import it.
        arguments: What the docstring says of arguments and result.
        preparation: The lines that make x and the logits z.
        result: The value to return; REDUCTION in it is "sum" or "mean".
        array: The text that makes an array of a number.
        definitions: How the leaves are computed, in this order; BOUND is the bound of log-odds in denominators.
        helpers: Inner functions, by the names with which the other texts call them.
        texts: The texts of operators that differ from `TEXTS`.
    """

    module: str
    imports: str
    arguments: str
    preparation: str
    result: str
    array: str
    definitions: Mapping[str, str] = {}
    helpers: Mapping[str, str] = {}
    texts: Mapping[str, str] = {}


_ARGUMENTS: Final = """\
Args:
    logits: [..., C], computed in {}.
    labels: [..., C], one-hot or soft; or integers [...], of which those outside 0 to C - 1 have no loss.

Returns:
    [...]{}."""

_SMOOTH: Final = {
    "sqrt": """\
def sqrt(a):  # with slope 0 at 0, where automatic differentiation would multiply infinity by 0
    return np.where(a == 0, 0, np.sqrt(np.where(a == 0, 1, a)))""",
    "power": """\
def power(a, exponent):  # with slope 0 at 0, where automatic differentiation would multiply infinity by 0
    return np.where(a == 0, 0 if exponent > 0 else float("inf"), np.where(a == 0, 1, a) ** exponent)""",
}

_SMOOTH_TEXTS: Final = {"sqrt": "sqrt({})", "power": "power({}, {})"}

_NUMPY: Final = Library(
    module="np",
    imports="import numpy as np",
    arguments=_ARGUMENTS.format("float64", ""),
    preparation="""\
logits, labels = np.asarray(logits, np.float64), np.asarray(labels)
if labels.shape == logits.shape:
    x, is_example = labels.astype(np.float64), np.ones_like(labels, bool)
else:
    x = np.where(labels[..., None] == np.arange(logits.shape[-1]), 1.0, 0.0)
    is_example = x.any(axis=-1, keepdims=True)
z = np.where(is_example, logits, 0).clip(-1e37)
z = z - z.max(axis=-1, keepdims=True)""",
    result="np.where(is_example, -values, 0).REDUCTION(axis=-1)",
    array="np.full_like(z, {})",
    definitions={
        "is_top": "np.arange(z.shape[-1]) == z.argmax(axis=-1, keepdims=True)",
        "top_odds": "z - np.logaddexp.reduce(np.where(is_top, -1e37, z), axis=-1, keepdims=True)",
        "log_probs": "np.where(is_top, -1e37, z - np.logaddexp.reduce(z, axis=-1, keepdims=True))",
        "odds": "np.where(is_top, top_odds, log_probs - np.log1p(-np.exp(log_probs)))",
        "bounded_odds": "odds.clip(-BOUND, BOUND)",
        **_DEFINITIONS,
    },
    helpers={
        "log_sigmoid": """\
def log_sigmoid(a):
    return -np.logaddexp(0, -a)"""
    },
)

_JAX: Final = Library(
    module="jnp",
    imports="import jax\nimport jax.numpy as jnp",
    arguments=_ARGUMENTS.format("float32 at least", ", of the logits' dtype"),
    preparation="""\
logits, labels = jnp.asarray(logits), jnp.asarray(labels)
dtype = jnp.float64 if logits.dtype == jnp.float64 else jnp.float32
if labels.shape == logits.shape:
    x, is_example = labels.astype(dtype), jnp.ones_like(labels, bool)
else:
    x = jax.nn.one_hot(labels.astype(jnp.int32), logits.shape[-1], dtype=dtype)
    is_example = x.any(axis=-1, keepdims=True)
z = jnp.where(is_example, logits, 0).astype(dtype).clip(-1e37)
z = z - jax.lax.stop_gradient(z.max(axis=-1, keepdims=True))""",
    result="jnp.where(is_example, -values, 0).REDUCTION(axis=-1).astype(logits.dtype)",
    array="jnp.full_like(z, {})",
    definitions={
        "is_top": "jnp.arange(z.shape[-1]) == z.argmax(axis=-1, keepdims=True)",
        "top_odds": "z - jax.nn.logsumexp(jnp.where(is_top, -1e37, z), axis=-1, keepdims=True)",
        "log_probs": "jnp.where(is_top, -1e37, jax.nn.log_softmax(z))",
        "odds": "jnp.where(is_top, top_odds, log_probs - jnp.log1p(-jnp.exp(log_probs)))",
        "fixed_odds": "jax.lax.stop_gradient(odds)",
        "bounded_odds": "fixed_odds.clip(-BOUND, BOUND) + (odds - fixed_odds)",
        **{name: text.replace("log_sigmoid", "jax.nn.log_sigmoid") for name, text in _DEFINITIONS.items()},
    },
    helpers=_SMOOTH,
    texts=_SMOOTH_TEXTS,
)

_TORCH: Final = Library(
    module="torch",
    imports="import torch\nimport torch.nn.functional as F",
    arguments=_ARGUMENTS.format("float32 at least", ", of the logits' dtype"),
    preparation="""\
dtype = torch.promote_types(logits.dtype, torch.float32)
if labels.shape == logits.shape:
    x, is_example = labels.to(dtype), torch.ones_like(labels, dtype=torch.bool)
else:
    x = (labels[..., None] == torch.arange(logits.shape[-1], device=logits.device)).to(dtype)
    is_example = x.any(dim=-1, keepdim=True)
z = torch.where(is_example, logits, 0).to(dtype).clip(-1e37)
z = z - z.detach().amax(dim=-1, keepdim=True)""",
    result="torch.where(is_example, -values, 0).REDUCTION(dim=-1).to(logits.dtype)",
    array="torch.full_like(z, {})",
    definitions={
        "is_top": "torch.arange(z.shape[-1], device=z.device) == z.argmax(dim=-1, keepdim=True)",
        "others": "z.masked_fill(is_top, -1e37)",
        "second": "others.detach().amax(dim=-1, keepdim=True)",
        "top_odds": "z - second - (others - second).logsumexp(dim=-1, keepdim=True)",
        "log_probs": "z.log_softmax(dim=-1).masked_fill(is_top, -1e37)",
        "odds": "torch.where(is_top, top_odds, log_probs - torch.log1p(-torch.exp(log_probs)))",
        "fixed_odds": "odds.detach()",
        "bounded_odds": "fixed_odds.clip(-BOUND, BOUND) + (odds - fixed_odds)",
        **{name: text.replace("log_sigmoid", "F.logsigmoid") for name, text in _DEFINITIONS.items()},
    },
    helpers=_SMOOTH,
    texts=_SMOOTH_TEXTS,
)

_SYMPY: Final = Library(
    module="sympy",
    imports="import sympy",
    arguments="""\
Args:
    logits: C numbers or expressions.
    labels: C of them, one-hot or soft; or an integer, which has no loss outside 0 to C - 1.

Returns:
    An exact expression; nothing is bounded.""",
    preparation="""\
if isinstance(labels, int):
    if labels not in range(len(logits)):
        return sympy.Integer(0)
    labels = [int(index == labels) for index in range(len(logits))]
x, y = sympy.symbols("x y")
total = sum(sympy.exp(logit) for logit in logits)
classes = [{x: label, y: sympy.exp(logit) / total} for label, logit in zip(labels, logits)]""",
    result="-REDUCTION([values.subs(each, simultaneous=True) for each in classes])",
    array="sympy.sympify({})",
    helpers={
        "mean": """\
def mean(values):
    return sum(values) / len(values)"""
    },
    texts={"analytic_quotient": "(({}) / sympy.sqrt(1 + ({}) ** 2))", "power": "sympy.Pow({}, {})"},
)

LIBRARIES: Final = {"python": _NUMPY, "jax": _JAX, "torch": _TORCH, "sympy": _SYMPY}
