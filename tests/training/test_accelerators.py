"""What a population step holds that is lowered for an accelerator, on whatever machine."""

import re
from functools import cache
from typing import get_args

import jax
import numpy as np
import pytest

from glojax.datasets import Dataset, Split
from glojax.expressions import LossTree
from glojax.losses import LossProgram
from glojax.networks import CifarCNN, ConvolutionLowering, MnistCNN, NetworkFactory
from glojax.training import TrainingConfig, make_train
from glojax.training.segments import _advance, _begin

P, B = 4, 16
ACCELERATED = [lowering for lowering in get_args(ConvolutionLowering) if lowering != "canonical"]


@cache
def convolutions(
    network: NetworkFactory, side: int, channels: int, lowering: ConvolutionLowering, num_candidates: int = P
) -> list[str]:
    """The convolutions of a step of so many candidates, lowered for CUDA: a line of StableHLO each."""
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (B, side, side, channels), dtype=np.uint8), rng.integers(0, 10, B, np.int32))
    config = TrainingConfig(num_steps=2, batch_size=B, learning_rate=0.01)
    train = make_train(network, Dataset("random", split, split, split, 10), config, conv_lowering=lowering)
    programs = LossProgram.from_trees([LossTree.parse("x * log(y)")] * num_candidates, 8)
    state = jax.eval_shape(_begin, train, jax.random.key(0), num_candidates)
    arguments = (
        train,
        state,
        programs,
        jax.random.key(0),
        np.ones(num_candidates, np.float32),
        np.int32(0),
        np.int32(2),
    )
    text = _advance.trace(*arguments).lower(lowering_platforms=("cuda",)).as_text()
    return [line for line in text.splitlines() if "stablehlo.convolution" in line]


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
@pytest.mark.parametrize(("network", "side", "channels"), [(MnistCNN, 28, 1), (CifarCNN, 24, 3)])
def test_no_grouped_convolution_has_windows_as_large_as_images(
    network: NetworkFactory, side: int, channels: int, lowering: ConvolutionLowering
) -> None:
    for line in convolutions(network, side, channels, lowering):
        if count(line, "feature") > 1:
            assert kernel_sides(line) == (5, 5), line


@pytest.mark.parametrize("lowering", ACCELERATED)
@pytest.mark.parametrize(("network", "side", "channels"), [(MnistCNN, 28, 1), (CifarCNN, 24, 3)])
def test_the_first_layer_is_one_dense_convolution_and_so_is_its_gradient(
    network: NetworkFactory, side: int, channels: int, lowering: ConvolutionLowering
) -> None:
    dense = [
        line
        for line in convolutions(network, side, channels, lowering)
        if f"tensor<{B}x{side}x{side}x{channels}xf32>" in line.split("->")[-2] and count(line, "feature") == 1
    ]
    features = P * (32 if network is MnistCNN else 64)
    assert len(dense) == 2
    assert all(count(line, "batch") == 1 for line in dense)
    assert all(re.search(rf"[<x]{features}xf32>", line) for line in dense)


@pytest.mark.parametrize("lowering", ACCELERATED)
def test_there_is_no_convolution_for_each_candidate(lowering: ConvolutionLowering) -> None:
    few, many = convolutions(MnistCNN, 28, 1, lowering), convolutions(MnistCNN, 28, 1, lowering, 2 * P)
    assert len(many) == len(few)


def test_grouped_kernel_gradients_have_the_library_s_own_form() -> None:
    grouped = [line for line in convolutions(MnistCNN, 28, 1, "grouped") if count(line, "batch") > 1]
    assert [count(line, "batch") for line in grouped] == [P]
