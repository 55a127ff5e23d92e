"""The search for shapes as a command, with a pool that trains nothing."""

import contextlib
import io
import json
import shutil
from html import unescape
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from glojax.evaluation import Trained, Training, shape_of
from glojax.expressions import LossTree
from glojax.losses import CATALOG, PUBLISHED
from glojax.search import opening
from glojax.search.__main__ import main
from glojax.search.recipes import SHAPE_GENETIC
from glojax.search.saved_run import load_run
from glojax.training import TrainResult
from tests.crash.run_folders import contents
from tests.evaluation.fake_pool import FakePool, scalar_result
from tests.isolation import data_root  # noqa: F401
from tests.search.event_files import scalars
from tests.search.fakes import leave_empty_pictures

SEARCH = (
    *("--population-size", "20", "--generations", "2", "--finalists", "3", "--finalist-seeds", "2", "--seed", "40"),
    *("--tuning.generations", "2", "--seeds", "3", "--devices", "1", "--control", "--run-dir", "run"),
)


_NAMES = ["cross_entropy", "label_smoothing", "generalized_cross_entropy", "baikal", "baikal_cma"]
_STANDARD = [shape_of(CATALOG[name], 10).fingerprint for name in _NAMES]


def is_better(tree: LossTree) -> bool:
    """Return whether a shape is better than the standard ones: a quarter of all are."""
    fingerprint = shape_of(tree, 10).fingerprint
    return fingerprint not in _STANDARD and int(fingerprint, 16) % 4 == 0


def trained(training: Training) -> TrainResult:
    """The best rate of each loss is where its first step is that of cross-entropy at 0.44."""
    steps, _, splits = training.context.partition(" ")
    step = training.learning_rate * max(shape_of(training.tree, 10).pull, 1e-6)
    distance = min(abs(np.log(step / 0.4)), 3.0)
    score = (0.9 if steps == "200" else 0.5) + 0.02 * is_better(training.tree) - 0.1 * float(distance)
    measured = ("validation", "test") if "test" in splits else ("validation",)
    return scalar_result(round(score + training.seed / 1e4, 6), steps=int(steps), splits=measured)


class EndingPool(FakePool):
    """Is interrupted after so many trainings."""

    def __init__(self, last: int) -> None:
        super().__init__(trained)
        self._left = iter(range(last))

    def wait(self) -> list[Trained]:
        if next(self._left, None) is None:
            raise KeyboardInterrupt
        return super().wait()


class Pools(list[FakePool]):
    """The pool of each run; those that are added beforehand serve first."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = count()

    def use(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        """Let runs, in a folder, have these pools, and trace no network."""
        patch.chdir(folder)
        patch.setattr(opening, "DevicePool", self._make)
        patch.setattr(opening, "make_train", lambda *arguments: None)
        patch.setattr(opening, "computation_identity", lambda train: "none")

    def _make(self, *arguments: object, **options: object) -> FakePool:
        number = next(self._numbers)
        if number == len(self):
            self.append(FakePool(trained))
        return self[number]


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pools:
    """The pools of runs in an empty folder, which leave no pictures."""
    pools = Pools()
    pools.use(monkeypatch, tmp_path)
    leave_empty_pictures(monkeypatch)
    return pools


class Finished(NamedTuple):
    folder: Path
    output: str
    submitted: list[Training]

    @property
    def result(self) -> Any:
        return json.loads((self.folder / "result.json").read_text())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """The bare command with a control, in a small budget."""
    pools, folder, output = Pools(), tmp_path_factory.mktemp("shape"), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(output):
        pools.use(patch, folder)
        assert main((*SEARCH, "--tensorboard", "events")) == 0
    return Finished(folder / "run", output.getvalue(), pools[0].submitted)


def test_the_bare_command_finds_a_shape_at_its_own_rate_and_judges_it(finished: Finished) -> None:
    record = finished.result
    tree = LossTree.parse(record["expression"])
    assert is_better(tree)
    rates = {
        name: max(tried, key=lambda one: one["mean_validation"])["learning_rate"]
        for name, tried in record["rates"].items()
    }
    assert [one["against"] for one in record["verdict"]] == _NAMES
    for one in record["verdict"]:
        assert one["rate"] == rates[one["against"]]
        assert one["better"] is True
        assert one["interval"][0] < one["difference"] < one["interval"][1]
    (found,) = {loss["name"] for loss in record["comparison"]} & {"discovered", "tuned"}
    assert record["learning_rate"] == rates[found]
    means = {name: max(one["mean_validation"] for one in tried) for name, tried in record["rates"].items()}
    assert means[found] == max(means["discovered"], means["tuned"])
    assert record["learning_rate"] * shape_of(tree, 10).pull == pytest.approx(0.4, rel=0.4)


def test_a_finalist_has_the_rate_of_its_own_scale(finished: Finished) -> None:
    sweep = finished.result["rates"]["cross_entropy"]
    rival = max(sweep, key=lambda one: one["mean_validation"])["learning_rate"]
    for finalist in finished.result["discovered"]["finalists"]:
        pull = shape_of(LossTree.parse(finalist["expression"]), 10).pull
        factor = finalist["learning_rate"] * pull / (0.9 * rival)
        assert min(abs(factor - of_race) for of_race in (0.5, 1, 2)) < 1e-3


def test_the_run_reads_back(finished: Finished) -> None:
    saved = load_run(finished.folder)
    assert str(saved.best) == finished.result["expression"]
    assert {one.rejected_by for one in saved.evaluations} >= {None, "pull"}
    assert saved.comparison == finished.result["comparison"]
    shown = unescape(saved._repr_html_())
    assert all(f"<p>{one['sentence']}</p>" in shown for one in finished.result["verdict"])


def test_tensorboard_shows_what_the_files_have(finished: Finished) -> None:
    found = scalars(finished.folder.parent / "events")
    saved, audit = load_run(finished.folder), finished.result["search"]["audit"]
    numbers = {
        f"{group}/{name}": [(record.generation, getattr(record, name)) for record in records]
        for group, records in (("discovery", saved.generations), ("tuning_1", saved.tuning))
        for name in ("best_fitness", "median_fitness", "best_so_far", "sigma")
        if hasattr(records[0], name)
    }
    assert {tag: [(step, float(np.float32(value))) for step, value in points] for tag, points in numbers.items()} == {
        tag: points for tag, points in found.items() if not tag.startswith("audit")
    }
    assert [step for step, _ in found["audit/checked"]] == [1, 2]
    assert found["audit/checked"][-1] == (2, audit["checked"])
    assert found["audit/false_rejections"][-1] == (2, audit["false_rejections"])


@pytest.mark.parametrize("phase", ["discovery", "control"])
def test_search_and_control_begin_with_the_losses_of_the_literature(finished: Finished, phase: str) -> None:
    lines = map(json.loads, (finished.folder / "candidates.jsonl").read_text().splitlines())
    shapes = [shape_of(LossTree.parse(line["expression"]), 10) for line in lines if line["phase"] == phase]
    fingerprints = [shape.fingerprint for shape in shapes]
    assert fingerprints[:5] == _STANDARD
    trees = [loss.tree() for loss in PUBLISHED.values() if loss.domain == "probability"]
    known = {shape_of(tree, 10).fingerprint for tree in trees if tree.size <= SHAPE_GENETIC.size_limit}
    assert set(fingerprints[: len(known)]) == known


def test_it_prints_rates_and_verdicts(finished: Finished) -> None:
    lines = finished.output.splitlines()
    assert "cross_entropy: best rate 0.45 (" in finished.output
    assert [line for line in lines if line.startswith("Verdict:")] == [
        f"Verdict:          {one['sentence']}" for one in finished.result["verdict"]
    ]


def test_it_says_how_many_trainings_the_standard_losses_take_before_the_race(finished: Finished) -> None:
    # With each of three seeds, cross-entropy on the rungs, at no rate, one and three; and five losses in full.
    assert "Race of the standard losses: 30 trainings" in finished.output.splitlines()


@pytest.mark.parametrize("phase", ["discovery", "control"])
def test_search_and_control_are_counted(finished: Finished, phase: str) -> None:
    record = finished.result["search"] if phase == "discovery" else finished.result["control"]["search"]
    lines = (finished.folder / "candidates.jsonl").read_text().splitlines()
    mine = [line for line in map(json.loads, lines) if line["phase"] == phase]
    shapes = {shape_of(LossTree.parse(line["expression"]), 10).fingerprint for line in mine}
    assert record["candidates"] == len(mine) == len(shapes)
    assert record["candidate_steps"] == sum(line["steps"] for line in mine)
    untrained = [line for line in mine if line["status"] in ("rejected", "lacks_variable")]
    assert record["trained"] + len(untrained) == len(mine)
    by_pull = [line for line in untrained if line.get("rejected_by") == "pull"]
    assert record["rejected"]["pull"] == len(by_pull) > 0
    assert record["drawn"] > record["candidates"]
    audited = [line for line in mine if line["status"] != "rejected" and "rejected_by" in line]
    assert record["audit"]["checked"] == len(audited)


def test_the_control_has_the_budget_of_the_search(finished: Finished) -> None:
    control, search = finished.result["control"]["search"], finished.result["search"]
    assert control["candidate_steps"] >= search["candidate_steps"]


def test_each_phase_has_seeds_of_its_own(finished: Finished) -> None:
    first = 40 * 1000  # so that no two searches have a seed in common
    assert {one.seed for one in finished.submitted} == set(range(first, first + 3 + 2 + 8 + 3))
    tested = {one.seed for one in finished.submitted if "test" in one.context}
    assert tested == set(range(first + 13, first + 16)) == set(finished.result["seeds"])


@pytest.mark.parametrize("order", [(), ("--asynchronous",)])
def test_an_interrupted_search_ends_as_the_undisturbed_one(
    pools: Pools, finished: Finished, order: tuple[str, ...]
) -> None:
    pools += [EndingPool(20), EndingPool(250), FakePool(trained)]
    assert main([*SEARCH, *order]) == 130
    assert [main(["resume", "run", "--devices", "1"]) for _ in range(2)] == [130, 0]
    if not order:
        picture = {"summary.png": None}
        assert contents(Path("run")) | picture == contents(finished.folder) | picture
        return
    shutil.copytree("run", "again", ignore=shutil.ignore_patterns("[!ce]*", "candidates.jsonl"))
    shutil.copy("run/tuning_events.jsonl", "again")
    assert main(["resume", "again", "--devices", "1"]) == 0
    assert contents(Path("again")) == contents(Path("run"))


def test_random_shapes_are_a_strategy_of_their_own(pools: Pools, capsys: pytest.CaptureFixture[str]) -> None:
    budget = ("--population-size", "10", "--generations", "2", "--finalists", "2", "--finalist-seeds", "2")
    assert main(["discover", "--strategy", "random", *budget, "--devices", "1", "--run-dir", "run"]) == 0
    result = json.loads(Path("run/result.json").read_text())
    assert "label_smoothing: best rate" in capsys.readouterr().out  # whose score a loss needs for further seeds
    assert result["search"]["candidates"] == 20
    assert result["learning_rate"] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--rates", "0"), "--rates is 0"),
        (("--rate-factor", "1"), "--rate-factor is 1.0; expected a number above 1"),
        (("--rates", "1000", "--rate-factor", "10"), "--rates 1000 and --rate-factor 10 span more than 1e30; lower"),
        (("--audit", "2"), "--audit is 2.0; expected a share from 0 to 1"),
        (("--standard-losses", "bakal"), "Unknown loss 'bakal'. Did you mean 'baikal'?"),
        (("--standard-losses", "log(y)"), "log(y) lacks x or y"),
        (("--standard-losses", "x + log(y)"), "The gradient of x + log(y) in an untrained network is not finite, or"),
        (("--standard-losses", "x * log(x * y)"), "The gradient of x * log(x * y) in an untrained network is not"),
        (("--initial-losses", "x / (y - y)"), "The gradient of x / (y - y) in an untrained network is not finite, or"),
        (
            ("--initial-losses", "x * log(y)", "3 * x * log(y)"),
            "The initial losses x * log(y) and 3 * x * log(y) train",
        ),
        (("--dataset", "diabetes"), "diabetes has the task regression, and shapes are known for one class an example"),
        (("discover", "--dataset", "soft.npz"), "soft has soft labels, and shapes are known for one class an example"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    options: tuple[str, ...],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.savez("soft.npz", x_train=rng.normal(size=(20, 3)), y_train=rng.dirichlet(np.ones(4), 20))
    assert main(options) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
    assert not Path("runs").exists()
