"""Ways to train a population, each for a turn."""

from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any

import jax
import pytest

from benchmarks.contestant import Contestant
from benchmarks.population import flax_ways, glojax_ways
from benchmarks.population_training import ON_DEVICES, ONE_BY_ONE, VMAPPED, Options, entries, with_rates
from benchmarks.record import Case, Samples
from benchmarks.worker_process import WorkerFailure, WorkerProcess
from benchmarks.workloads import WORKLOADS
from tests.benchmarks.records import record_of
from tests.linear_network import LinearNetwork

DIGITS: dict[str, Any] = {"network": "digits", "steps": 2}


def test_a_population_trains_on_a_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORKLOADS, "digits", WORKLOADS["digits"]._replace(network=LinearNetwork))
    assert resolve_name(ON_DEVICES["glojax"])(**DIGITS, population=2, devices=1).turn().units == 4


def test_a_population_trains_over_a_mesh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORKLOADS, "digits", WORKLOADS["digits"]._replace(network=LinearNetwork))
    # Here JAX has started already.
    monkeypatch.setattr(glojax_ways, "take_devices", lambda count: jax.local_devices()[:count])
    assert glojax_ways.shard_map(**DIGITS, population=2, devices=2).turn().units == 4


@pytest.mark.parametrize("way", [flax_ways.vmap_step, flax_ways.vmap_loop])
def test_a_plain_flax_population_trains(monkeypatch: pytest.MonkeyPatch, way: Callable[..., Contestant]) -> None:
    monkeypatch.setattr(flax_ways, "plain_network", lambda _, rngs: LinearNetwork(rngs))
    assert way(**DIGITS, population=2).turn().units == 4


def test_a_pytorch_population_trains() -> None:
    pytest.importorskip("torch")
    from benchmarks.population import torch_ways

    assert torch_ways.stacked(**DIGITS, population=2).turn().units == 4
    assert torch_ways.sequential(**DIGITS).turn().units == 2


def test_pytorch_processes_train() -> None:
    pytest.importorskip("torch")
    with WorkerProcess() as worker:
        request = {"function": "benchmarks.population.torch_ways:processes", "arguments": DIGITS | {"count": 1}}
        worker.ask({"do": "prepare", "case": 0} | request, 60)
        answer = worker.ask({"do": "turn", "case": 0}, 60)
    assert answer["units"] == 2
    assert answer["peak_memory_bytes"] is None or answer["peak_memory_bytes"] > 1e8


def test_the_plan_has_every_population_and_every_number_of_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.population_training.call", lambda *_, **__: None)
    options = Options(contestants=("glojax", "torch_processes"), populations=(1, 4))
    cases = [(entry.contestant, entry.parameters, entry.failure) for entry in entries("digits", options, (1, 2), 2)]
    expected = [("glojax", 1, 2), ("glojax", 4, 2), ("glojax", 4, 1), ("torch_processes", 2, 2)]
    assert cases == [
        (contestant, {"network": "digits", "population": population, "devices": devices}, None)
        for contestant, population, devices in expected
    ]


def test_networks_that_differ_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    def differ(function: str, **_: str) -> None:
        raise WorkerFailure(f"{function} says so")

    monkeypatch.setattr("benchmarks.population_training.call", differ)
    options = Options(contestants=("glojax", "flax_vmap_loop", "torch_vmap"), populations=(1,))
    failures = [entry.failure for entry in entries("digits", options, (2,), 2)]
    assert failures == [None, *(f"benchmarks.population.agreement:check_{name} says so" for name in ("flax", "torch"))]


@pytest.mark.parametrize(("platform", "physical"), [("cpu", 1), ("gpu", 4)])
def test_rates_are_those_of_a_physical_device(platform: str, physical: int) -> None:
    case = Case("glojax", {"devices": 4}, Samples((2.0,)), details={"gigaflop": 0.1})
    details = with_rates(case, record_of({}, device={"platform": platform})).details
    assert details["candidate_steps_per_second_per_device"] == 500 / physical
    assert details["share_of_matrix_product"] == pytest.approx(500 / physical * 0.1 / 205, abs=1e-4)


def test_every_way_that_can_be_chosen_is_known() -> None:
    assert {*Options().contestants} == {*ON_DEVICES, *VMAPPED, *ONE_BY_ONE, "torch_processes"}
