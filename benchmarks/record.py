"""The results of a benchmark as JSON, in one form for all benchmarks.

format, benchmark, measured      number of the form; name; date and time
commit, device, versions         see `benchmarks.machine`
configuration                    the options of the run
unit                             unit of the samples; less is better
matrix_product_gflops            samples, median and quartiles of a large float32 matrix product in the same run; no
                                 samples where no times were measured
cases                            one for each contestant and its parameters: samples, median, quartiles,
compile_seconds, peak_memory_bytes, details, and failure: the reason why there
are no samples, or null. precision: that of products of float32 arrays
("float32", "tf32", "bf16"), where the benchmark sets or knows it
"""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from glojax.regular_files import read_json

FORMAT = 1
RESULTS = Path(__file__).parent / "results"


class RecordError(Exception):
    """A file is not a record of this form; the message has one line."""


@dataclass(frozen=True)
class Samples:
    """The samples of a case, one for each turn."""

    values: tuple[float, ...]

    @property
    def median(self) -> float | None:
        """The median; None without samples."""
        return statistics.median(self.values) if self.values else None

    @property
    def quartiles(self) -> tuple[float, float] | None:
        """First and third quartile; None without samples."""
        if len(self.values) < 2:
            return (self.values[0], self.values[0]) if self.values else None
        first, _, third = statistics.quantiles(self.values, n=4, method="inclusive")
        return first, third

    def as_json(self) -> dict[str, Any]:
        """Return samples, median and quartiles, to six digits."""
        quartiles = self.quartiles and [_rounded(value) for value in self.quartiles]
        return {
            "samples": [_rounded(value) for value in self.values],
            "median": None if self.median is None else _rounded(self.median),
            "quartiles": quartiles,
        }


@dataclass(frozen=True)
class Case:
    """One contestant with its parameters.

    Attributes:
        contestant: The name of the contestant.
        parameters: Its parameters, which together with the name distinguish the case from others.
        samples: The samples in the record's unit.
        compile_seconds: The time by which the first turn took longer than the others, or the time that it reports.
        peak_memory_bytes: Its peak memory; None if it shares its process with others.
        failure: The reason why there are no samples; None if there are.
        details: Further facts.
        precision: The precision of its products of float32 arrays: "float32", "tf32" or "bf16"; None if that is not
            known, as in older records, which are of CPUs.
    """

    contestant: str
    parameters: Mapping[str, Any]
    samples: Samples = Samples(())
    compile_seconds: float | None = None
    peak_memory_bytes: int | None = None
    failure: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    precision: str | None = None

    @property
    def key(self) -> str:
        """A text that is the same for the same case of another run; an unknown precision counts as float32."""
        precision = "" if self.precision == "float32" else self.precision or ""
        return f"{self.contestant} {json.dumps(dict(self.parameters), sort_keys=True)} {precision}"

    @property
    def label(self) -> str:
        """The case in words."""
        return " ".join([self.contestant, *(f"{name}={value}" for name, value in self.known.items())])

    @property
    def known(self) -> dict[str, Any]:
        """The parameters, and the precision where it is known."""
        return {**self.parameters, **({"precision": self.precision} if self.precision else {})}

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads."""
        compile_seconds = None if self.compile_seconds is None else _rounded(self.compile_seconds)
        return {
            "contestant": self.contestant,
            "parameters": dict(self.parameters),
            "precision": self.precision,
            **self.samples.as_json(),
            "compile_seconds": compile_seconds,
            "peak_memory_bytes": self.peak_memory_bytes,
            "failure": self.failure,
            "details": dict(self.details),
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Case":
        """Return the case of a JSON object of `as_json`."""
        return cls(
            contestant=fields["contestant"],
            parameters=fields["parameters"],
            samples=Samples(tuple(fields["samples"])),
            compile_seconds=fields["compile_seconds"],
            peak_memory_bytes=fields["peak_memory_bytes"],
            failure=fields["failure"],
            details=fields["details"],
            precision=fields.get("precision"),
        )


@dataclass(frozen=True)
class Record:
    """The results of a run of a benchmark; the module explains the fields."""

    benchmark: str
    configuration: Mapping[str, Any]
    unit: str
    matrix_product_gflops: Samples
    cases: Sequence[Case]
    device: Mapping[str, Any]
    versions: Mapping[str, str | None]
    commit: Mapping[str, Any] | None
    measured: str

    def write(self, path: Path) -> None:
        """Write the record as JSON."""
        fields = {
            "format": FORMAT,
            "benchmark": self.benchmark,
            "measured": self.measured,
            "commit": self.commit,
            "device": self.device,
            "versions": self.versions,
            "configuration": self.configuration,
            "unit": self.unit,
            "matrix_product_gflops": self.matrix_product_gflops.as_json(),
            "cases": [case.as_json() for case in self.cases],
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(fields, indent=2) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Record":
        """Read a record that `write` has written.

        Raises:
            RecordError: There is no such file, or it holds something else.
        """
        try:
            fields = read_json(path)
        except (OSError, ValueError) as error:
            raise RecordError(f"{path} cannot be read as JSON: {error}") from error
        if (found := fields.get("format")) != FORMAT:
            raise RecordError(f"{path} is of format {found}; expected a benchmark's result of format {FORMAT}.")
        try:
            return cls(
                benchmark=fields["benchmark"],
                configuration=fields["configuration"],
                unit=fields["unit"],
                matrix_product_gflops=Samples(tuple(fields["matrix_product_gflops"]["samples"])),
                cases=[Case.from_json(case) for case in fields["cases"]],
                device=fields["device"],
                versions=fields["versions"],
                commit=fields["commit"],
                measured=fields["measured"],
            )
        except (KeyError, TypeError) as error:
            raise RecordError(f"{path} lacks a field, or has one of another kind: {error}") from error


def now() -> str:
    """Return date and time, to the second."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")
