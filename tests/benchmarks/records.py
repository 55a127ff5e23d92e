"""Records that nobody measured."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.record import Case, Record, Samples


def record_of(samples: Mapping[str, Sequence[float] | None], **fields: Any) -> Record:
    """A record with a case for each contestant, failed where there are no samples."""
    cases = [
        Case(name, {"network": "digits"}, Samples(tuple(values)), 1.5, 1_000_000)
        if values
        else Case(name, {"network": "digits"}, failure="out of memory")
        for name, values in samples.items()
    ]
    whole: dict[str, Any] = {
        "benchmark": "population_training",
        "configuration": {"rounds": 3},
        "unit": "milliseconds a candidate-step",
        "matrix_product_gflops": Samples((200.0, 210.0)),
        "cases": cases,
        "device": {"platform": "cpu", "kind": "Some processor", "count": 1, "cores": 2},
        "versions": {"jax": "0.10.2"},
        "commit": {"hash": "0123456789abcdef", "clean": True},
        "measured": "2026-11-22T08:00:00+00:00",
    }
    return Record(**(whole | fields))
