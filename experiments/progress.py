"""What a person sees while trainings go on: a bar on a terminal, a line a minute elsewhere."""

import time
from datetime import timedelta
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINE_SECONDS = 60.0


class TrainingsDisplay:
    """Counts the steps of several trainings; use it in a `with` statement.

    Args:
        console: Where to show it.
        num_trainings: How many there are.
        num_steps: Of all of them together.
    """

    def __init__(self, console: Console, num_trainings: int, num_steps: int):
        self._console = console
        self._num_trainings, self._num_steps = num_trainings, num_steps
        self._done = self._steps = self._steps_now = 0
        self._start = time.perf_counter()
        self._next_line = self._start + LINE_SECONDS
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task(self._counts(), total=num_steps)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()

    def on_steps(self, steps: int, *, now: bool = True) -> None:
        """Count steps; those that were taken before this run tell nothing of its speed."""
        self._steps += steps
        self._steps_now += steps if now else 0
        self._bar.advance(self._task, steps)
        time_now = time.perf_counter()
        if self._console.is_terminal or time_now < self._next_line or not self._steps_now:
            return
        self._next_line = time_now + LINE_SECONDS
        speed = self._steps_now / (time_now - self._start)
        left = timedelta(seconds=round((self._num_steps - self._steps) / speed))
        share = self._steps / self._num_steps
        self._print(f"{self._counts()}, {share:.0%} of the steps, {speed:,.1f} steps/s, about {left} left")

    def on_training(self, text: str) -> None:
        """Count a training, and say what came of it."""
        self._done += 1
        self._bar.update(self._task, description=self._counts())
        self._print(text)

    def _counts(self) -> str:
        return f"{self._done} of {self._num_trainings} trainings"

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)
