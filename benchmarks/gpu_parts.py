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

#: By name: B, H, W, Cin, side of the window, Cout, whether candidates share the images, and whether they are pooled.
LAYERS = {
    "digits 1": (64, 8, 8, 1, 3, 16, True, True),
    "digits 2": (64, 4, 4, 16, 3, 32, False, True),
    "mnist 1": (100, 28, 28, 1, 5, 32, True, True),
    "mnist 2": (100, 14, 14, 32, 5, 64, False, True),
    "cifar 1": (1024, 24, 24, 3, 5, 64, True, False),
    "cifar 2": (1024, 12, 12, 64, 5, 64, False, False),
}


def layer(name: str, lowering: ConvolutionLowering, precision: Precision, P: int, batch_size: int | None) -> Any:
    """Return errors of a layer's features and gradients against `highest` precision, and the time of all together.

    Errors are relative, by norms: of the features, of the images' gradient where candidates have their own, of the
    kernels' and of the biases'. Where pixels of a window are almost equal, rounding decides which is the largest: the
    gradients of pooled layers therefore differ by more than rounding.
    """
    B, H, W, Cin, side, Cout, is_shared, is_pooled = LAYERS[name]
    B = batch_size or B
    keys = jax.random.split(jax.random.key(0), 4)
    images = jax.random.normal(keys[0], (B, H, W, Cin) if is_shared else (P, B, H, W, Cin))
    kernels = 0.1 * jax.random.normal(keys[1], (P, side, side, Cin, Cout))
    biases = 0.1 * jax.random.normal(keys[2], (P, Cout))
    function: Callable[..., jax.Array] = (
        convolve_pool_relu if is_pooled else lambda images, kernel, _: convolve(images, kernel)
    )
    shape = (P, B, H // 2, W // 2, Cout) if is_pooled else (P, B, H, W, Cout)
    cotangents = jax.random.normal(keys[3], shape)

    def all_of(function: Callable[..., jax.Array], images: Any, kernels: Any, biases: Any, cotangents: Any) -> Any:
        def one(images: Any, kernel: Any, bias: Any, cotangent: Any) -> Any:
            features, pullback = jax.vjp(
                partial(function, images) if is_shared else function, *([] if is_shared else [images]), kernel, bias
            )
            return features, *pullback(cotangent)

        return jax.vmap(one, in_axes=(None if is_shared else 0, 0, 0, 0))(images, kernels, biases, cotangents)

    arguments = images, kernels, biases, cotangents
    with lowered_convolutions(lowering, precision):
        compute = jax.jit(partial(all_of, function)).lower(*arguments).compile()
    with jax.default_matmul_precision("highest"):
        expected = jax.jit(partial(all_of, partial(_reference, is_pooled)))(*arguments)
    ours = compute(*arguments)
    errors = [
        float(jnp.linalg.norm(mine - theirs) / (jnp.linalg.norm(theirs) + 1e-30))
        for mine, theirs in zip(ours, expected, strict=True)
    ]
    return {"errors": errors, "microseconds": [1e6 * seconds / P for seconds in _seconds(lambda: compute(*arguments))]}


def _reference(is_pooled: bool, images: jax.Array, kernel: jax.Array, bias: jax.Array) -> jax.Array:
    features = jax.lax.conv_general_dilated(
        images, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"), precision="highest"
    )
    return jax.nn.relu(max_pool(features) + bias) if is_pooled else features


def _seconds(work: Callable[[], Any], rounds: int = 3, calls: int = 10) -> list[float]:
    """Return seconds a call, one number for each round; the call before them is not counted."""
    jax.block_until_ready(work())
    samples = []
    for _ in range(rounds):
        start = time.perf_counter()
        for _ in range(calls):
            results = work()
        jax.block_until_ready(results)
        samples.append((time.perf_counter() - start) / calls)
    return samples


def steps(network: str, lowering: ConvolutionLowering, precision: Precision | None, P: int, num_steps: int) -> Any:
    """Return microseconds a candidate-step of a chunk, and the seconds before its first step."""
    workload = WORKLOADS[network]
    clock = CompileClock()
    config = replace(workload.config, num_steps=num_steps, precision=precision)
    train = make_train(workload.network, random_dataset(workload.input_shape), config, conv_lowering=lowering)
    programs = LossProgram.from_trees(loss_trees(P), 64)
    keys, rates = jax.random.split(jax.random.key(0), P), np.full(P, config.learning_rate, np.float32)
    samples = []
    for _ in range(3):
        start = time.perf_counter()
        result = train_in_segments(train, programs, keys, rates, P)
        samples.append(1e6 * (time.perf_counter() - start) / P / num_steps)
    memory = jax.local_devices()[0].memory_stats() or {}
    return {
        "microseconds": samples[1:],
        "finite": int(result.finite.sum()),
        "compile_seconds": clock.seconds,
        "peak_memory_bytes": memory.get("peak_bytes_in_use"),
    }


def remember(network: str, microseconds: dict[ConvolutionLowering, float]) -> ConvolutionLowering:
    """Remember the fastest lowering of a network on this kind of device, and return it."""
    workload = WORKLOADS[network]
    train = make_train(workload.network, random_dataset(workload.input_shape), workload.config)
    fastest = min(microseconds, key=lambda lowering: microseconds[lowering])
    remember_lowering(train, jax.local_devices()[0], fastest)
    return fastest


def search(network: str, num_steps: int, population: int, generations: int, chunk_size: int | None) -> Any:
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
    return {
        "candidate_steps": candidate_steps,
        "start_seconds": start,
        "first_training_seconds": first[0] if first else None,
        "compile_seconds": clock.seconds,
        "total_seconds": total,
    }


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


def resumed_search(options: Sequence[str]) -> Any:
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
    return {"seconds": seconds, "interrupted": process.returncode, "same": found[0] == found[1]}
