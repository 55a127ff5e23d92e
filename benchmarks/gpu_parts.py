"""The parts of `benchmarks.gpu_check`, each called in a process of its own."""

import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.compile_clock import CompileClock
from benchmarks.workloads import WORKLOADS, loss_trees, random_dataset
from glojax.datasets import Dataset, load_dataset
from glojax.evaluation import DevicePool, LocalEvaluator, Training, training_devices
from glojax.evaluation.lowering_choice import remember_lowering
from glojax.losses import LossProgram
from glojax.networks import ConvolutionLowering, Precision, lowered_convolutions
from glojax.networks.ops.convolution import convolve, convolve_pool_relu
from glojax.networks.ops.pooling import max_pool
from glojax.search.generations import discover
from glojax.strategies import GeneticConfig
from glojax.training import make_train, train_in_segments

#: By name: H, W, Cin, side of the window, Cout, whether candidates share the images, and whether they are pooled.
LAYERS = {
    "digits 1": (8, 8, 1, 3, 16, True, True),
    "digits 2": (4, 4, 16, 3, 32, False, True),
    "mnist 1": (28, 28, 1, 5, 32, True, True),
    "mnist 2": (14, 14, 32, 5, 64, False, True),
    "cifar 1": (24, 24, 3, 5, 64, True, False),
    "cifar 2": (12, 12, 64, 5, 64, False, False),
}


def layers(names: Sequence[str], ways: Sequence[tuple[ConvolutionLowering, Precision]], P: int, B: int) -> list[Any]:
    """Return, for each layer and way, errors of features and gradients against `highest` precision, or a failure.

    Errors are relative, by norms: of the features, of the images' gradient where candidates have their own, of the
    kernels' and of the biases'. Where pixels of a window are almost equal, rounding decides which is the largest: the
    gradients of pooled layers therefore differ by more than rounding.
    """
    found: list[Any] = []
    for name in names:
        H, W, Cin, side, Cout, is_shared, is_pooled = LAYERS[name]
        keys = jax.random.split(jax.random.key(0), 4)
        images = jax.random.normal(keys[0], (B, H, W, Cin) if is_shared else (P, B, H, W, Cin))
        kernels = 0.1 * jax.random.normal(keys[1], (P, side, side, Cin, Cout))
        biases = 0.1 * jax.random.normal(keys[2], (P, Cout))
        shape = (P, B, H // 2, W // 2, Cout) if is_pooled else (P, B, H, W, Cout)
        arguments = images, kernels, biases, jax.random.normal(keys[3], shape)
        with jax.default_matmul_precision("highest"):
            expected = jax.jit(partial(_with_gradients, partial(_reference, is_pooled), is_shared))(*arguments)
        ours = convolve_pool_relu if is_pooled else _without_bias
        for lowering, precision in ways:
            try:
                with lowered_convolutions(lowering, precision):
                    results = jax.jit(partial(_with_gradients, ours, is_shared))(*arguments)
                found.append({"errors": list(map(_error, results, expected))})
            except jax.errors.JaxRuntimeError as error:
                found.append({"failure": str(error).splitlines()[0][:200]})
    return found


def _with_gradients(
    function: Callable[..., jax.Array], is_shared: bool, images: Any, kernels: Any, biases: Any, cotangents: Any
) -> Any:
    def one(images: Any, kernel: Any, bias: Any, cotangent: Any) -> Any:
        operands = (kernel, bias) if is_shared else (images, kernel, bias)
        features, pullback = jax.vjp(partial(function, images) if is_shared else function, *operands)
        return features, *pullback(cotangent)

    return jax.vmap(one, in_axes=(None if is_shared else 0, 0, 0, 0))(images, kernels, biases, cotangents)


def _without_bias(images: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    return convolve(images, kernel)


def _error(ours: jax.Array, expected: jax.Array) -> float:
    return float(jnp.linalg.norm(ours - expected) / (jnp.linalg.norm(expected) + 1e-30))


def _reference(is_pooled: bool, images: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    features = jax.lax.conv_general_dilated(
        images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), precision="highest"
    )
    return jax.nn.relu(max_pool(features) + bias) if is_pooled else features


def steps(
    network: str, ways: Sequence[tuple[ConvolutionLowering, Precision | None]], P: int, num_steps: int
) -> list[Any]:
    """Return, for each way, microseconds a candidate-step of a chunk, and what compiling took; or a failure."""
    workload, clock = WORKLOADS[network], CompileClock()
    programs = LossProgram.from_trees(loss_trees(P), 64)
    keys, rates = jax.random.split(jax.random.key(0), P), np.full(P, workload.config.learning_rate, np.float32)
    dataset = random_dataset(workload.input_shape)
    found: list[Any] = []
    for lowering, precision in ways:
        config = replace(workload.config, num_steps=num_steps, precision=precision)
        train = make_train(workload.network, dataset, config, conv_lowering=lowering)
        samples: list[float] = []
        clock.restart()
        try:
            for _ in range(4):
                start = time.perf_counter()
                result = train_in_segments(train, programs, keys, rates, P)
                samples.append(1e6 * (time.perf_counter() - start) / P / num_steps)
            details = {"finite": int(result.finite.sum()), "compile_seconds": clock.seconds}
            found.append({"microseconds": samples[1:]} | details)
        except jax.errors.JaxRuntimeError as error:
            found.append({"failure": str(error).splitlines()[0][:200]})
    return found


def remember(network: str, microseconds: dict[ConvolutionLowering, float]) -> ConvolutionLowering:
    """Remember the fastest lowering of a network on this kind of device, and return it."""
    workload = WORKLOADS[network]
    train = make_train(workload.network, random_dataset(workload.input_shape), workload.config)
    fastest = min(microseconds, key=lambda lowering: microseconds[lowering])
    remember_lowering(train, jax.local_devices()[0], fastest)
    return fastest


def search(network: str, num_steps: int, population: int, generations: int, chunk_size: int | None) -> list[Any]:
    """Search, and return where the time went: a digits search, or one on random images of MNIST's shape.

    Seconds: `start` until JAX has its devices and the data are there; `first` until the first training has ended;
    `compile` in which any thread traced or compiled; `total`.
    """
    begin = time.perf_counter()
    clock = CompileClock()
    workload = WORKLOADS[network]
    dataset: Dataset = load_dataset("digits") if network == "digits" else random_dataset(workload.input_shape)
    devices = training_devices()
    start = time.perf_counter() - begin
    first: list[float] = []
    config = replace(workload.config, num_steps=num_steps)
    evaluator = LocalEvaluator(
        workload.network,
        dataset,
        config,
        devices=devices,
        chunk_size=chunk_size,
        on_training=lambda result: first.append(time.perf_counter() - begin) if not first else None,
    )
    candidate_steps = 0

    def count(evaluation: Any, generation: int) -> None:
        nonlocal candidate_steps
        candidate_steps += evaluation.steps

    genetic = GeneticConfig(population_size=population, num_elites=population // 4)
    discover(evaluator, genetic, generations, seed=0, initial=loss_trees(8), on_evaluation=count)
    total = time.perf_counter() - begin
    seconds = {"start_seconds": start, "first_training_seconds": first[0], "compile_seconds": clock.seconds}
    return [{"candidate_steps": candidate_steps, **seconds, "total_seconds": total}]


def fitness_on_devices(num_devices: int, chunk_size: int | None) -> list[float]:
    """Return the scores of eight losses on digits, trained on so many devices."""
    workload = WORKLOADS["digits"]
    config = replace(workload.config, num_steps=50)
    pool = DevicePool(
        workload.network, load_dataset("digits"), devices=training_devices(num_devices), chunk_size=chunk_size
    )
    context = pool.context(config)
    trainings = [Training(context, tree, 0, config.learning_rate) for tree in loss_trees(8)]
    pool.submit(config, trainings)
    scores: dict[Training, float] = {}
    while len(scores) < len(trainings):
        scores |= {training: float(result.scores["validation"]) for training, result in pool.wait()}
    return [scores[training] for training in trainings]


def resumed_search(options: Sequence[str]) -> list[Any]:
    """Interrupt a search after its first generation, resume it, and compare it with one that was not interrupted."""
    with tempfile.TemporaryDirectory() as folder:
        whole, parts = Path(folder, "whole"), Path(folder, "parts")
        command = [sys.executable, "-m", "glojax.search"]
        begin = time.perf_counter()
        subprocess.run([*command, *options, "--run-dir", whole], check=True, capture_output=True)
        seconds = time.perf_counter() - begin
        process = subprocess.Popen(
            [*command, *options, "--run-dir", parts], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            if line.lstrip().startswith("1/"):
                process.send_signal(signal.SIGINT)
                break
        process.stdout.read()
        process.wait()
        subprocess.run([*command, "resume", parts], check=True, capture_output=True)
        found = [json.loads(Path(run, "result.json").read_text())["expression"] for run in (whole, parts)]
    return [{"seconds": seconds, "interrupted": process.returncode, "same": found[0] == found[1]}]
