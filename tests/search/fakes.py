"""Stand-ins for what trains, and for what draws."""

import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from glojax.evaluation import Completed, Evaluation, FitnessRule, Rule, Status, Trial
from glojax.expressions import LossTree, canonical
from glojax.losses import DOMAINS
from glojax.search.run_directory import REPORT
from glojax.training import METRICS, TrainingConfig

STEPS = 10


Fitness = Callable[[LossTree], float | None]

# A search that goes on or is replayed has the same losses once more.
_canonical, _parsed = cache(canonical), cache(LossTree.parse)


def fitness_of(tree: LossTree) -> float:
    """Equal for many losses of different sizes."""
    return 0.75 if tree.uses("log") else 0.5


def short(tree: LossTree) -> float:
    """Coefficients make a loss longer, and so worse."""
    return 1 / len(str(tree))


def leave_empty_pictures(patch: pytest.MonkeyPatch) -> None:
    """Let runs draw and report nothing: to draw, or only to import what draws, takes longer than all the rest."""

    def leave_empty(path: Path, **options: object) -> None:
        path.touch()

    # The module imports from `glojax.reporting`, unless another test has imported it before.
    patch.setattr("glojax.search.report.writing.write_report", lambda directory: leave_empty(directory / REPORT))
    patch.setitem(sys.modules, "glojax.reporting", SimpleNamespace(draw_summary=leave_empty))


@pytest.fixture
def no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the runs of a test leave empty pictures and reports."""
    leave_empty_pictures(monkeypatch)


class FakeEvaluator:
    """Gives each loss the fitness that a function says, as `LocalEvaluator` would, without training.

    A function that is submitted while it is in training waits for that training. `next_done` says which of the
    functions in training is done first; those in `trained` were trained by an earlier run, and are done at once. Where
    single trainings matter, `trial` gives them, from a loss, a learning rate and a seed, in the place of `fitness`.

    Attributes:
        config: The configuration of a training.
        room: How many losses would begin at once if nothing was in training.
        calls: The number of losses of each call of `submit`.
        trees: The losses of each call of `submit`.
        rules: The rule of each call of `submit`.
        num_waits: Calls of `wait`.
        num_cancelled: Calls of `cancel`.
    """

    def __init__(
        self,
        fitness: Fitness = fitness_of,
        *,
        room: int = 1,
        next_done: Callable[[list[str]], str] = min,
        trained: Iterable[str] = (),
        trial: Callable[[LossTree, float, int], Trial] | None = None,
    ):
        self.config = TrainingConfig(num_steps=STEPS, batch_size=1, learning_rate=0.01)
        self.metric, self.domain = METRICS["accuracy"], DOMAINS["softmax"]
        self.trained = set(trained)
        self.trees: list[list[LossTree]] = []
        self.rules: list[FitnessRule | None] = []
        self.num_waits = self.num_cancelled = 0
        self._fitness, self._trial = fitness, trial
        self._room, self._next = room, next_done
        self._known: dict[tuple[str, FitnessRule], Evaluation] = {}
        self._training: dict[tuple[str, FitnessRule], list[int]] = {}
        self._completed: list[Completed] = []
        self._tickets = count()

    @property
    def calls(self) -> list[int]:
        return [len(trees) for trees in self.trees]

    @property
    def room(self) -> int:
        return max(0, self._room - len(self._training))

    def submit(self, trees: Sequence[LossTree], rule: Rule | None = None) -> list[int]:
        own = FitnessRule() if rule is None else rule
        assert isinstance(own, FitnessRule)
        self.trees.append(list(trees))
        self.rules.append(None if rule is None else own)
        tickets = [next(self._tickets) for _ in trees]
        for ticket, tree in zip(tickets, map(_canonical, trees), strict=True):
            key = str(tree), own
            if key in self._known:
                self._completed.append(Completed(ticket, self._known[key].again()))
            elif key in self._training:
                self._training[key].append(ticket)
            elif not (tree.uses("x") and tree.uses("y")):
                self._known[key] = Evaluation(tree, None, "lacks_variable", 0)
                self._completed.append(Completed(ticket, self._known[key]))
            else:
                self._training[key] = [ticket]
                if str(tree) in self.trained:
                    self._finish(key)
        return tickets

    def wait(self) -> list[Completed]:
        self.num_waits += 1
        if not self._completed and self._training:
            text = self._next([text for text, _ in self._training])
            self._finish(next(key for key in self._training if key[0] == text))
        completed, self._completed = self._completed, []
        return completed

    def cancel(self) -> None:
        self.num_cancelled += 1
        lost = {id(evaluation) for _, evaluation in self._completed}
        self._known = {key: one for key, one in self._known.items() if id(one) not in lost}
        self._training.clear()
        self._completed.clear()

    def _finish(self, key: tuple[str, FitnessRule]) -> None:
        text, rule = key
        self.trained.add(text)
        tree = _parsed(text)
        rates_and_seeds = rule.grid(self.config)
        if self._trial is not None:
            evaluation = rule.evaluation(tree, [self._trial(tree, rate, seed) for rate, seed in rates_and_seeds])
        else:
            fitness, rate = self._fitness(tree), self.config.learning_rate
            scores = dict.fromkeys(rule.splits, fitness or 0.0)
            trials = tuple(Trial(rate, seed, scores, fitness is not None, STEPS) for rate, seed in rates_and_seeds)
            status: Status = "non_finite" if fitness is None else "trained"
            evaluation = Evaluation(tree, fitness, status, STEPS * len(trials), rate, trials)
        self._known[key] = evaluation
        first, *others = self._training.pop(key)
        self._completed.append(Completed(first, evaluation))
        self._completed += [Completed(other, evaluation.again()) for other in others]


class StandIns:
    """Takes the place of everything that trains, and keeps the evaluator of each run."""

    def __init__(self, fitness: Fitness):
        self._fitness = fitness
        self.search_rule = FitnessRule()
        self.evaluator = FakeEvaluator()

    def make_evaluator(self, pool: object, config: object, rule: FitnessRule, **options: object) -> FakeEvaluator:
        self.search_rule, self.evaluator = rule, FakeEvaluator(self._fitness)
        return self.evaluator

    @property
    def search_seeds(self) -> list[int]:
        return list(self.search_rule.seeds)

    @property
    def finalists(self) -> list[tuple[list[str], Sequence[int]]]:
        """The finalists of each choice, and their seeds."""
        return [
            (list(map(str, trees)), rule.seeds) for trees, rule in self._submitted if rule.splits == ("validation",)
        ]

    @property
    def comparison_seeds(self) -> list[int]:
        (seeds,) = {rule.seeds for _, rule in self._submitted if "test" in rule.splits}
        return list(seeds)

    @property
    def _submitted(self) -> list[tuple[list[LossTree], FitnessRule]]:
        """The losses that were evaluated otherwise than in the search."""
        both = zip(self.evaluator.trees, self.evaluator.rules, strict=True)
        return [(trees, rule) for trees, rule in both if rule is not None]


UseStandIns = Callable[[Fitness], StandIns]
