"""The progress display: live on a terminal, plain lines elsewhere."""

import time
from collections import Counter
from datetime import timedelta
from typing import Literal, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from glojax.cluster.settings import ClusterProgress
from glojax.evaluation import Evaluation
from glojax.search.generations import GenerationRecord
from glojax.search.rates import Sweep
from glojax.search.tuning import TuningRecord
from glojax.terminal import print_text
from glojax.training import TrainResult

#: Seconds between two lines of progress without a terminal.
LINE_SECONDS = 30.0

#: What the progress of a phase is counted in.
Unit = Literal["candidates", "candidate-steps", "trainings"]


class Display:
    """Shows the progress of a run's phases; use it in a `with` statement.

    Attributes:
        audit: How cheap rules do, to be shown beside the counts; empty where there are none.
    """

    def __init__(self, console: Console):
        self._console = console
        done = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
        elapsed = TextColumn("elapsed"), TimeElapsedColumn()
        left = TextColumn("left"), TimeRemainingColumn(elapsed_when_finished=True)
        self._bar = Progress(*done, *elapsed, *left)
        self._task = self._bar.add_task("", total=None)
        self._figures = Text("")
        self._workers = self.audit = ""
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=4, transient=True)
        self._counts: Counter[str] = Counter()
        self._steps = self._done = self._total = 0
        self._unit: Unit = "candidates"
        self._start = self._next_line = time.perf_counter()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def start_phase(self, title: str, total: int, unit: Unit) -> None:
        """Begin a piece of work: evaluations of candidates, their optimizer steps, or single trainings."""
        self._counts.clear()
        self.audit = ""
        self._steps, self._done, self._total, self._unit = 0, 0, total, unit
        self._start = time.perf_counter()
        self._next_line = self._start + LINE_SECONDS
        self._figures = Text("")
        self._bar.reset(self._task, description=title, total=total)
        if not self._console.is_terminal:
            print_text(f"{title}: {total:,} {unit}", self._console)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Count a candidate."""
        self._counts[evaluation.status] += 1
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
        speed = self._steps / (now - self._start)
        if not self._console.is_terminal and now >= self._next_line and self._done:
            notes = "".join(f", {note}" for note in (self._workers, self.audit) if note)
            # A phase may take longer than usual: a sweep goes on until the best rate lies between two others.
            left = timedelta(seconds=round((now - self._start) / self._done * max(0, self._total - self._done)))
            text = f"{self._done:,} of {self._total:,} done, {speed:,.0f} candidate-steps/s, about {left} left{notes}"
            print_text(text, self._console)
            self._next_line = now + LINE_SECONDS
        figures = [f"{speed:,.0f} candidate-steps/s"]
        if self._counts:
            dead = sum(self._counts[status] for status in ("non_finite", "lacks_variable", "crashed", "rejected"))
            figures += [f"{self._counts['trained']} trained", f"{self._counts['cached']} cached", f"{dead} dead"]
        figures += filter(None, [self.audit])
        self._figures = Text("  ".join(figures), style="dim")

    def show_rates(self, name: str, found: Sweep) -> None:
        """Show the learning rates that a loss was tried at."""
        tried = ", ".join(f"{shown(one.mean_validation)} at {one.learning_rate:.3g}" for one in found.tried)
        print_text(f"{name}: best rate {found.best.learning_rate:.3g} ({tried})", self._console)

    def on_cluster(self, progress: ClusterProgress) -> None:
        """Show the state of the workers."""
        retries = f"  {progress.retries} retries" if progress.retries else ""
        self._workers = f"{progress.workers} workers  {progress.in_flight} shards in flight{retries}"

    def on_generation(self, record: GenerationRecord, num_generations: int) -> None:
        """Show the end of a generation."""
        self._bar.update(self._task, description=f"Generation {min(record.generation + 1, num_generations)}")
        dead = record.non_finite + record.lacks_variable + record.crashed + record.rejected
        speed = record.candidate_steps / max(record.seconds, 1e-3)
        print_text(
            f"{f'{record.generation}/{num_generations}':>7}  best {shown(record.best_fitness)}  "
            f"median {shown(record.median_fitness)}  {record.trained:3} trained {record.cached:3} cached {dead:3} dead"
            f"  {speed:6,.0f} steps/s  {record.best_expression}",
            self._console,
        )

    def on_tuning(self, record: TuningRecord, num_generations: int) -> None:
        """Show the end of a generation of a loss."""
        self._bar.update(self._task, description=f"Tuning, generation {min(record.generation + 1, num_generations)}")
        outcome = "no member could be trained"
        if record.best_fitness is not None:
            outcome = f"best {record.best_fitness:.4f}  median {shown(record.median_fitness)}"
        print_text(
            f"{f'{record.generation}/{num_generations}':>7}  {outcome}  so far {shown(record.best_so_far)}  "
            f"sigma {record.sigma:.2g}  {record.trained:3} trained {record.non_finite + record.crashed:3} dead  "
            f"{record.loss}",
            self._console,
        )
        if record.stop_reason is not None:
            print_text(f"         ends: {record.stop_reason}", self._console)

    def _render(self) -> Group:
        return Group(self._bar, self._figures, *([Text(self._workers, style="dim")] if self._workers else []))


def shown(number: float | None) -> str:
    """Return a fitness or score as text."""
    return "none" if number is None else f"{number:.4f}" if abs(number) < 1e4 else f"{number:.3g}"
