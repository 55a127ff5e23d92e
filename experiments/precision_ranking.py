"""Whether losses rank alike when networks are trained in bf16 or tf32 instead of float32, on digits.

python -m experiments.precision_ranking
python -m experiments.precision_ranking --dataset mnist --steps 2000 --precisions bf16 tf32 --results FOLDER    # GPU

The paper does not have it: it trains in float32. A search needs the order of the losses alone, so a faster precision is
good enough for it if it changes the order no more than other seeds do.

The losses are those of the catalogue for classification and, up to `--losses`, random trees of other shapes that learn:
with a seed of its own, each of them reached an accuracy of `--learns` in float32. All train at the learning rate of the
data set's recipe. A loss ranks by its mean validation accuracy over `--seeds` seeds; in float32 there is a second set
of as many.

On a CPU, bf16 rounds the operands of convolutions alone, and tf32 is float32, so it is refused there. On a GPU,
products of dense layers are computed in both, too. The name of a record does not say where it was made, so the records
of a GPU need a folder of their own.

Ours: on a CPU, with 30 losses on digits, Spearman's rho of bf16 against float32 is 0.991 with the same seeds and 0.956
with others, where other seeds alone leave 0.953: bf16 changes the order less than they do. The losses differ widely,
which makes each rho high. There is no record of a GPU.

Time: about four minutes on two cores.
"""

import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import jax
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from scipy import stats

from experiments import script
from experiments.records import Records, read_record, record_of, write_record
from experiments.report import NOT_RUN, Report, table
from experiments.trainings import dataset_name
from glojax.errors import ConfigurationError
from glojax.evaluation import (
    Evaluator,
    FitnessRule,
    LocalEvaluator,
    TrainingJournal,
    checksum,
    decisive_versions,
    evaluate,
    platform,
    shape_of,
    training_devices,
)
from glojax.expressions import LossTree, canonical
from glojax.files import user_cache
from glojax.losses import CATALOG, PUBLISHED
from glojax.networks import NETWORKS
from glojax.search.progress import Display
from glojax.search.recipes import SHAPE_GENETIC
from glojax.strategies import NewShapes, RandomSearch
from glojax.training import config_record

#: Precisions that are faster than float32 on some device.
Reduced = Literal["bf16", "tf32"]

#: Losses that are classification's, in the catalogue's order.
STANDARD = {name: CATALOG[name] for name, loss in PUBLISHED.items() if loss.purpose == "classification"}

#: Validation accuracy from which on a random loss counts as one that learns.
LEARNS = 0.5

#: The seed with which random losses are drawn, and how often as many as are missing are drawn at most.
DRAWING_SEED, MAX_DRAWINGS = 0, 20


@dataclass(frozen=True, kw_only=True)
class Options(script.Options):
    """Options of the trainings."""

    dataset: str = "digits"
    """Data set: digits (built in), mnist, fashion_mnist, cifar10, or a path that ends in .npz."""

    losses: int = 30
    """Number of losses: those of the catalogue for classification, and random ones up to this number."""

    steps: int = 300
    """Steps of each training."""

    seeds: int = 3
    """Seeds of each loss in each precision; float32 takes as many again."""

    precisions: tuple[Reduced, ...] = ("bf16",)
    """Precisions to compare with float32: bf16 and, on a GPU, tf32."""

    def name(self, precision: str) -> str:
        """Return the path of the record of a precision, below the folder of the results and without suffix."""
        size = f"losses_{self.losses}_steps_{self.steps}_seeds_{self.seeds}"
        return f"precision_ranking/{dataset_name(self.dataset)}_{size}_{precision}"

    def rule(self, seeds: Sequence[int]) -> FitnessRule:
        """Return the rule by which a loss is trained with these seeds."""
        return FitnessRule(tuple(seeds), (self.learning_rate,), self.steps)


wanted = script.no_trainings


def measure(options: Options) -> None:
    """Train the losses in each precision that has no record yet."""
    devices = training_devices(options.devices)
    if "tf32" in options.precisions and devices[0].platform == "cpu":
        raise ConfigurationError("--precisions has tf32, which is float32 on a CPU; leave it out, or use a GPU.")
    if options.seeds < 1:
        raise ConfigurationError(f"--seeds is {options.seeds}; expected at least 1.")
    with Display(Console()) as display:
        for precision in ("float32", *options.precisions):
            if not _path(options, precision).exists():
                _measure(options, precision, devices, display)


def _path(options: Options, precision: str) -> Path:
    return options.results / f"{options.name(precision)}.json"


def _measure(options: Options, precision: Any, devices: Sequence[jax.Device], display: Display) -> None:
    """Train the losses in a precision, and write the record; a journal in the user's cache keeps what is done."""
    training = options.training("cross_entropy", options.steps)
    dataset = training.source(options.data_dir).load()
    config = replace(training.config, splits=("validation",), precision=precision)
    network = NETWORKS[training.network]
    journal = _journal_path(options, precision)
    started = time.perf_counter()
    evaluator = LocalEvaluator(
        *(network, dataset, config),
        devices=devices,
        journal=TrainingJournal(journal),
        on_training=display.on_training,
    )

    def accuracies(trees: Sequence[LossTree], seeds: Sequence[int]) -> list[tuple[LossTree, list[float]]]:
        display.start_phase(precision, len(trees) * len(seeds), "trainings", f"{len(trees)} losses")
        evaluations = evaluate(evaluator, trees, options.rule(seeds))
        return [(each.tree, each.scores("validation")) for each in evaluations]

    if precision == "float32":
        seeds = range(2 * options.seeds)
        found = accuracies([*STANDARD.values()], seeds)
        drawn = _draw(evaluator, options, dataset.num_outputs, options.losses - len(STANDARD), display)
        found += accuracies(drawn, seeds)
    else:
        seeds = range(options.seeds)
        losses = read_record(_path(options, "float32"))["outcome"]["losses"]
        found = accuracies([LossTree.parse(loss["expression"]) for loss in losses], seeds)
    outcome = {
        "seeds": [*seeds],
        "losses": [{"expression": str(tree), "validation": scores} for tree, scores in found],
    }
    fields = {
        "network": training.network,
        "config": config_record(config),
        "dataset": {"name": dataset.name, "fingerprint": dataset.fingerprint},
        "outcome": outcome,
    }
    command = ["python", "-m", "experiments.precision_ranking", "--dataset", options.dataset]
    command += [f"--losses={options.losses}", f"--steps={options.steps}", f"--seeds={options.seeds}"]
    command += ["--precisions", precision] if precision != "float32" else ["--precisions"]
    write_record(_path(options, precision), record_of(shlex.join(command), fields, time.perf_counter() - started))
    journal.unlink(missing_ok=True)


def _journal_path(options: Options, precision: str) -> Path:
    """Return the path of the journal, which no other code or machine shares."""
    identity = {"name": options.name(precision), "versions": decisive_versions(), "platform": platform()}
    path = user_cache() / "experiments" / f"precision_ranking_{checksum(identity)}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _draw(evaluator: Evaluator, options: Options, num_classes: int, number: int, display: Display) -> list[LossTree]:
    """Draw random losses of other shapes than the catalogue's and positive pull, until this number of them learn."""
    known_shape = partial(shape_of, num_classes=num_classes)
    is_new = NewShapes(known_shape, lambda tree: known_shape(tree).pull > 0)
    for tree in STANDARD.values():
        is_new(tree)
    strategy = RandomSearch(SHAPE_GENETIC, DRAWING_SEED, constraint=is_new)
    learning: list[LossTree] = []
    # A seed that is in neither set: no loss owes its rank to having been chosen by it.
    rule = options.rule([2 * options.seeds])
    for _ in range(MAX_DRAWINGS):
        if len(learning) >= number:
            break
        drawn = strategy.ask(number)
        display.start_phase("float32", len(drawn), "trainings", "random losses")
        learning += [each.tree for each in evaluate(evaluator, drawn, rule) if (each.fitness or 0) >= LEARNS]
    return learning[: max(number, 0)]


#: The mean validation accuracy of each loss, by its expression, over each set of seeds.
_Means = dict[str, NDArray[np.float64]]


def report(options: Options, records: Records) -> Report:
    found = {precision: records.search(options.name(precision)) for precision in ("float32", *get_args(Reduced))}
    means = {precision: _means(record, options.seeds) for precision, record in found.items() if record is not None}
    pairs = [("float32", "float32, other seeds", 0, 1)]
    for precision in get_args(Reduced):
        pairs += [(precision, "float32, same seeds", 0, 0), (precision, "float32, other seeds", 0, 1)]
    rows = [(first, against, *_cells(means, first, *sets)) for first, against, *sets in pairs]
    header = ("ranking in", "against", "Spearman's rho", "95 % interval", "mean difference in accuracy")
    text = (
        f"Rank correlation of losses by mean validation accuracy after {options.steps} steps on {options.dataset}, "
        f"{options.seeds} seeds a set.\n\n{table(header, rows)}\n"
        "The first row is the yardstick: what other seeds do to the ranking in float32. Interval: percentile bootstrap "
        "over the losses. A training that does not stay finite counts with an accuracy of 0. "
    )
    return Report(f"{text}{_remark(found, means)}\n")


def _means(record: Mapping[str, Any], seeds: int) -> _Means:
    losses = record["outcome"]["losses"]
    return {loss["expression"]: np.reshape(loss["validation"], (-1, seeds)).mean(axis=1) for loss in losses}


def _cells(means: Mapping[str, _Means], first: str, first_set: int, second_set: int) -> tuple[str, ...]:
    if not {first, "float32"} <= means.keys():
        return (NOT_RUN,) * 3
    expressions = [expression for expression in means["float32"] if expression in means[first]]
    ours = np.array([means[first][expression][first_set] for expression in expressions])
    theirs = np.array([means["float32"][expression][second_set] for expression in expressions])
    rho, low, high = rank_correlation(ours, theirs)
    return f"{rho:.3f}", f"{low:.3f} to {high:.3f}", f"{np.mean(ours - theirs):+.4f}"


def rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return Spearman's rho of two values of each loss, and the ends of its 95 % interval over the losses."""
    resampled = stats.bootstrap(
        (first, second), spearman, paired=True, method="percentile", rng=np.random.default_rng(0)
    )
    interval = resampled.confidence_interval
    return float(spearman(first, second)), float(interval.low), float(interval.high)


def spearman(first: NDArray[np.float64], second: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """Return Spearman's rho along an axis, with mean ranks for ties; NaN where all values are equal."""
    ranks = [stats.rankdata(values, axis=axis) for values in (first, second)]
    first, second = (each - each.mean(axis=axis, keepdims=True) for each in ranks)
    with np.errstate(invalid="ignore"):
        rho: NDArray[np.float64] = (first * second).sum(axis) / np.sqrt((first**2).sum(axis) * (second**2).sum(axis))
    return rho


def _remark(found: Mapping[str, Mapping[str, Any] | None], means: Mapping[str, _Means]) -> str:
    """Return sentences on the losses, and on the machines."""
    if "float32" not in means:
        return ""
    names = {str(canonical(tree)): name for name, tree in STANDARD.items()}
    num_random = len([expression for expression in means["float32"] if expression not in names])
    best = []
    for precision, each in means.items():
        expression = max(each, key=lambda expression: each[expression][0])
        best.append(f"{names.get(expression, f'`{expression}`')} in {precision}")
    devices = {precision: record["device"]["kind"] for precision, record in found.items() if record is not None}
    kinds = dict.fromkeys(devices.values())
    where = "; ".join(f"{', '.join(p for p in devices if devices[p] == kind)} on {kind}" for kind in kinds)
    return (
        f"{len(means['float32'])} losses, {num_random} of them random. The best loss with the first set of seeds: "
        f"{', '.join(best)}. Trained in {where}."
    )


main = partial(script.run_script, Options, wanted, report, __doc__, first=measure)


if __name__ == "__main__":
    script.start(main)
