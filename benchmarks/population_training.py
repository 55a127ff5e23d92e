"""The speed at which populations of different losses train, compared with other ways to train them.

    python -m benchmarks.population_training                    (PyTorch's part: pip install -e '.[bench]')
    python -m benchmarks.population_training --networks mnist --contestants glojax torch_sequential --rounds 7

Every way trains the same networks with the same losses, batch sizes and augmentation, on random images. The ways that
train one candidate after the other cost the same at any population: they are measured with one candidate, and their
compilation is that of one loss. Only glojax makes fresh parameters and measures accuracy within a turn.

    glojax              `DevicePool`: devices take candidates from a queue, with one compiled program
    glojax_shard_map    `train_population` over a mesh
    flax_vmap_step      a plain Flax network under `jax.vmap`, one jitted step a call; losses are interpreted
    flax_vmap_loop      the same, all steps in one jitted loop
    flax_sequential     the plain network, one jitted step a call, compiled for each loss
    torch_sequential    eager, on all cores
    torch_compile       network and loss under `torch.compile`, compiled for each loss
    torch_processes     one pinned process with one thread for each core (one for each GPU)
    torch_vmap          stacked parameters under `torch.func.vmap`

Before anything is timed, all networks must give the same logits and gradients for the same parameters and images.
"""

from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal, get_args

import tyro

from benchmarks.measurement import Entry, Turns, call, measure, save
from benchmarks.record import Case, Record
from benchmarks.worker_process import WorkerFailure
from benchmarks.workloads import WORKLOADS

NetworkName = Literal["digits", "mnist", "cifar"]
ContestantName = Literal[
    "glojax",
    "glojax_shard_map",
    "flax_vmap_step",
    "flax_vmap_loop",
    "flax_sequential",
    "torch_sequential",
    "torch_compile",
    "torch_processes",
    "torch_vmap",
]

WAYS = "benchmarks.population"

#: The functions that make the contestants that use several devices.
ON_DEVICES = {"glojax": f"{WAYS}.glojax_ways:device_pool", "glojax_shard_map": f"{WAYS}.glojax_ways:shard_map"}

#: Those that train a population at once, on one device.
VMAPPED = {
    "flax_vmap_step": f"{WAYS}.flax_ways:vmap_step",
    "flax_vmap_loop": f"{WAYS}.flax_ways:vmap_loop",
    "torch_vmap": f"{WAYS}.torch_ways:stacked",
}

ONE_BY_ONE = {
    "flax_sequential": f"{WAYS}.flax_ways:sequential",
    "torch_sequential": f"{WAYS}.torch_ways:sequential",
    "torch_compile": f"{WAYS}.torch_ways:compiled",
}


@dataclass(frozen=True)
class Options:
    """Options of the measurement. The default takes about 25 minutes on two cores."""

    networks: tuple[NetworkName, ...] = get_args(NetworkName)
    contestants: tuple[ContestantName, ...] = get_args(ContestantName)
    populations: tuple[int, ...] = (1, 4)
    """Sizes of populations. glojax trains each on all cores or GPUs, and the largest on all numbers of devices."""

    devices: tuple[int, ...] | None = None
    """Numbers of devices, virtual ones on a CPU; None for 1, 2, 4 and as many as there are cores, or as GPUs allow."""

    turns: Annotated[Turns, tyro.conf.arg(name="")] = field(default_factory=lambda: Turns(rounds=3))


def main(options: Options) -> None:
    """Measure, print, and write `results/population_training.json`."""
    device = call("benchmarks.machine:device")
    on_cpu = device["platform"] == "cpu"
    here = device["cores"] if on_cpu else device["count"]
    numbers = options.devices or tuple(sorted({n for n in (1, 2, 4, here) if on_cpu or n <= here}))
    record = measure(
        "population_training",
        [entries(network, options, numbers, here) for network in options.networks],
        unit="milliseconds a candidate-step",
        unit_seconds=1e-3,
        configuration={
            "networks": options.networks,
            "contestants": options.contestants,
            "populations": options.populations,
            "devices": numbers,
        },
        turns=options.turns,
    )
    save(replace(record, cases=[with_rates(case, record) for case in record.cases]))


def entries(network: str, options: Options, device_numbers: tuple[int, ...], here: int) -> list[Entry]:
    """Return the cases of a network.

    Args:
        network: The name of the network.
        options: Options of the measurement.
        device_numbers: Numbers of devices, for the largest population.
        here: Number of cores, or of GPUs.
    """
    workload = WORKLOADS[network]
    reasons = {framework: disagreement(network, framework, options) for framework in ("flax", "torch")}
    largest = max(options.populations)
    cases: list[Entry] = []

    def add(contestant: str, population: int, devices: int, function: str, arguments: dict[str, Any]) -> None:
        cases.append(
            Entry(
                contestant,
                {"network": network, "population": population, "devices": devices},
                function,
                {"network": network} | arguments,
                details={
                    "steps": arguments["steps"],
                    "batch_size": workload.config.batch_size,
                    "gigaflop": workload.gigaflop,
                },
                failure=reasons.get(contestant.split("_", maxsplit=1)[0]),
            )
        )

    steps = {"steps": workload.config.num_steps}
    for contestant in options.contestants:
        if contestant in ON_DEVICES:
            counts = [(population, here) for population in options.populations]
            counts += [(largest, devices) for devices in device_numbers if devices != here]
            for population, devices in counts:
                arguments = steps | {"population": population, "devices": devices}
                add(contestant, population, devices, ON_DEVICES[contestant], arguments)
        elif contestant in VMAPPED:
            for population in options.populations:
                slow = contestant.startswith("flax")
                arguments = {"population": population, "steps": workload.few_steps if slow else steps["steps"]}
                add(contestant, population, 1, VMAPPED[contestant], arguments)
        elif contestant == "torch_processes":
            add(contestant, here, here, f"{WAYS}.torch_ways:processes", steps | {"count": here})
        else:
            add(contestant, 1, 1, ONE_BY_ONE[contestant], steps)
    return cases


def with_rates(case: Case, record: Record) -> Case:
    """Return the case with the rates that follow from its median.

    Rates are those of a physical device: a GPU, or the processor with all its virtual devices.
    """
    median, product = case.samples.median, record.matrix_product_gflops.median
    if median is None or product is None:
        return case
    physical = 1 if record.device["platform"] == "cpu" else case.parameters["devices"]
    steps_per_second = 1000 / median / physical
    rates = {
        "candidate_steps_per_second_per_device": round(steps_per_second, 3),
        "share_of_matrix_product": round(steps_per_second * case.details["gigaflop"] / product, 4),
    }
    return replace(case, details={**case.details, **rates})


def disagreement(network: str, framework: str, options: Options) -> str | None:
    """Return why a framework is not timed; None if it agrees with glojax, or is not among the contestants."""
    if not any(contestant.startswith(framework) for contestant in options.contestants):
        return None
    try:
        call(f"benchmarks.population.agreement:check_{framework}", network=network)
    except WorkerFailure as failure:
        return str(failure)
    return None


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
