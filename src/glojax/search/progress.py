"""What a person sees while a run works: a live display on a terminal, plain lines elsewhere."""

import time
from collections import Counter
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from glojax.evaluation import Evaluation
from glojax.search.discovery import GenerationRecord


class Display:
    """Shows the progress of discovery and comparison; use it in a `with` statement.

    Args:
        console: Where to show it.
    """

    def __init__(self, console: Console):
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=True),
        )
        self._task = self._bar.add_task("", total=None)
        self._figures = Text("")
        self._generations = _generation_table()
        self._live = Live(console=console, get_renderable=self._render, refresh_per_second=4, transient=True)
        self._counts: Counter[str] = Counter()
        self._steps = 0
        self._start = time.perf_counter()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()
        if self._console.is_terminal and self._generations.row_count:
            self._console.print(self._generations)

    def start_phase(self, title: str, total: int) -> None:
        """Begin a piece of work of `total` trainings."""
        self._counts.clear()
        self._steps, self._start = 0, time.perf_counter()
        self._figures = Text("")
        self._bar.reset(self._task, description=title, total=total)
        if not self._console.is_terminal:
            self._console.print(f"{title}: {total} candidates", highlight=False)

    def on_evaluation(self, evaluation: Evaluation) -> None:
        """Count one candidate of a discovery."""
        self._counts[evaluation.status] += 1
        self.on_training(evaluation.steps)

    def on_training(self, steps: int) -> None:
        """Count one training."""
        self._steps += steps
        self._bar.advance(self._task)
        speed = self._steps / (time.perf_counter() - self._start)
        figures = [f"{speed:,.0f} candidate-steps/s"]
        if self._counts:
            dead = self._counts["non_finite"] + self._counts["lacks_variable"]
            figures += [
                f"{self._counts['trained']} trained",
                f"{self._counts['cached']} cached",
                f"{dead} dead",
            ]
        self._figures = Text("  ".join(figures), style="dim")

    def on_generation(self, record: GenerationRecord, num_generations: int) -> None:
        """Show the end of a generation."""
        self._bar.update(self._task, description=f"Generation {min(record.generation + 1, num_generations)}")
        speed = record.candidate_steps / record.seconds
        dead = record.non_finite + record.lacks_variable
        if self._console.is_terminal:
            self._generations.add_row(
                f"{record.generation}/{num_generations}",
                f"{record.best_fitness:.4f}",
                f"{record.median_fitness:.4f}",
                f"{record.trained}",
                f"{record.cached}",
                f"{dead}",
                f"{speed:,.0f}",
                record.best_expression,
            )
        else:
            self._console.print(
                f"generation {record.generation}/{num_generations}: best {record.best_fitness:.4f}, "
                f"median {record.median_fitness:.4f}, {record.trained} trained, {record.cached} cached, {dead} dead, "
                f"{speed:,.0f} candidate-steps/s, {record.seconds:.1f} s; {record.best_expression}",
                highlight=False,
                soft_wrap=True,
            )

    def _render(self) -> Group:
        return (
            Group(self._generations, self._bar, self._figures)
            if self._generations.row_count
            else Group(self._bar, self._figures)
        )


def _generation_table() -> Table:
    table = Table(box=None, header_style="bold")
    for name in ("generation", "best", "median", "trained", "cached", "dead", "steps/s"):
        table.add_column(name, justify="right")
    table.add_column("best loss", overflow="ellipsis", no_wrap=True)
    return table
