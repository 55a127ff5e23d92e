"""The loop of every search: it asks a strategy for candidates, has them evaluated, and tells the strategy."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from glojax.errors import ConfigurationError, RunDirectoryError
from glojax.evaluation import Evaluation, Evaluator
from glojax.expressions import LossTree
from glojax.search.logs import Event, EventLog
from glojax.search.progress_bar import progress_bar
from glojax.strategies import Strategy, Traceable
from glojax.wording import counted

#: Candidates that may be outstanding when evaluations are told in the order of asking. It is a constant, so that the
#: calls of a strategy do not depend on the number of devices.
LOOKAHEAD: Final = 1024


class Search:
    """Drives a strategy with an evaluator, and keeps every evaluation.

    Evaluations are told in the order in which their candidates were asked for, so that a search is the same on any
    number of devices. With an `EventLog`, they are told in the order in which they complete, so that no device waits
    for a slow candidate. Events that the log holds already happen again, in their order; then the search goes on.

    Args:
        strategy: Chooses the candidates.
        evaluator: Evaluates them. Nothing else may be in progress in it while `run` is.
        log: Keeps the order of completion; None for the order of asking.
        on_evaluation: Called with each evaluation once the strategy has been told. An exception that it raises ends
            `run`, and loses nothing: the next `run` goes on.

    Attributes:
        evaluations: All that were told, in their order.

    Examples:
        >>> import glojax
        >>> from glojax.networks import DigitsCNN
        >>> config = glojax.TrainingConfig(num_steps=2, batch_size=32, learning_rate=0.05)
        >>> evaluator = glojax.LocalEvaluator(DigitsCNN, glojax.load_dataset("digits"), config)
        >>> strategy = glojax.RandomSearch(glojax.GeneticConfig(), seed=0, initial=[glojax.LossTree.parse("x*log(y)")])
        >>> search = Search(strategy, evaluator)
        >>> search.run(budget=3)
        >>> len(search.evaluations), search.best.expression
        (3, 'x * log(y)')
    """

    def __init__(
        self,
        strategy: Strategy,
        evaluator: Evaluator,
        *,
        log: EventLog | None = None,
        on_evaluation: Callable[[Evaluation], None] = lambda evaluation: None,
    ):
        self.strategy = strategy
        self.evaluations: list[Evaluation] = []
        self._evaluator = evaluator
        self._on_evaluation = on_evaluation
        self._count: Callable[[Evaluation], None] = lambda evaluation: None
        self._log = log
        self._replayed = deque(log.events if log else ())
        self._num_asked = 0
        self._outstanding: dict[int, LossTree] = {}
        self._waiting: dict[int, Evaluation] = {}

    @property
    def found(self) -> list[Evaluation]:
        """Every distinct loss function, the best first; of equally fit ones the smaller, then the earlier."""
        distinct: dict[LossTree, Evaluation] = {}
        for evaluation in self.evaluations:
            distinct.setdefault(evaluation.tree, evaluation)
        return sorted(distinct.values(), key=rank)

    @property
    def best(self) -> Evaluation | None:
        """The first of `found`; None if no fitness is known."""
        best = min(self.evaluations, key=rank, default=None)
        return None if best is None or best.fitness is None else best

    def ask(self, room: int = 1) -> list[LossTree]:
        """Ask the strategy for candidates, at most `room`; for those who evaluate them by themselves.

        Raises:
            RunDirectoryError: The log is of another search.
        """
        if self._replayed:
            room = min(room, self._num_recorded)
        trees = list(self.strategy.ask(room)) if room > 0 else []
        if self._replayed and len(trees) < room:
            raise self._misfit(self._num_asked + len(trees))
        for tree in trees:
            self._happens(Event("asked", self._num_asked))
            self._outstanding[self._num_asked] = tree
            self._num_asked += 1
        return trees

    def tell(self, tree: LossTree, evaluation: Evaluation) -> None:
        """Tell the strategy the evaluation of a candidate that `ask` gave.

        Raises:
            ConfigurationError: The candidate is not outstanding.
        """
        number = next((n for n, asked in self._outstanding.items() if asked == tree and n not in self._waiting), None)
        if number is None:
            raise ConfigurationError(f"{tree} is not outstanding; tell a candidate that `ask` gave, once.")
        self._waiting[number] = evaluation
        while self._tell_next():
            pass

    def run(self, budget: int | None = None, *, time_limit: float | None = None, progress: bool = False) -> None:
        """Search until the strategy has come to its end, or a limit is reached.

        Args:
            budget: The greatest number of further evaluations; None for no limit.
            time_limit: Seconds after which nothing more is begun, and trainings in progress are given up unless they
                end within a few seconds; None for no limit.
            progress: Show a bar: a widget in a notebook, elsewhere a line on standard error.

        Raises:
            GlojaxError: A device has no memory for a single candidate, or the log is of another search.
        """
        try:
            with progress_bar(budget, progress) as self._count:
                self._run(budget, time_limit)
        finally:
            self._count = lambda evaluation: None

    def _run(self, budget: int | None, time_limit: float | None) -> None:
        deadline = float("inf") if time_limit is None else time.monotonic() + time_limit
        last = float("inf") if budget is None else len(self.evaluations) + budget
        numbers: dict[int, int] = {}

        def submit(new: list[int]) -> None:
            tickets = self._evaluator.submit([self._outstanding[number] for number in new])
            numbers.update(zip(tickets, new, strict=True))

        try:
            if left_over := [number for number in self._outstanding if number not in self._waiting]:
                submit(left_over)
            while time.monotonic() < deadline:
                while self._log is not None and self._tell_next():
                    pass
                first = self._num_asked
                if self._replayed:
                    room = self._num_recorded
                    if self._outstanding and room > last - first:
                        raise self._misfit(first)
                else:
                    room = LOOKAHEAD - len(self._outstanding) if self._log is None else self._evaluator.room
                # Without anything outstanding there is no evaluation, and so no room, to wait for.
                self.ask(int(min(max(room, not self._outstanding), last - first)))
                if first < self._num_asked:
                    submit(list(range(first, self._num_asked)))
                if not self._outstanding:
                    return
                # In the order of asking, the strategy is asked again after each evaluation, however many are complete.
                if self._tell_next():
                    continue
                for ticket, evaluation in self._evaluator.wait():
                    self._waiting[numbers.pop(ticket)] = evaluation
            self._evaluator.cancel()
        except BaseException:
            self._evaluator.cancel()
            raise

    def __repr__(self) -> str:
        return f"<Search: {self._in_words}>"

    def _repr_html_(self) -> str:
        from glojax.reporting.notebook import paragraph, search_html  # matplotlib takes its time

        summary = paragraph(self._in_words)
        if self.best is None:
            return summary
        ranked = [one for one in self.found if one.fitness is not None]
        fitness = [one.fitness for one in self.evaluations]
        return summary + search_html(self.best.tree, ranked, fitness, self._evaluator.domain)

    @property
    def _in_words(self) -> str:
        best = "" if self.best is None else f", best {self.best.fitness:.4g}: {self.best.expression}"
        return f"{type(self.strategy).__name__}, {counted(len(self.evaluations), 'evaluation')}{best}"

    @property
    def _num_recorded(self) -> int:
        """The number of candidates that the log has asked for before the next evaluation is told."""
        return next((i for i, event in enumerate(self._replayed) if event.kind != "asked"), len(self._replayed))

    def _misfit(self, number: int) -> RunDirectoryError:
        return RunDirectoryError(
            f"The event log does not fit the search, which has no candidate {number} to ask for after "
            f"{len(self.evaluations)} were evaluated: restore it, or start anew in another folder."
        )

    def _tell_next(self) -> bool:
        """Tell the strategy the next evaluation; return whether its turn has come."""
        if not self._waiting:
            return False
        if self._replayed:
            event = self._replayed[0]
        else:
            event = Event("told", next(iter(self._outstanding if self._log is None else self._waiting)))
        if event.kind == "asked" or event.candidate not in self._waiting:
            return False
        self._happens(event)
        tree = self._outstanding.pop(event.candidate)
        evaluation = self._waiting.pop(event.candidate)
        if isinstance(self.strategy, Traceable):
            origin = self.strategy.origin_of(tree).canonical(self._evaluator.domain)
            evaluation = replace(evaluation, origin=origin)
        self.strategy.tell(tree, evaluation)
        self.evaluations.append(evaluation)
        self._count(evaluation)
        self._on_evaluation(evaluation)
        return True

    def _happens(self, event: Event) -> None:
        if self._replayed:
            self._replayed.popleft()
        elif self._log is not None:
            self._log.add(event)


def rank(evaluation: Evaluation) -> tuple[float, int]:
    """Return a key that sorts the best first; of equally fit ones the smaller. Unknown fitness comes last."""
    return -(float("-inf") if evaluation.fitness is None else evaluation.fitness), evaluation.tree.size
