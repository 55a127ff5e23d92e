"""The phases of a search for the shape of a loss: rates, race, discovery, control, tuning, verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from glojax.evaluation import Evaluation, PoolEvaluator, shape_of
from glojax.expressions import Domain, LossTree, Origin, with_folded_numbers
from glojax.losses import PUBLISHED, find_tree
from glojax.search.finalists import Finalist, select_tuned, trained
from glojax.search.loop import Search
from glojax.search.options import DiscoverOptions, RunOptions
from glojax.search.rates import RIVAL, Sweep, normalised_rate, race, sweep, usual_trainings
from glojax.search.run import Run
from glojax.search.tuning import Tuned
from glojax.search.verdict import Tally
from glojax.strategies import Constraint, NewShapes, RandomSearch, find_constraint
from glojax.training.config import MAX_RATE, MIN_RATE


@dataclass(frozen=True)
class Candidates:
    """What a search found: its finalists, the best first, and its counts as a JSON object."""

    finalists: list[Finalist]
    record: dict[str, Any]


class ShapeRun:
    """The phases, on a run; each loss trains at a rate of its own.

    Attributes:
        sweeps: The learning rates of each standard loss, and of others that `sweep` was called for.
    """

    def __init__(self, run: Run, options: DiscoverOptions):
        """Find the best rates of the standard losses, and their scores that candidates race against."""
        self._run, self._options = run, options
        self._num_classes, config = run.dataset.num_outputs, run.evaluator.config
        self.sweeps: dict[str, Sweep] = {}
        trees = options.standard_trees(self._num_classes)
        self.sweep({RIVAL: trees[RIVAL]}, {RIVAL: config.learning_rate})
        rate = self.sweeps[RIVAL].best.learning_rate
        if others := {name: tree for name, tree in trees.items() if name != RIVAL}:
            starts = {name: normalised_rate(rate, tree, self._num_classes, config) for name, tree in others.items()}
            self.sweep(others, starts)
        rates = {trees[name]: found.best.learning_rate for name, found in self.sweeps.items()}
        number = (2 + options.rates + len(rates)) * options.replicates
        run.display.start_phase("Race of the standard losses", number, "trainings")
        self._rule, self._rival = race(
            run.evaluator,
            rates,
            options.seeds_of_search,
            factors=options.rate_multiples,
            audit_share=options.audit,
            num_classes=self._num_classes,
        )
        run.display.show_rival(self._rule.bar, rate)

    def sweep(self, losses: Mapping[str, LossTree], starts: Mapping[str, float]) -> None:
        """Find the best learning rate of each loss, and show what was tried."""
        seeds, display = self._options.seeds_of_rates, self._run.display
        trainings = len(losses) * usual_trainings(len(seeds))
        display.start_phase("Learning rates", trainings, "trainings", ", ".join(losses))
        found = sweep(self._run.evaluator, losses, starts, seeds)
        for name, tried in found.items():
            display.show_rates(name, tried)
        self.sweeps |= found

    def discover(self) -> Candidates:
        """Search for new shapes, and choose between the best of them by fresh seeds."""
        shapes, tally, display = self._new_shapes(), Tally(self._rival), self._run.display

        def count(evaluation: Evaluation) -> None:
            tally.add(evaluation)
            display.audit = tally.audit

        def show_audit(generation: int) -> None:
            checked, false = tally.checked, tally.false_rejections
            self._run.events.add("audit", generation, checked=checked, false_rejections=false)

        found = self._run.discover(self._options, self._evaluator(), self._initial(), shapes, count, show_audit)
        return self._candidates([one.evaluation for one in found], shapes, tally)

    def control(self, num_steps: int) -> Candidates:
        """Do the same, from the same losses on, with random shapes, until they have taken as many candidate-steps."""
        options, display = self._options, self._run.display
        shapes, tally = self._new_shapes(), Tally(self._rival)

        def count(evaluation: Evaluation) -> None:
            tally.add(evaluation)
            self._run.record("control", evaluation, 0)

        # Another seed than that of the search, whose first population would come again.
        strategy = RandomSearch(options.genetic, 2**31 + options.seed, initial=self._initial(), constraint=shapes)
        search = Search(strategy, self._evaluator(), on_evaluation=count)
        display.start_phase("Random shapes", num_steps, "candidate-steps")
        before = -1
        while before < len(search.evaluations) and tally.candidate_steps < num_steps:
            before = len(search.evaluations)
            search.run(options.genetic.population_size)
        return self._candidates(search.found, shapes, tally)

    def tune(self, finalists: Sequence[Finalist], options: RunOptions) -> tuple[list[Tuned], list[Finalist]]:
        """Tune the coefficients of the best losses; return the results, and the finalists of all members."""
        trees = [finalist.tree for finalist in finalists[: options.tuned]]
        tuned = self._run.tune(trees, options.tuning, options.seed, options.asynchronous, self._evaluator())
        members = select_tuned(tuned, options.finalists, find_constraint(options.constraint))
        short = [replace(one, tree=with_folded_numbers(one.tree)) for one in members]
        return tuned, self._choose(short) if short else []

    def rates_record(self) -> dict[str, list[dict[str, Any]]]:
        """Return all learning rates that were tried, as a JSON object."""
        return {name: [asdict(trial) for trial in found.tried] for name, found in self.sweeps.items()}

    def _evaluator(self) -> PoolEvaluator:
        return self._run.by_rule(self._rule)

    def _new_shapes(self) -> NewShapes:
        epsilon, further = self._run.evaluator.config.prob_epsilon, find_constraint(self._options.constraint)
        return new_shapes(self._num_classes, epsilon, further)

    def _candidates(self, found: Sequence[Evaluation], shapes: NewShapes, tally: Tally) -> Candidates:
        finalists = self._choose([self._shortest(one, shapes) for one in trained(found)[: self._options.finalists]])
        return Candidates(finalists, tally.record(shapes.draws))

    def _shortest(self, one: Evaluation, shapes: NewShapes) -> Evaluation:
        """Return the evaluation for the shortest text of its shape, whose scale, and so its rate, may be another."""
        tree = with_folded_numbers(shapes.shortest(one.tree))
        assert one.learning_rate is not None
        factor = self._rule.normal_rate(self._rule.shape(tree)) / self._rule.normal_rate(self._rule.shape(one.tree))
        origin = one.origin if tree == one.tree else Origin("same shape", (one.tree,))
        rate = min(max(one.learning_rate * factor, MIN_RATE), MAX_RATE)
        return replace(one, tree=tree, learning_rate=rate, origin=origin)

    def _choose(self, found: Sequence[Evaluation]) -> list[Finalist]:
        return self._run.halve(found, self._options.seeds_of_finalists)

    def _initial(self) -> list[LossTree]:
        """Return the losses to begin with: unless others are given, the standard ones and those of the literature."""
        options = self._options
        if options.initial_losses or options.chosen_strategy not in ("shape", "random"):
            return options.initial_trees(self._num_classes)
        return first_losses(options, self._run.domain, self._num_classes, self._new_shapes())


def new_shapes(num_classes: int, prob_epsilon: float, further: Constraint = lambda tree: True) -> NewShapes:
    """Return the constraint of a search for shapes: a tree is a candidate if its shape is new, and if it meets another.

    Args:
        num_classes: Number of classes of the labels.
        prob_epsilon: The distance from 0 and 1 that a training keeps probabilities at.
        further: The other constraint.
    """
    return NewShapes(partial(shape_of, num_classes=num_classes, prob_epsilon=prob_epsilon), further)


def first_losses(options: DiscoverOptions, domain: Domain, num_classes: int, is_new: Constraint) -> list[LossTree]:
    """Return the losses that a search for shapes begins with: the standard ones, then those of the literature."""
    genetic, standard = options.genetic, options.standard_trees(num_classes).values()
    published = [find_tree(name, domain, num_classes) for name, loss in PUBLISHED.items() if loss.domain == domain]
    trees = [tree for tree in (*standard, *published) if tree.size <= genetic.size_limit]
    return [tree for tree in trees if is_new(tree)][: genetic.population_size]
