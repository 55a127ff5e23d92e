"""Ways to train a population, each for a turn."""

import contextlib
import threading
from collections.abc import Callable
from dataclasses import replace
from pkgutil import resolve_name
from typing import Any

import jax
import numpy as np
import pytest

from benchmarks.contestant import Contestant
from benchmarks.measurement import Entry
from benchmarks.population import flax_ways, glojax_ways
from benchmarks.population_training import ON_DEVICES, ONE_BY_ONE, VMAPPED, Options, entries, plan_for, with_rates
from benchmarks.record import Case, Samples
from benchmarks.worker_process import WorkerFailure, WorkerProcess
from benchmarks.workloads import WORKLOADS
from glojax.training import decisive_settings, train_in_segments
from tests.benchmarks.records import record_of
from tests.linear_network import LinearNetwork

DIGITS: dict[str, Any] = {"network": "digits", "steps": 2}
IN_TORCH: dict[str, Any] = DIGITS | {"device": "cpu", "precision": "float32"}

CPU = {"platform": "cpu", "count": 1, "cores": 2, "precision": "float32"}
GPU = {"platform": "gpu", "count": 1, "cores": 16, "precision": "tf32"}


def planned(
    monkeypatch: pytest.MonkeyPatch, device: dict[str, Any], network: str = "digits", **options: Any
) -> list[Entry]:
    """Return the cases for a device, where all networks agree."""
    monkeypatch.setattr("benchmarks.population_training.call", lambda *_, **__: None)
    return entries(network, plan_for(Options(**options), device))


def test_a_population_trains_on_a_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORKLOADS, "digits", WORKLOADS["digits"]._replace(network=LinearNetwork))
    assert resolve_name(ON_DEVICES["glojax"])(**DIGITS, population=2, devices=1).turn().units == 4


def test_a_pool_trains_in_threads_with_the_precision_that_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    class Network(LinearNetwork):
        def __call__(self, images: jax.Array, *, dropout_key: jax.Array | None = None) -> jax.Array:
            seen.append((threading.current_thread(), decisive_settings()["jax_default_matmul_precision"]))
            return super().__call__(images)

    monkeypatch.setitem(WORKLOADS, "digits", WORKLOADS["digits"]._replace(network=Network))
    try:
        glojax_ways.device_pool(**DIGITS, population=2, devices=1, matmul_precision="highest").turn()
    finally:
        jax.config.update("jax_default_matmul_precision", None)
    assert {precision for thread, precision in seen if thread is not threading.main_thread()} == {"highest"}


def test_a_pool_trains_chunks_of_a_given_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORKLOADS, "digits", WORKLOADS["digits"]._replace(network=LinearNetwork))
    assert glojax_ways.device_pool(**DIGITS, population=2, devices=1, chunk_size=2).turn().units == 4


def test_chunks_that_did_not_fit_the_memory_are_not_called_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORKLOADS, "digits", WORKLOADS["digits"]._replace(network=LinearNetwork))
    sizes = []

    def train_in_little_memory(*arguments: Any, **named: Any) -> Any:
        sizes.append(arguments[-1])
        if sizes[-1] > 2:
            raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")
        return train_in_segments(*arguments, **named)

    monkeypatch.setattr("glojax.evaluation.block_training.train_in_segments", train_in_little_memory)
    with pytest.raises(RuntimeError, match="the memory holds 2 candidates at once, not 4"):
        glojax_ways.device_pool(**DIGITS, population=4, devices=1, chunk_size=4).turn()
    assert sizes == [4, 2]


def test_a_population_trains_over_a_mesh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WORKLOADS, "digits", WORKLOADS["digits"]._replace(network=LinearNetwork))
    # Here JAX has started already.
    monkeypatch.setattr(glojax_ways, "take_devices", lambda count: jax.local_devices()[:count])
    assert glojax_ways.shard_map(**DIGITS, population=2, devices=2).turn().units == 4


@pytest.mark.parametrize("way", [flax_ways.vmap_step, flax_ways.vmap_loop])
def test_a_plain_flax_population_trains(monkeypatch: pytest.MonkeyPatch, way: Callable[..., Contestant]) -> None:
    monkeypatch.setattr(flax_ways, "plain_network", lambda _, rngs: LinearNetwork(rngs))
    assert way(**DIGITS, population=2).turn().units == 4


def test_a_plain_flax_candidate_trains_in_a_loop_as_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flax_ways, "plain_network", lambda _, rngs: LinearNetwork(rngs))
    trained: list[Any] = []
    monkeypatch.setattr(jax, "block_until_ready", trained.append)
    for way in (flax_ways.sequential, flax_ways.sequential_loop):
        assert way(**DIGITS).turn().units == 2
    stepwise, looped = (jax.tree.leaves(state[0]) for state in trained)
    for ours, expected in zip(looped, stepwise, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-7)


def test_a_pytorch_population_trains() -> None:
    pytest.importorskip("torch")
    from benchmarks.population import torch_ways

    assert torch_ways.stacked(**IN_TORCH, population=2).turn().units == 4
    assert torch_ways.sequential(**IN_TORCH).turn().units == 2


def test_pytorch_without_a_gpu_does_not_train_on_one() -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("PyTorch has a GPU here")
    from benchmarks.population import torch_ways

    with pytest.raises((AssertionError, RuntimeError), match=r"CUDA|NVIDIA"):
        torch_ways.sequential(**DIGITS, device="cuda", precision="float32")


def test_graphs_are_asked_of_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    from benchmarks.population import torch_ways

    asked: list[dict[str, Any]] = []
    marks: list[None] = []

    def compile_nothing(function: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        asked.append(options)
        return function

    monkeypatch.setattr(torch, "compile", compile_nothing)
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", lambda: marks.append(None))
    assert torch_ways.compiled_graphs(**IN_TORCH).turn().units == 2
    assert asked == [{"mode": "reduce-overhead"}]
    assert len(marks) == 2


@pytest.mark.parametrize("precision", ["tf32", "float32"])
def test_pytorch_has_a_switch_for_matrices_and_one_for_convolutions(precision: str) -> None:
    torch = pytest.importorskip("torch")
    from benchmarks.population.torch_precision import float32_products, set_precision

    def switches() -> tuple[bool, bool]:
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    try:
        set_precision(precision)
        assert switches() == (precision == "tf32",) * 2
        with contextlib.suppress(ZeroDivisionError), float32_products():
            assert switches() == (False, False)
            _ = 1 / 0
        assert switches() == (precision == "tf32",) * 2
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]


def test_other_precisions_of_pytorch_are_refused() -> None:
    pytest.importorskip("torch")
    from benchmarks.population.torch_precision import set_precision

    with pytest.raises(ValueError, match=r"the precision is 'bf16'; expected"):
        set_precision("bf16")


def test_pytorch_processes_train() -> None:
    pytest.importorskip("torch")
    with WorkerProcess() as worker:
        request = {"function": "benchmarks.population.torch_ways:processes", "arguments": IN_TORCH | {"count": 1}}
        worker.ask({"do": "prepare", "case": 0} | request, 60)
        answer = worker.ask({"do": "turn", "case": 0}, 60)
    assert answer["units"] == 2
    assert answer["peak_memory_bytes"] is None or answer["peak_memory_bytes"] > 1e8


def test_the_plan_has_every_population_and_every_number_of_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    found = planned(monkeypatch, CPU, contestants=("glojax", "torch_processes"), devices=(1, 2))
    cases = [(entry.contestant, entry.parameters, entry.failure) for entry in found]
    expected = [("glojax", 1, 2), ("glojax", 4, 2), ("glojax", 4, 1), ("torch_processes", 2, 2)]
    assert cases == [
        (contestant, {"network": "digits", "population": population, "devices": devices}, None)
        for contestant, population, devices in expected
    ]


def test_glojax_has_chunks_of_several_sizes_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: dict[int, list[int | None]] = {}
    for entry in planned(monkeypatch, GPU, contestants=("glojax",), populations=(1, 16, 64, 128, 600)):
        if entry.precision == "tf32":
            sizes.setdefault(entry.parameters["population"], []).append(entry.arguments.get("chunk_size"))
        assert entry.parameters.get("chunk_size") == entry.arguments.get("chunk_size")
    chosen = {1: [], 16: [16], 64: [16, 64], 128: [16, 64, 128], 600: [16, 64, 128, 512]}
    assert sizes == {population: [None, *given] for population, given in chosen.items()}


def test_populations_are_larger_on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for device, expected in ((CPU, {1, 4}), (GPU, {1, 16, 64, 128})):
        found = planned(monkeypatch, device, contestants=("flax_vmap_loop",))
        assert {entry.parameters["population"] for entry in found} == expected


@pytest.mark.parametrize("contestant", Options().contestants)
def test_glojax_and_pytorch_are_also_timed_in_float32_on_a_gpu(
    monkeypatch: pytest.MonkeyPatch, contestant: Any
) -> None:
    by_precision: dict[str | None, list[dict[str, Any]]] = {}
    for entry in planned(monkeypatch, GPU, contestants=(contestant,)):
        by_precision.setdefault(entry.precision, []).append(entry.arguments)
    if contestant != "glojax" and not contestant.startswith("torch"):
        assert set(by_precision) == {"tf32"}
        return
    assert len(by_precision["tf32"]) == len(by_precision["float32"])
    for precision, in_jax in (("tf32", None), ("float32", "highest")):
        settings = (
            {"matmul_precision": in_jax} if contestant == "glojax" else {"device": "cuda", "precision": precision}
        )
        assert all(settings.items() <= arguments.items() for arguments in by_precision[precision])


def test_a_cpu_has_one_precision_and_no_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    found = planned(monkeypatch, CPU)
    assert {entry.precision for entry in found} == {"float32"}
    assert not any("chunk_size" in entry.parameters for entry in found)
    assert {entry.arguments.get("matmul_precision") for entry in found} == {None}
    assert {entry.arguments.get("device") for entry in found} == {None, "cpu"}


@pytest.mark.parametrize("device", [CPU, GPU])
def test_cases_differ_in_their_keys(monkeypatch: pytest.MonkeyPatch, device: dict[str, Any]) -> None:
    found = planned(monkeypatch, device)
    keys = {Case(entry.contestant, entry.parameters, precision=entry.precision).key for entry in found}
    assert len(keys) == len(found)


def test_graphs_are_left_out_on_a_cpu_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    failures = {
        device["platform"]: {
            entry.failure for entry in planned(monkeypatch, device, contestants=("torch_compile_graphs",))
        }
        for device in (CPU, GPU)
    }
    assert failures == {"cpu": {"CUDA graphs need a GPU"}, "gpu": {None}}


@pytest.mark.parametrize("contestant", ["flax_vmap_step", "flax_sequential_loop"])
def test_what_is_slow_on_a_cpu_has_few_steps_there_alone(monkeypatch: pytest.MonkeyPatch, contestant: Any) -> None:
    steps = [
        planned(monkeypatch, device, "mnist", contestants=(contestant,))[0].details["steps"] for device in (CPU, GPU)
    ]
    assert steps == [WORKLOADS["mnist"].few_steps, WORKLOADS["mnist"].gpu_steps]


def test_networks_that_differ_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    def differ(function: str, **_: str) -> None:
        raise WorkerFailure(f"{function} says so")

    monkeypatch.setattr("benchmarks.population_training.call", differ)
    options = Options(contestants=("glojax", "flax_vmap_loop", "torch_vmap"), populations=(1,), devices=(2,))
    failures = [entry.failure for entry in entries("digits", plan_for(options, CPU))]
    assert failures == [None, *(f"benchmarks.population.agreement:check_{name} says so" for name in ("flax", "torch"))]


@pytest.mark.parametrize(("platform", "physical"), [("cpu", 1), ("gpu", 4)])
def test_rates_are_those_of_a_physical_device(platform: str, physical: int) -> None:
    case = Case("glojax", {"devices": 4}, Samples((2.0,)), details={"gigaflop": 0.1}, precision="tf32")
    record = record_of({}, device={"platform": platform, "precision": "tf32"})
    details = with_rates(case, record).details
    assert details["candidate_steps_per_second_per_device"] == 500 / physical
    assert details["share_of_matrix_product"] == pytest.approx(500 / physical * 0.1 / 205, abs=1e-4)
    # The matrix product says nothing about another precision.
    assert "share_of_matrix_product" not in with_rates(replace(case, precision="float32"), record).details


def test_every_way_that_can_be_chosen_is_known() -> None:
    assert {*Options().contestants} == {*ON_DEVICES, *VMAPPED, *ONE_BY_ONE, "torch_processes"}
