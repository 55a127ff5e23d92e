"""Convolutions and pooling of users' networks against JAX's own, in value and gradient."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx
from jax import lax

from glojax.networks import ConvolutionLowering, lowered_convolutions
from glojax.networks.ops.fast_operations import fast_operations
from glojax.networks.ops.rewriting import rewritten
from tests.networks.references import random_array

NHWC = ("NHWC", "HWIO", "NHWC")

#: Shapes of inputs and kernel, and what `lax.conv_general_dilated` takes; without a kernel, a pooling of inputs.
CONVOLUTIONS: dict[str, tuple[tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "plain": ((3, 5, 6, 2), (3, 3, 2, 4), {}),
    "stride": ((3, 6, 7, 2), (3, 3, 2, 4), {"window_strides": (2, 3)}),
    "valid, even kernel": ((3, 6, 7, 2), (2, 4, 2, 4), {"padding": "VALID"}),
    "transposed": ((2, 3, 4, 2), (3, 3, 2, 4), {"lhs_dilation": (2, 2), "padding": [(2, 1), (1, 2)]}),
    "dilated kernel": ((2, 7, 7, 2), (3, 3, 2, 4), {"rhs_dilation": (2, 2)}),
    "groups": ((3, 5, 5, 4), (3, 3, 2, 6), {"feature_group_count": 2, "window_strides": (2, 2)}),
    "groups of images": ((4, 5, 5, 3), (3, 3, 3, 4), {"batch_group_count": 2}),
    "depthwise": ((2, 5, 6, 3), (3, 3, 1, 6), {"feature_group_count": 3}),
    "depthwise, stride": ((2, 6, 5, 3), (3, 3, 1, 3), {"feature_group_count": 3, "window_strides": (2, 2)}),
    "single elements": ((2, 5, 6, 3), (1, 1, 3, 4), {"window_strides": (2, 2)}),
    "channels first": ((2, 3, 5, 6), (4, 3, 3, 3), {"dimension_numbers": ("NCHW", "OIHW", "NCHW")}),
    "sequence": ((2, 9, 3), (5, 3, 4), {"dimension_numbers": ("NHC", "HIO", "NHC"), "window_strides": (2,)}),
    "volume": ((2, 3, 4, 3, 2), (3, 3, 3, 2, 2), {"dimension_numbers": ("NDHWC", "DHWIO", "NDHWC")}),
}

POOLING: dict[str, tuple[tuple[int, ...], Callable[[jax.Array], jax.Array]]] = {
    "max": ((2, 4, 6, 3), lambda x: nnx.max_pool(x, (2, 2), (2, 2))),
    "max, odd": ((2, 5, 7, 3), lambda x: nnx.max_pool(x, (2, 2), (2, 2))),
    "max, overlapping": ((2, 5, 6, 3), lambda x: nnx.max_pool(x, (3, 3), (2, 2), "SAME")),
    "max, stride 1": ((2, 5, 6, 3), lambda x: nnx.max_pool(x, (3, 2), (1, 1), "SAME")),
    "max of a sequence": ((2, 9, 3), lambda x: nnx.max_pool(x, (3,), (2,))),
    "min": ((2, 5, 6, 3), lambda x: nnx.min_pool(x, (3, 3), (2, 2), "SAME")),
    "mean": ((2, 4, 6, 3), lambda x: nnx.avg_pool(x, (2, 2), (2, 2))),
    "mean, padded": ((2, 5, 6, 3), lambda x: nnx.avg_pool(x, (3, 3), (2, 1), "SAME", count_include_pad=False)),
    "mean of all": ((2, 9, 10, 3), lambda x: nnx.avg_pool(x, (9, 10))),
    "large windows": ((2, 12, 12, 2), lambda x: linen.max_pool(x, (9, 9), (3, 3))),
}


def convolution(name: str) -> Callable[..., jax.Array]:
    _, _, given = CONVOLUTIONS[name]
    options = {"window_strides": (1, 1), "padding": "SAME", "dimension_numbers": NHWC} | given
    if name == "volume":
        options["window_strides"] = (1, 1, 1)
    return partial(lax.conv_general_dilated, **options)


def function_and_operands(name: str) -> tuple[Callable[..., jax.Array], list[Any]]:
    if name in CONVOLUTIONS:
        shapes = CONVOLUTIONS[name][:2]
        return convolution(name), [random_array(shape, seed) for seed, shape in enumerate(shapes)]
    # Whole numbers, so that windows have several largest elements.
    return POOLING[name][1], [np.round(2 * random_array(POOLING[name][0], 0))]


def value_and_gradients(function: Callable[..., jax.Array], operands: list[Any]) -> Any:
    value, pullback = jax.vjp(function, *operands)
    return value, *pullback(jnp.sin(jnp.arange(value.size, dtype=value.dtype)).reshape(value.shape))


@pytest.fixture(scope="module")
def both() -> dict[str, tuple[Any, Any]]:
    """Of each operation, what its fast form gives and what JAX gives; compiled together, as that is faster."""
    cases = {name: function_and_operands(name) for name in (*CONVOLUTIONS, *POOLING)}

    @jax.jit
    def compute(operands: dict[str, list[Any]]) -> Any:
        rules = fast_operations("canonical")
        return {
            name: tuple(value_and_gradients(f, operands[name]) for f in (rewritten(function, rules), function))
            for name, (function, _) in cases.items()
        }

    with jax.numpy_dtype_promotion("standard"):  # for `nnx.avg_pool`
        results: dict[str, tuple[Any, Any]] = compute({name: operands for name, (_, operands) in cases.items()})
    return results


@pytest.mark.parametrize("name", [*CONVOLUTIONS, *POOLING])
def test_values_and_gradients_are_those_of_jax(name: str, both: dict[str, tuple[Any, Any]]) -> None:
    for ours, theirs in zip(*both[name], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def primitives(function: Callable[..., Any], *arguments: Any) -> str:
    with jax.numpy_dtype_promotion("standard"):
        return str(jax.make_jaxpr(function)(*arguments))


@pytest.mark.parametrize("name", ["stride", "groups", "transposed", "channels first"])
def test_convolutions_and_their_gradients_are_in_canonical_layout(name: str) -> None:
    function, operands = function_and_operands(name)
    fast = rewritten(function, fast_operations("canonical"))
    text = primitives(lambda *operands: value_and_gradients(fast, list(operands)), *operands)
    layouts = [line for line in text.splitlines() if "dimension_numbers=ConvDimensionNumbers" in line]
    assert len(layouts) == 3
    assert all("lhs_spec=(0, 3, 1, 2), rhs_spec=(3, 2, 0, 1), out_spec=(0, 3, 1, 2)" in line for line in layouts)
    assert "batch_group_count=2" not in text


@pytest.mark.parametrize("name", ["depthwise", "single elements", *sorted(POOLING.keys() - {"large windows"})])
def test_other_operations_are_elementwise_or_products(name: str) -> None:
    function, operands = function_and_operands(name)
    fast = rewritten(function, fast_operations("canonical"))
    text = primitives(lambda *operands: value_and_gradients(fast, list(operands)), *operands)
    # The number of a window's elements does not depend on values.
    assert not any(f"{slow}[" in text for slow in ("conv_general_dilated", "select_and_scatter_add", "reduce_window"))


@pytest.mark.parametrize(
    ("name", "lowering"),
    [("stride", "canonical"), ("stride", "grouped"), ("plain", "grouped"), ("plain", "patches"), ("plain", "mapped")],
)
def test_a_population_convolves_as_its_candidates_do(
    name: str, lowering: ConvolutionLowering, both: dict[str, tuple[Any, Any]]
) -> None:
    function, operands = function_and_operands(name)
    population = [np.stack([operand, 2 * operand, -operand]) for operand in operands]
    with lowered_convolutions(lowering):
        fast = rewritten(function, fast_operations(lowering))
        results = jax.jit(jax.vmap(lambda *operands: value_and_gradients(fast, list(operands))))(*population)
    for ours, theirs in zip(results, both[name][1], strict=True):
        np.testing.assert_allclose(np.asarray(ours)[0], theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["single elements", "depthwise"])
def test_features_have_the_type_that_is_asked_for(name: str) -> None:
    function, operands = function_and_operands(name)
    in_float32 = partial(function, preferred_element_type=jnp.float32)
    fast = rewritten(in_float32, fast_operations("canonical"))
    features = jax.eval_shape(fast, *(jax.ShapeDtypeStruct(operand.shape, jnp.bfloat16) for operand in operands))
    assert features.dtype == jnp.float32


@pytest.mark.parametrize("name", ["sequence", "volume", "stride", "groups"])
def test_other_convolutions_are_left_as_they_are_on_accelerators(name: str) -> None:
    function, operands = function_and_operands(name)
    text = primitives(rewritten(function, fast_operations("grouped")), *operands)
    assert text == primitives(function, *operands)


@pytest.mark.parametrize(("precision", "fast"), [(None, True), (lax.Precision.HIGHEST, False)])
def test_a_precision_that_is_asked_for_is_kept_on_accelerators(precision: Any, fast: bool) -> None:
    function, operands = function_and_operands("plain")
    text = primitives(rewritten(partial(function, precision=precision), fast_operations("grouped")), *operands)
    assert ("custom_vjp_call" in text) == fast
