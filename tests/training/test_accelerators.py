"""What a population step holds that is lowered for an accelerator, on whatever machine."""

import re
from functools import cache
from typing import get_args

import jax
import numpy as np
import pytest
from jax.sharding import AbstractDevice, AbstractMesh, use_abstract_mesh

from glojax.datasets import Dataset, Split
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.networks import CifarCNN, ConvolutionLowering
from glojax.training import TrainingConfig, make_train
from glojax.training.segments import _advance, _begin

P, B = 4, 16
ACCELERATED = [lowering for lowering in get_args(ConvolutionLowering) if lowering != "canonical"]


@cache
def lowered_step(lowering: ConvolutionLowering) -> list[str]:
    """A step of P candidates, lowered for CUDA: lines of StableHLO."""
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (B, 24, 24, 3), dtype=np.uint8), rng.integers(0, 10, B, np.int32))
    config = TrainingConfig(num_steps=2, batch_size=B, learning_rate=0.01)
    train = make_train(CifarCNN, Dataset("random", split, split, split, 10), config, conv_lowering=lowering)
    programs = LossProgram.from_trees([LossTree.parse("x * log(y)")] * P, 8)
    state = jax.eval_shape(_begin, train, jax.random.key(0), P)
    arguments = (train, state, programs, jax.random.key(0), np.ones(P, np.float32), np.int32(0), np.int32(2))
    with use_abstract_mesh(AbstractMesh((1,), ("device",), abstract_device=AbstractDevice("NVIDIA H200", 132, "cuda"))):
        text: str = _advance.trace(*arguments).lower(lowering_platforms=("cuda",)).as_text()
    return text.splitlines()


def convolutions(lowering: ConvolutionLowering) -> list[str]:
    """The convolutions of a step, a line each."""
    return [line for line in lowered_step(lowering) if "stablehlo.convolution" in line]


def kernel_sides(line: str) -> tuple[int, int]:
    """KH and KW of a convolution, whatever the order of its kernel's axes."""
    _, kernel_axes = re.search(r"dim_numbers = \[(.*?)\]x\[(.*?)\]", line).groups()  # type: ignore[union-attr]
    kernel_shape = re.findall(r"tensor<([\dx]+)xf32>", line)[1].split("x")
    height, width = (int(kernel_shape[kernel_axes.replace(" ", "").split(",").index(axis)]) for axis in "01")
    return height, width


def count(line: str, kind: str) -> int:
    """Feature or batch groups of a convolution."""
    return int(re.search(rf"{kind}_group_count = (\d+)", line).group(1))  # type: ignore[union-attr]


@pytest.mark.parametrize("lowering", ACCELERATED)
def test_no_grouped_convolution_has_windows_as_large_as_images(lowering: ConvolutionLowering) -> None:
    for line in convolutions(lowering):
        if count(line, "feature") > 1:
            assert kernel_sides(line) == (5, 5), line


@pytest.mark.parametrize("lowering", [each for each in ACCELERATED if each != "implicit"])
def test_the_first_layer_is_one_dense_convolution_and_so_is_its_gradient(lowering: ConvolutionLowering) -> None:
    dense = [
        line
        for line in convolutions(lowering)
        if f"tensor<{B}x24x24x3xf32>" in line.split("->")[-2] and count(line, "feature") == 1
    ]
    assert len(dense) == 2
    assert all(count(line, "batch") == 1 for line in dense)
    assert all(re.search(rf"[<x]{P * 64}xf32>", line) for line in dense)


@pytest.mark.parametrize("lowering", ACCELERATED)
def test_there_is_no_convolution_for_each_candidate(lowering: ConvolutionLowering) -> None:
    # At most six for both layers, forward and backward; with one for each candidate there would be P in place of one.
    assert len(convolutions(lowering)) <= 6 < 5 + P


def test_grouped_kernel_gradients_have_the_library_s_own_form() -> None:
    grouped = [line for line in convolutions("grouped") if count(line, "batch") > 1]
    assert [count(line, "batch") for line in grouped] == [P]


def test_implicit_products_are_kernels_of_our_own() -> None:
    kernels = [line for line in lowered_step("implicit") if "xla.gpu.triton" in line]
    # Features and kernel's gradient of both layers, and the images' gradient of the second.
    assert len(kernels) == 5
    # The first layer's images need no gradient: it is left out, here or when this is compiled.
    assert len(convolutions("implicit")) <= 1
