"""A clock for the time that JAX spends on compiling."""

import time

import jax.monitoring

#: The events between the call of a new program and its first run.
EVENTS = (
    "/jax/core/compile/jaxpr_trace_duration",
    "/jax/core/compile/jaxpr_to_mlir_module_duration",
    "/jax/core/compile/backend_compile_duration",
)


class CompileClock:
    """Adds up the time in which any thread traces, lowers or compiles.

    Overlapping intervals, of several threads or of nested functions, count once.
    """

    def __init__(self) -> None:
        self._intervals: list[tuple[float, float]] = []
        jax.monitoring.register_event_duration_secs_listener(self._on_event)

    def _on_event(self, event: str, duration_secs: float, **_: str | int) -> None:
        if event in EVENTS:
            end = time.perf_counter()
            self._intervals.append((end - duration_secs, end))

    def restart(self) -> None:
        """Set the clock to zero."""
        self._intervals.clear()

    @property
    def seconds(self) -> float:
        """The seconds since the last restart."""
        total, covered = 0.0, float("-inf")
        for start, end in sorted(self._intervals):
            total += max(0.0, end - max(start, covered))
            covered = max(covered, end)
        return total
