"""Is glojax right and fast on this machine's GPUs? A table and a record, in some minutes, without a network.

    make gpu-check
    python -m benchmarks.gpu_check --parts layers steps

    layers        convolutions by our kernels and by the library, and their gradients, against `highest` precision
    steps         the three networks by either; the faster one is remembered for this kind of GPU
    search        a search on digits, and one on random images of MNIST's shape: where their time goes
    population    the trainer of MNIST's network against other ways (all ways: `benchmarks.population_training`)
    devices       the same scores on one GPU and on two, where there are two
    resume        a search that is interrupted and resumed against one that is not

Without a GPU, all of it runs in small on the CPU, and what it measures there means nothing.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import tyro
from rich.console import Console
from rich.table import Table

from benchmarks import population_training
from benchmarks.gpu_parts import LAYERS
from benchmarks.measurement import Turns, call, complete_record, measure
from benchmarks.record import RESULTS, Case, Record, Samples
from benchmarks.worker_process import WorkerFailure

Part = Literal["layers", "steps", "search", "population", "devices", "resume"]
HERE = "benchmarks.gpu_parts"

#: Lowerings and precisions that are compared: our kernels, and the library's convolutions.
WAYS = (("implicit", "tf32"), ("implicit", "bf16"), ("grouped", "tf32"))

#: Largest error of features, and of gradients where nothing is pooled: pooled ones differ where pixels are close.
TOLERANCE = {"tf32": 2e-3, "bf16": 1e-2}
POOLED_TOLERANCE = 0.1

#: Candidates at once, and steps, of each network on a GPU.
SIZES = {"digits": (512, 300), "mnist": (64, 60), "cifar": (8, 8)}

#: Options of a small search on digits.
SEARCH = (
    *("discover", "--dataset", "digits", "--preset", "paper", "--steps", "20", "--generations", "3"),
    *("--population-size", "20", "--initial-losses", "x * log(y)", "--finalists", "2", "--finalist-seeds", "2"),
)


@dataclass(frozen=True)
class Options:
    """Options of the check."""

    parts: tuple[Part, ...] = get_args(Part)
    """What is checked."""


def main(options: Options) -> None:
    """Check, print a table, and write `results/gpu_check.json`."""
    console = Console()
    device = call("benchmarks.machine:device")
    on_gpu = device["platform"] != "cpu"
    kind = f"{device['count']} x {device['kind']}" if on_gpu else "the CPU, in small: times mean nothing"
    console.print(f"Checking {kind}.")
    table = Table("check", "case", "microseconds", "what else", "ok")
    cases: list[Case] = []
    # What takes no times can be checked at the same time.
    untimed = [part for part in options.parts if part in UNTIMED]
    with console.status(", ".join(untimed)), ThreadPoolExecutor() as threads:
        checked = dict(zip(untimed, threads.map(lambda part: list(PARTS[part](on_gpu, device)), untimed), strict=True))
    for part in options.parts:
        with console.status(part):
            for case in checked[part] if part in checked else PARTS[part](on_gpu, device):
                cases.append(case)
                details = ", ".join(f"{name} {_short(value)}" for name, value in case.details.items())
                time = "" if case.samples.median is None else f"{case.samples.median:.4g}"
                parameters = " ".join(map(str, case.parameters.values()))
                table.add_row(
                    case.contestant, parameters, time, case.failure or details, "no" if case.failure else "yes"
                )
    console.print(table)
    record = complete_record("gpu_check", cases, "microseconds", {"parts": options.parts, "on_gpu": on_gpu})
    path = RESULTS / "gpu_check.json"
    record.write(path)
    console.print(f"Record: {path}")
    if any(case.failure for case in cases):
        raise SystemExit(1)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _cases(check: str, parameters: list[dict[str, Any]], function: str, **arguments: Any) -> list[Case]:
    """Call a part that answers for several cases: its microseconds are samples, all else but failures are details."""
    try:
        answers = call(f"{HERE}:{function}", **arguments)
    except WorkerFailure as error:
        answers = [{"failure": str(error)} for _ in parameters]
    cases = []
    for own, answer in zip(parameters, answers, strict=True):
        samples, failure = Samples(tuple(answer.pop("microseconds", ()))), answer.pop("failure", None)
        cases.append(Case(check, own, samples, failure=failure, details=answer))
    return cases


def _case(check: str, parameters: dict[str, Any], function: str, **arguments: Any) -> Case:
    """Call a part that answers for one case."""
    (case,) = _cases(check, [parameters], function, **arguments)
    return case


def layers(on_gpu: bool, device: dict[str, Any]) -> Iterator[Case]:
    """Check values and gradients of all lowerings."""
    names = tuple(LAYERS) if on_gpu else ("mnist 1", "digits 2")
    pairs = list(itertools.product(names, WAYS))
    parameters = [{"layer": name, "lowering": way[0], "precision": way[1]} for name, way in pairs]
    sizes = {"P": 4, "B": 32} if on_gpu else {"P": 2, "B": 4}
    for case in _cases("layers", parameters, "layers", names=names, ways=WAYS, **sizes):
        yield case if case.failure else replace(case, failure=_inaccuracy(case))


def _inaccuracy(case: Case) -> str | None:
    """Return what is wrong with a layer; None if it is right."""
    *_, is_pooled = LAYERS[case.parameters["layer"]]
    tolerance = TOLERANCE[case.parameters["precision"]]
    features, *gradients = case.details["errors"]
    limit = POOLED_TOLERANCE if is_pooled else tolerance
    if features <= tolerance and all(error <= limit for error in gradients):
        return None
    errors = " ".join(f"{error:.1e}" for error in (features, *gradients))
    return f"errors {errors} against highest precision; expected {tolerance}, and {limit} of gradients"


def steps(on_gpu: bool, device: dict[str, Any]) -> Iterator[Case]:
    """Measure steps of the networks, and remember the fastest lowering of each."""
    ways = WAYS
    for network, (P, num_steps) in SIZES.items() if on_gpu else [("digits", (4, 10))]:
        parameters = [{"network": network, "lowering": way[0], "precision": way[1], "P": P} for way in ways]
        cases = _cases("steps", parameters, "steps", network=network, ways=ways, P=P, num_steps=num_steps)
        yield from cases
        medians = {case.parameters["lowering"]: case.samples.median for case in cases if case is not cases[1]}
        medians = {lowering: median for lowering, median in medians.items() if median is not None}
        if on_gpu and medians:
            fastest = call(f"{HERE}:remember", network=network, microseconds=medians)
            yield Case("fastest", {"network": network}, details={"lowering": fastest})


def search(on_gpu: bool, device: dict[str, Any]) -> Iterator[Case]:
    """Measure where the time of a search goes."""
    sizes = {"digits": (300, 80, 4), "mnist": (300, 80, 3)} if on_gpu else {"digits": (10, 12, 2)}
    for network, (num_steps, population, generations) in sizes.items():
        arguments = {"num_steps": num_steps, "population": population, "generations": generations}
        yield _case("search", {"network": network} | arguments, "search", network=network, **arguments, chunk_size=None)


def population(on_gpu: bool, device: dict[str, Any]) -> Iterator[Case]:
    """Compare the trainer with the other ways."""
    networks: Any = ("mnist",) if on_gpu else ("digits",)
    contestants: Any = ("glojax", "flax_vmap_loop", "torch_vmap") if on_gpu else ("glojax",)
    turns = Turns(rounds=1, case_seconds=10, turn_seconds=20, first_turn_seconds=40)
    options = population_training.Options(networks, contestants, (64,) if on_gpu else (2,), (), (1,), turns)
    plan = population_training.plan_for(options, device)
    record: Record = measure(
        "population_training",
        [population_training.entries(network, plan) for network in networks],
        unit="microseconds a candidate-step",
        unit_seconds=1e-6,
        configuration={},
        turns=turns,
        alternating=plan.on_cpu,
    )
    for case in record.cases:
        # What is not installed is no failure of glojax.
        is_ours = case.contestant.startswith("glojax")
        yield case if is_ours or not case.failure else replace(case, details={"left out": case.failure}, failure=None)


def devices(on_gpu: bool, device: dict[str, Any]) -> Iterator[Case]:
    """Compare scores on one device and on two."""
    if device["count"] < 2 and on_gpu:
        yield Case("devices", {}, details={"left out": "there is one GPU"})
        return
    try:
        chunk_size = None if on_gpu else 4
        one, two = (call(f"{HERE}:fitness_on_devices", num_devices=number, chunk_size=chunk_size) for number in (1, 2))
    except WorkerFailure as failure:
        yield Case("devices", {}, failure=str(failure))
        return
    yield Case("devices", {}, failure=None if one == two else f"scores are {one} on one device and {two} on two")


def resume(on_gpu: bool, device: dict[str, Any]) -> Iterator[Case]:
    """Interrupt and resume a search."""
    case = _case("resume", {}, "resumed_search", options=SEARCH)
    if case.failure is None and not case.details["same"]:
        case = replace(case, failure="a search that was resumed found another loss")
    yield case


UNTIMED = ("layers", "devices", "resume")

PARTS: dict[str, Callable[[bool, dict[str, Any]], Iterable[Case]]] = {
    "layers": layers,
    "steps": steps,
    "search": search,
    "population": population,
    "devices": devices,
    "resume": resume,
}


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
