"""PyTorch: one candidate after the other, in several processes, or a population under `torch.func.vmap`.

All take a `device` of PyTorch, "cpu" or "cuda", and a `precision` of products, "tf32" or "float32", which they set for
their process.
"""

import os
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.func import functional_call, stack_module_state, vmap

from benchmarks.contestant import Contestant, Work, process_peak_bytes
from benchmarks.machine import num_cores
from benchmarks.measurement import PREPARE_SECONDS
from benchmarks.population.torch_networks import augmented, decayed_names, torch_loss, torch_network
from benchmarks.population.torch_precision import set_precision
from benchmarks.worker_process import WorkerProcess
from benchmarks.workloads import WORKLOADS, loss_trees, random_dataset

#: A turn of one of several processes; whoever waits for all of them has a limit of its own.
NO_LIMIT = 1e6

#: Maps a batch of images and its labels to the mean loss.
BatchLoss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def sequential(network: str, steps: int, device: str, precision: str) -> Contestant:
    """Train one candidate, eagerly, on all cores or the first GPU."""
    torch.set_num_threads(num_cores())
    return _training(network, steps, torch.device(device), precision)


def compiled(network: str, steps: int, device: str, precision: str) -> Contestant:
    """Do the same with network and loss together under `torch.compile`, which compiles once for each loss."""
    torch.set_num_threads(num_cores())
    return _training(network, steps, torch.device(device), precision, wrap=torch.compile)


def compiled_graphs(network: str, steps: int, device: str, precision: str) -> Contestant:
    """Do the same with the compiled program as CUDA graphs, which a step starts at once."""

    def with_graphs(batch_loss: BatchLoss) -> BatchLoss:
        compiled_loss = torch.compile(batch_loss, mode="reduce-overhead")

        def step_loss(batch: torch.Tensor, labels: torch.Tensor) -> Any:
            # The graphs' tensors of the last step may be overwritten from here on.
            torch.compiler.cudagraph_mark_step_begin()
            return compiled_loss(batch, labels)

        return step_loss

    return _training(network, steps, torch.device(device), precision, wrap=with_graphs)


def single(network: str, steps: int, process: int, device: str, precision: str) -> Contestant:
    """Train in one of several processes, each with one thread on its own core, or with its own GPU."""
    if device == "cuda":
        return _training(network, steps, torch.device(device, process), precision)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[process % len(cores)]})
    torch.set_num_threads(1)
    return _training(network, steps, torch.device(device), precision)


def processes(network: str, steps: int, count: int, device: str, precision: str) -> Contestant:
    """Train in `count` processes at once, each with its own candidate."""
    workers = [WorkerProcess() for _ in range(count)]
    for process, worker in enumerate(workers):
        arguments = {"network": network, "steps": steps, "process": process, "device": device, "precision": precision}
        request = {"do": "prepare", "case": 0, "function": "benchmarks.population.torch_ways:single"}
        worker.send(request | {"arguments": arguments})
    for worker in workers:
        worker.receive(PREPARE_SECONDS)
    peaks = [0] * count

    def turn() -> Work:
        for worker in workers:
            worker.send({"do": "turn", "case": 0})
        answers = [worker.receive(NO_LIMIT) for worker in workers]
        peaks[:] = [answer["peak_memory_bytes"] or 0 for answer in answers]
        return Work(sum(answer["units"] for answer in answers))

    return Contestant(turn, lambda: sum(peaks))


def stacked(network: str, population: int, steps: int, device: str, precision: str) -> Contestant:
    """Train a population with stacked parameters: the network under `vmap`, each candidate's loss on its own logits."""
    torch.set_num_threads(num_cores())
    set_precision(precision)
    here = torch.device(device)
    batch_fn = _batches(network, here)
    models = [torch_network(network).to(here) for _ in range(population)]
    params, _ = stack_module_state(models)
    loss_fns = [torch_loss(tree) for tree in loss_trees(population)]
    optimizer = _optimizer(network, params.items())

    def logits_fn(params: dict[str, torch.Tensor], batch: torch.Tensor) -> Any:
        return functional_call(models[0], params, (batch,))

    def turn() -> Work:
        for _ in range(steps):
            batch, labels = batch_fn()
            optimizer.zero_grad()
            logits = vmap(logits_fn, in_dims=(0, None), randomness="different")(params, batch)
            losses = [loss_fn(own, labels) for loss_fn, own in zip(loss_fns, logits, strict=True)]
            torch.stack(losses).sum().backward()
            optimizer.step()
        _finish(here)
        return Work(population * steps)

    return Contestant(turn, partial(_peak_bytes, here))


def _training(
    network: str,
    steps: int,
    device: torch.device,
    precision: str,
    wrap: Callable[[BatchLoss], BatchLoss] = lambda batch_loss: batch_loss,
) -> Contestant:
    set_precision(precision)
    batch_fn = _batches(network, device)
    model = torch_network(network).to(device)
    loss_fn = torch_loss(loss_trees(1)[0])
    optimizer = _optimizer(network, model.named_parameters())

    batch_loss = wrap(lambda batch, labels: loss_fn(model(batch), labels))

    def turn() -> Work:
        for _ in range(steps):
            batch, labels = batch_fn()
            optimizer.zero_grad()
            batch_loss(batch, labels).backward()
            optimizer.step()
        _finish(device)
        return Work(steps)

    return Contestant(turn, partial(_peak_bytes, device))


def _batches(network: str, device: torch.device) -> Callable[[], tuple[torch.Tensor, torch.Tensor]]:
    """Return a function that draws a batch on the device."""
    config = WORKLOADS[network].config
    train = random_dataset(WORKLOADS[network].input_shape).train
    images = torch.tensor(train.inputs.transpose(0, 3, 1, 2).copy(), device=device)
    labels = torch.tensor(train.targets.astype(np.int64), device=device)

    def draw() -> tuple[torch.Tensor, torch.Tensor]:
        indices = torch.randint(0, len(labels), (config.batch_size,), device=device)
        batch = augmented(images, indices) if config.augmentation == "cifar" else images[indices].float() / 255
        return batch, labels[indices]

    return draw


def _optimizer(network: str, parameters: Iterable[tuple[str, torch.Tensor]]) -> torch.optim.Optimizer:
    config, decayed = WORKLOADS[network].config, decayed_names(torch_network(network))
    groups: dict[bool, list[torch.Tensor]] = {True: [], False: []}
    for name, parameter in parameters:
        groups[name in decayed].append(parameter)
    with_decay: list[dict[str, Any]] = [
        {"params": groups[True], "weight_decay": config.weight_decay},
        {"params": groups[False]},
    ]
    return torch.optim.SGD(with_decay, lr=config.learning_rate)


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak_bytes(device: torch.device) -> int | None:
    return int(torch.cuda.max_memory_allocated(device)) if device.type == "cuda" else process_peak_bytes()
