"""A loss found on MNIST, and the verdict on it after ten times as many steps.

python -m experiments.longer_verdict

The paper trains what it found after 2,000 steps for 20,000, at one learning rate for all losses.

Ours: one search for shapes with trainings of 2,000 steps; then the loss that it found, cross-entropy, Baikal and
BaikalCMA have their own best rates found anew at each length. The network is a small one of dense layers, `SmallMLP`,
for which two cores suffice; `--network MnistCNN` takes the paper's, which is for a GPU.

Time: an hour on two cores.
"""

import time
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import dacite

from experiments import script
from experiments.entrants import Entrant, at_best, compared, swept
from experiments.records import Records, record_of, write_record
from experiments.report import NOT_RUN, Report, table, verdict_in_words
from experiments.searches import record_search
from experiments.tasks import open_task
from experiments.trainings import PAPER_LOSSES
from glojax.expressions import LossTree
from glojax.files import user_cache
from glojax.losses import CATALOG
from glojax.search.comparison import ComparedLoss, Comparison
from glojax.search.rates import RIVAL, normalised_rate
from glojax.search.verdict import Verdict, judge


@dataclass(frozen=True, kw_only=True)
class Options(script.Options):
    """Options of the search and of the comparisons."""

    network: str = "SmallMLP"
    """Network: SmallMLP, MnistCNN or one of your own."""

    seed: int = 0
    """Seed of the search."""

    steps: int = 2000
    """Steps of a training in the search."""

    longer: int = 10
    """Times as many steps in the second comparison."""

    seeds: int = 10
    """Fresh seeds of the test accuracies."""

    @property
    def task(self) -> tuple[str, ...]:
        """Options of `python -m glojax.search`."""
        return ("--dataset", self.dataset, "--network", self.network, "--steps", str(self.steps))

    @property
    def name(self) -> str:
        """The path of the search's record, below the folder of the results and without suffix."""
        return f"longer_verdict/{self.dataset}_{self.network}_steps_{self.steps}_seed_{self.seed}"


wanted = script.no_trainings


def search(options: Options) -> None:
    arguments = (*options.task, "--seed", str(options.seed))
    record_search(options, options.name, ("python", "-m", "glojax.search", *arguments), arguments)
    path = options.results / f"{options.name}_longer.json"
    record = Records(options.results).search(options.name)
    if path.exists() or record is None:
        return
    started = time.perf_counter()
    journal = user_cache() / "experiments" / f"{options.name}_longer" / "trainings.jsonl"
    task = open_task(options.task, options.seed, options.data_dir, options.devices, journal)
    result, steps = record["outcome"]["result"], options.longer * options.steps
    rates = {loss["name"]: loss["learning_rate"] for loss in result["comparison"]}
    entrants = {"found": Entrant(LossTree.parse(result["expression"]), result["learning_rate"])}
    for name in PAPER_LOSSES:
        rate = normalised_rate(rates[RIVAL], CATALOG[name], task.dataset.num_outputs, task.options.training)
        entrants[name] = Entrant(CATALOG[name], rates.get(name, rate))
    entrants = at_best(entrants, swept(task, entrants, steps))
    losses = [asdict(one) for one in compared(task, entrants, steps, options.seeds)]
    fields = {"search": options.name, "task": list(options.task), "outcome": {"steps": steps, "losses": losses}}
    command = f"python -m experiments.longer_verdict --network {options.network} --seed {options.seed}"
    write_record(path, record_of(command, fields, time.perf_counter() - started))
    journal.unlink()


def report(options: Options, records: Records) -> Report:
    first, second = records.search(options.name), records.search(f"{options.name}_longer")
    if first is None:
        return Report(f"{NOT_RUN.capitalize()}.\n")
    result = first["outcome"]["result"]
    at_first = {loss["name"]: loss for loss in result["comparison"]}
    names = ("found", *PAPER_LOSSES)
    own = {"found": result["comparison"][0]} | {name: at_first[name] for name in PAPER_LOSSES}
    columns = [{name: _cells(one, verdict) for name, one, verdict in _judged(own)}]
    if second is not None:
        later = {loss["name"]: loss for loss in second["outcome"]["losses"]}
        columns.append({name: _cells(one, verdict) for name, one, verdict in _judged(later)})
    rows = [(name, *(cell for column in columns for cell in column[name])) for name in names]
    lengths = (options.steps, options.longer * options.steps)[: len(columns)]
    header = [f"{what}, {steps:,} steps" for steps in lengths for what in ("rate", "test", "found minus this")]
    counts = result["search"]
    return Report(
        f"Found: `{result['expression']}`, after {counts['candidates']} shapes in {counts['candidate_steps']:,} "
        f"candidate-steps.\n\n{table(('loss', *header), rows)}\n"
        "In brackets: 95 % interval, and Welch's p, corrected for three comparisons.\n"
    )


def _judged(losses: dict[str, dict[str, Any]]) -> list[tuple[str, dict[str, Any], Verdict | None]]:
    """Return each loss with the verdict on the found one against it."""
    named = [dacite.from_dict(ComparedLoss, loss | {"name": name}) for name, loss in losses.items()]
    verdicts = {one.against: one for one in judge(Comparison.of(named), "found", PAPER_LOSSES, "accuracy")}
    return [(name, loss, verdicts.get(name)) for name, loss in losses.items()]


def _cells(loss: dict[str, Any], verdict: Verdict | None) -> tuple[str, str, str]:
    return f"{loss['learning_rate']:.3g}", f"{loss['test']['mean']:.4f}", verdict_in_words(verdict)


main = partial(script.run_script, Options, wanted, report, __doc__, first=search)


if __name__ == "__main__":
    script.start(main)
