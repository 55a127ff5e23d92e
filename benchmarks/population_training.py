"""The speed at which populations of different losses train, compared with other ways to train them.

    python -m benchmarks.population_training                    (PyTorch's part: pip install -e '.[bench]')
    python -m benchmarks.population_training --networks mnist --contestants glojax torch_sequential --rounds 7

Every way trains the same networks with the same losses, batch sizes and augmentation, on random images. The ways that
train one candidate after the other cost the same at any population: they are measured with one candidate, and their
compilation is that of one loss. Only glojax makes fresh parameters and measures accuracy within a turn.

    glojax                  `DevicePool`: devices take candidates from a queue, with one compiled program
    glojax_shard_map        `train_population` over a mesh
    flax_vmap_step          a plain Flax network under `jax.vmap`, one jitted step a call; losses are interpreted
    flax_vmap_loop          the same, all steps in one jitted loop
    flax_sequential         the plain network, one jitted step a call, compiled for each loss
    flax_sequential_loop    the same, all steps in one compiled loop
    torch_sequential        eager, on all cores
    torch_compile           network and loss under `torch.compile`, compiled for each loss
    torch_compile_graphs    the same, as CUDA graphs (`mode="reduce-overhead"`); on a GPU only
    torch_processes         one pinned process with one thread for each core (one for each GPU)
    torch_vmap              stacked parameters under `torch.func.vmap`

Before anything is timed, all networks must give the same logits and gradients for the same parameters and images, with
products in float32. What is timed computes products as JAX does by default, which on many GPUs is in TF32. There,
glojax and PyTorch are also timed in float32, glojax with chunks of several sizes, and each contestant has its turns
alone, as not all fit the memory at once.
"""

from collections.abc import Iterator, Mapping
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
    "flax_sequential_loop",
    "torch_sequential",
    "torch_compile",
    "torch_compile_graphs",
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
    "flax_sequential_loop": f"{WAYS}.flax_ways:sequential_loop",
    "torch_sequential": f"{WAYS}.torch_ways:sequential",
    "torch_compile": f"{WAYS}.torch_ways:compiled",
    "torch_compile_graphs": f"{WAYS}.torch_ways:compiled_graphs",
}

#: Those that take a hundred times as long on a CPU, and have fewer steps there.
SLOW_ON_CPU = ("flax_vmap_step", "flax_vmap_loop", "flax_sequential_loop")


@dataclass(frozen=True)
class Options:
    """Options of the measurement. The default takes about 30 minutes on two cores.

    There a network has 20 cases; on one GPU it has 50.
    """

    networks: tuple[NetworkName, ...] = get_args(NetworkName)
    contestants: tuple[ContestantName, ...] = get_args(ContestantName)
    populations: tuple[int, ...] | None = None
    """Sizes of populations; None for 1 and 4 on a CPU, and 1, 16, 64 and 128 elsewhere. glojax trains each on all cores
    or GPUs, and the largest on all numbers of devices."""

    chunk_sizes: tuple[int, ...] | None = None
    """Numbers of candidates that a device trains at once, besides glojax's own choice; None for no other on a CPU, and
    16, 64, 128 and 512 elsewhere. Those above the size of a population are left out."""

    devices: tuple[int, ...] | None = None
    """Numbers of devices, virtual ones on a CPU; None for 1, 2, 4 and as many as there are cores, or as GPUs allow."""

    turns: Annotated[Turns, tyro.conf.arg(name="")] = field(default_factory=lambda: Turns(rounds=3))


def main(options: Options) -> None:
    """Measure, print, and write `results/population_training.json`."""
    device = call("benchmarks.machine:device")
    plan = plan_for(options, device)
    record = measure(
        "population_training",
        [entries(network, plan) for network in options.networks],
        unit="milliseconds a candidate-step",
        unit_seconds=1e-3,
        configuration={
            "networks": options.networks,
            "contestants": options.contestants,
            "populations": plan.populations,
            "chunk_sizes": plan.chunk_sizes,
            "devices": plan.devices,
        },
        turns=options.turns,
        alternating=plan.on_cpu,
    )
    save(replace(record, cases=[with_rates(case, record) for case in record.cases]))


@dataclass(frozen=True)
class Plan:
    """The options for one machine.

    Attributes:
        contestants: Names of the contestants.
        populations: Sizes of populations.
        chunk_sizes: Sizes of glojax's chunks, besides its own choice.
        devices: Numbers of devices, for the largest population.
        here: Number of cores, or of GPUs.
        on_cpu: Whether the device is a CPU.
        precision: The precision of products that JAX has by default.
    """

    contestants: tuple[ContestantName, ...]
    populations: tuple[int, ...]
    chunk_sizes: tuple[int, ...]
    devices: tuple[int, ...]
    here: int
    on_cpu: bool
    precision: str

    @property
    def torch_device(self) -> str:
        """PyTorch's name of the device."""
        return "cpu" if self.on_cpu else "cuda"


def plan_for(options: Options, device: Mapping[str, Any]) -> Plan:
    """Return the options with the defaults of a device, as `benchmarks.machine.device` describes it."""
    on_cpu = device["platform"] == "cpu"
    here = device["cores"] if on_cpu else device["count"]
    chunk_sizes = options.chunk_sizes
    if chunk_sizes is None:
        chunk_sizes = () if on_cpu else (16, 64, 128, 512)
    return Plan(
        contestants=options.contestants,
        populations=options.populations or ((1, 4) if on_cpu else (1, 16, 64, 128)),
        chunk_sizes=chunk_sizes,
        devices=options.devices or tuple(sorted({n for n in (1, 2, 4, here) if on_cpu or n <= here})),
        here=here,
        on_cpu=on_cpu,
        precision=device["precision"],
    )


def entries(network: str, plan: Plan) -> list[Entry]:
    """Return the cases of a network."""
    workload = WORKLOADS[network]
    reasons = {framework: disagreement(network, framework, plan) for framework in ("flax", "torch")}
    cases: list[Entry] = []
    for contestant in plan.contestants:
        framework = contestant.split("_", maxsplit=1)[0]
        both = contestant == "glojax" or framework == "torch"
        precisions = dict.fromkeys((plan.precision, "float32") if both else (plan.precision,))
        failure = reasons.get(framework)
        if contestant == "torch_compile_graphs" and plan.on_cpu:
            failure = "CUDA graphs need a GPU"
        steps = workload.config.num_steps if plan.on_cpu else workload.gpu_steps
        if contestant in SLOW_ON_CPU and plan.on_cpu:
            steps = workload.few_steps
        details = {"steps": steps, "batch_size": workload.config.batch_size, "gigaflop": workload.gigaflop}
        for parameters, function, arguments in _ways(contestant, plan):
            for precision in precisions:
                # JAX has its default precision unless it is told another.
                in_jax = {"matmul_precision": None if precision == plan.precision else "highest"}
                in_torch = {"device": plan.torch_device, "precision": precision}
                settings = in_torch if framework == "torch" else in_jax if contestant == "glojax" else {}
                cases.append(
                    Entry(
                        contestant,
                        {"network": network} | parameters,
                        function,
                        {"network": network, "steps": steps} | arguments | settings,
                        details=details,
                        failure=failure,
                        precision=precision,
                    )
                )
    return cases


def _ways(contestant: str, plan: Plan) -> Iterator[tuple[dict[str, Any], str, dict[str, Any]]]:
    """Yield the parameters of each case of a contestant, and the function with the arguments that makes it."""
    here, largest = plan.here, max(plan.populations)
    if contestant in ON_DEVICES:
        counts = [(population, here) for population in plan.populations]
        counts += [(largest, devices) for devices in plan.devices if devices != here]
        for population, devices in counts:
            numbers = {"population": population, "devices": devices}
            yield numbers, ON_DEVICES[contestant], numbers
            if contestant == "glojax":
                for chunk_size in plan.chunk_sizes:
                    if chunk_size <= population:
                        chunked = numbers | {"chunk_size": chunk_size}
                        yield chunked, ON_DEVICES[contestant], chunked
    elif contestant in VMAPPED:
        for population in plan.populations:
            yield {"population": population, "devices": 1}, VMAPPED[contestant], {"population": population}
    elif contestant == "torch_processes":
        yield {"population": here, "devices": here}, f"{WAYS}.torch_ways:processes", {"count": here}
    else:
        yield {"population": 1, "devices": 1}, ONE_BY_ONE[contestant], {}


def with_rates(case: Case, record: Record) -> Case:
    """Return the case with the rates that follow from its median.

    Rates are those of a physical device: a GPU, or the processor with all its virtual devices. There is no share of the
    matrix product for a case that computes products in another precision.
    """
    median, product = case.samples.median, record.matrix_product_gflops.median
    if median is None or product is None:
        return case
    physical = 1 if record.device["platform"] == "cpu" else case.parameters["devices"]
    steps_per_second = 1000 / median / physical
    rates = {"candidate_steps_per_second_per_device": round(steps_per_second, 3)}
    if case.precision == record.device["precision"]:
        rates["share_of_matrix_product"] = round(steps_per_second * case.details["gigaflop"] / product, 4)
    return replace(case, details={**case.details, **rates})


def disagreement(network: str, framework: str, plan: Plan) -> str | None:
    """Return why a framework is not timed; None if it agrees with glojax, or is not among the contestants."""
    if not any(contestant.startswith(framework) for contestant in plan.contestants):
        return None
    arguments = {"device": plan.torch_device} if framework == "torch" else {}
    try:
        call(f"{WAYS}.agreement:check_{framework}", network=network, **arguments)
    except WorkerFailure as failure:
        return str(failure)
    return None


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
