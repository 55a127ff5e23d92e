"""CMA-ES over the coefficients of several losses at once: each round has the members of all of them."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from glojax.expressions import LossTree, Origin
from glojax.strategies.base import Batch
from glojax.strategies.coefficients.cma import CmaEs
from glojax.strategies.coefficients.config import TuningConfig
from glojax.strategies.coefficients.layout import CoefficientLayout

if TYPE_CHECKING:
    from glojax.evaluation import Evaluation


@dataclass(eq=False)
class LossTuning:
    """The state of the tuning of one loss.

    Attributes:
        tree: The loss as it was given.
        layout: Its coefficients.
        strategy: Its evolution strategy.
        start: The evaluation of the loss as it was given; None before it is known.
        members: The evaluations of its latest complete generation.
        found: The evaluation of every distinct member, by its canonical tree, in the order of asking.
    """

    tree: LossTree
    layout: CoefficientLayout
    strategy: CmaEs
    start: "Evaluation | None" = None
    members: "list[Evaluation]" = field(default_factory=list)
    found: "dict[LossTree, Evaluation]" = field(default_factory=dict)

    @property
    def best(self) -> "Evaluation | None":
        """The evaluation with the highest fitness, the first of equals; None before any is known."""
        known = [evaluation for evaluation in (self.start, *self.found.values()) if evaluation is not None]
        return max(known, key=lambda each: -math.inf if each.fitness is None else each.fitness, default=None)


class CoefficientSearch:
    """Tunes the coefficients of losses; the losses do not influence each other.

    The first round evaluates the losses as they are given. Each further round asks for a generation of every loss whose
    evolution strategy has not stopped.

    Args:
        trees: The losses, with the coefficients to start from.
        config: Settings of the evolution strategies; each loss has one of its own.
        seed: The seed of the members.

    Attributes:
        losses: The state of each loss, in the order of the trees.
        num_rounds: Rounds that are complete.
        active: The losses with members in the latest round; none in the first.

    Raises:
        ConfigurationError: A tree lacks x or y, or has a coefficient that is not finite.
    """

    def __init__(self, trees: Sequence[LossTree], config: TuningConfig, seed: int):
        self.losses: list[LossTuning] = []
        for tree in trees:
            layout = CoefficientLayout.of(tree, config.coefficients)
            # The seed of a loss does not depend on the other losses.
            digest = hashlib.sha256(f"{seed} {layout.tree}".encode()).digest()
            strategy = CmaEs(layout.vector, config, seed=int.from_bytes(digest[:4]) >> 1)
            self.losses.append(LossTuning(tree, layout, strategy))
        self.num_rounds = 0
        self.active: list[LossTuning] = []
        self._round = Batch(trees)
        self._member_of: dict[LossTree, LossTree] = {}

    def origin_of(self, tree: LossTree) -> Origin:
        """Return the loss whose coefficients a member changes; the losses themselves are given."""
        return Origin("coefficients", (self._member_of[tree],)) if tree in self._member_of else Origin("given")

    def ask(self, room: int) -> tuple[LossTree, ...]:
        """Return the next members; none while a round is being evaluated, or when all strategies have stopped."""
        if self._round.is_complete:
            self.active = [loss for loss in self.losses if loss.strategy.stop_reason is None]
            members = [(loss.layout.tree_of(row), loss) for loss in self.active for row in loss.strategy.ask()]
            for tree, loss in members:
                self._member_of.setdefault(tree, loss.tree)
            self._round = Batch([tree for tree, _ in members])
        return self._round.ask(room)

    def tell(self, tree: LossTree, evaluation: "Evaluation") -> None:
        """Learn the evaluation of a member; the last one of a round updates the evolution strategies."""
        self._round.tell(tree, evaluation)
        if not self._round.is_complete:
            return
        evaluations = iter(self._round.evaluations)
        if self.num_rounds == 0:
            for loss, start in zip(self.losses, evaluations, strict=True):
                loss.start = start
        for loss in self.active:
            loss.members = [next(evaluations) for _ in range(loss.strategy.population_size)]
            loss.strategy.tell([math.nan if member.fitness is None else member.fitness for member in loss.members])
            for member in loss.members:
                loss.found.setdefault(member.tree, member)
        self.num_rounds += 1
