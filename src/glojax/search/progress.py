"""The progress display: live on a terminal, plain lines elsewhere."""

import math
import time
from collections import Counter
from datetime import timedelta
from typing import Final, Literal, Self, get_args

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from glojax.cluster.settings import ClusterProgress
from glojax.errors import printable
from glojax.evaluation import Evaluation, Status
from glojax.search.generations import GenerationRecord
from glojax.search.rates import RIVAL, Sweep
from glojax.search.tuning import TuningRecord
from glojax.terminal import print_text
from glojax.training import TrainResult
from glojax.wording import counted

#: Seconds between two lines of progress without a terminal.
LINE_SECONDS = 30.0

#: What stands under the number of a generation.
_INDENT: Final = 8 * " "

#: What the progress of a phase is counted in.
Unit = Literal["candidates", "candidate-steps", "trainings"]


class Display:
    """Shows the progress of a run's phases; use it in a `with` statement.

    Attributes:
        audit: How cheap rules do, to be shown beside the counts; empty where there are none.
    """

    def __init__(self, console: Console):
        self._console = console
        self._bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
        self._task = self._bar.add_task("", total=None)
        self._workers = self.audit = ""
        self._counts: Counter[str] = Counter()
        self._steps = self._done = self._total = 0
        self._unit: Unit = "candidates"
        self._what = ""
        self._last: Evaluation | None = None
        self._best: float | None = None
        self._rival: float | None = None
        self._start = self._next_line = time.perf_counter()
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=4, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal and not self._console.quiet:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def start_phase(self, title: str, total: int, unit: Unit, what: str = "") -> None:
        """Begin a piece of work: evaluations of candidates, their optimizer steps, or single trainings, of `what`."""
        self._counts.clear()
        self.audit, self._what, self._last = "", what, None
        if unit != "trainings":
            self._best = None
        self._steps, self._done, self._total, self._unit = 0, 0, total, unit
        self._start = time.perf_counter()
        self._next_line = self._start + LINE_SECONDS
        self._bar.reset(self._task, description=title, total=total)
        if not self._console.is_terminal:
            print_text(f"{title}: {total:,} {unit}{what and f' of {what}'}", self._console)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Count a candidate."""
        self._counts[evaluation.status] += 1
        self._last = evaluation
        if evaluation.fitness is not None and (self._best is None or evaluation.fitness > self._best):
            self._best = evaluation.fitness
        if self._unit != "trainings":
            self._advance(1 if self._unit == "candidates" else evaluation.steps)

    def on_training(self, result: TrainResult) -> None:
        """Count a training."""
        self._steps += int(result.num_steps)
        if self._unit == "trainings":
            self._advance()

    def _advance(self, number: int = 1) -> None:
        self._done += number
        self._bar.advance(self._task, number)
        now = time.perf_counter()
        if not self._console.is_terminal and now >= self._next_line and self._done:
            done, others = f"{self._done:,} of {self._total:,} done", [self._standing, self._workers, self.audit]
            texts = [done, self._speed(now), self._left(now), *filter(None, others)]
            print_text(", ".join(texts), self._console)
            self._next_line = now + LINE_SECONDS

    def show_rival(self, fitness: float, rate: float) -> None:
        """Show cross-entropy's fitness at its best rate; from here on, what is best is shown against it."""
        if math.isfinite(fitness):
            self._rival = fitness
            known = f"{RIVAL}: fitness {shown(fitness)} at its best rate {rate:.3g}"
            print_text(f"{known}; differences from it follow in parentheses", self._console, wraps=True)

    def show_rates(self, name: str, found: Sweep) -> None:
        """Show the learning rates that a loss was tried at."""
        tried = ", ".join(f"{shown(one.mean_validation)} at {one.learning_rate:.3g}" for one in found.tried)
        print_text(f"{name}: best rate {found.best.learning_rate:.3g} ({tried})", self._console, wraps=True)

    def on_cluster(self, progress: ClusterProgress) -> None:
        """Show the state of the workers."""
        retries = f"  {counted(progress.retries, 'retry', 'retries')}" if progress.retries else ""
        workers, shards = counted(progress.workers, "worker"), counted(progress.in_flight, "shard")
        self._workers = f"{workers}  {shards} in flight{retries}"

    def on_generation(self, record: GenerationRecord, num_generations: int) -> None:
        """Show the end of a generation."""
        self._bar.update(self._task, description=f"Search, generation {min(record.generation + 1, num_generations)}")
        best = f"{shown(record.best_fitness)}{self._difference(record.best_fitness)}"
        figures = f"best {best}  median {shown(record.median_fitness)}"
        self._print_generation(record, num_generations, figures, record.best_expression)

    def on_tuning(self, record: TuningRecord, num_generations: int) -> None:
        """Show the end of a generation of a loss."""
        self._bar.update(self._task, description=f"Tuning, generation {min(record.generation + 1, num_generations)}")
        so_far = f"{shown(record.best_so_far)}{self._difference(record.best_so_far)}"
        figures = f"best {shown(record.best_fitness)}  so far {so_far}"
        self._print_generation(record, num_generations, figures, record.loss)
        if record.stop_reason is not None:
            print_text(f"{_INDENT}ends: {record.stop_reason}", self._console)

    def _print_generation(self, record: GenerationRecord, num_generations: int, figures: str, loss: str) -> None:
        """Print the figures of a generation, and a loss: on a line of its own, if a terminal is narrower than both."""
        counts = f"{record.trained}/{sum(getattr(record, status) for status in get_args(Status))} trained"
        figures = f"{f'{record.generation}/{num_generations}':>6}  {figures}  {counts}"
        fits = not self._console.is_terminal or len(figures) + 2 + len(loss) <= self._console.width
        print_text(f"{figures}  {loss}" if fits else f"{figures}\n{_INDENT}{loss}", self._console)

    def _difference(self, fitness: float | None) -> str:
        return "" if fitness is None or self._rival is None else f" ({fitness - self._rival:+.4f})"

    @property
    def _standing(self) -> str:
        """The best fitness of the phase, and how it stands against cross-entropy at its best rate."""
        if self._best is None:
            return ""
        best = f"best {shown(self._best)}"
        if self._rival is None:
            return best
        return f"{best}, {self._best - self._rival:+.4f} against cross-entropy at its best rate"

    def _speed(self, now: float) -> str:
        return f"{self._steps / (now - self._start):,.0f} candidate-steps/s"

    def _left(self, now: float) -> str:
        # A phase may take longer than usual: a sweep goes on until the best rate lies between two others.
        return f"about {_in_hours((now - self._start) / self._done * max(0, self._total - self._done))} left"

    def _render(self) -> Group:
        """Return the bar, and below it a row each for time, standing, counts, audit, workers, and what is trained."""
        now = time.perf_counter()
        left = f", {self._left(now)} of this phase" if 0 < self._done < self._total else ""
        counts = [self._speed(now)] if self._steps else []
        if self._counts:
            dead = sum(self._counts[status] for status in ("non_finite", "lacks_variable", "crashed", "rejected"))
            counts += [f"{self._counts['trained']} trained", f"{self._counts['cached']} cached", f"{dead} dead"]
        rows = [f"{_in_hours(now - self._start)} elapsed{left}", self._standing, "  ".join(counts), self.audit]
        rows += [self._workers, self._what and f"training {self._what}"]
        if self._last is not None:
            rows.append(f"last {shown(self._last.fitness)}  {self._last.tree}")
        return Group(
            self._bar, *(Text(printable(row), "dim", no_wrap=True, overflow="ellipsis") for row in rows if row)
        )


def _in_hours(seconds: float) -> str:
    return str(timedelta(seconds=round(seconds)))


def shown(number: float | None, sign: Literal["", "+"] = "") -> str:
    """Return a fitness or score, or with the sign a difference of two, as text."""
    return "none" if number is None else f"{number:{sign}.4f}" if abs(number) < 1e4 else f"{number:{sign}.3g}"
