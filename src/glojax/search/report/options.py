"""The options of the command `report`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from glojax.search.execution import ExecutionOptions


@dataclass(frozen=True, kw_only=True)
class ReportOptions:
    """Options of a report."""

    run_dirs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Folders of runs, finished or not; several stand side by side."""
    output: Path | None = None
    """File for the report. By default report.html in the folder of the run; for several runs, in the current folder."""
    execution: tyro.conf.Suppress[ExecutionOptions] = field(default_factory=ExecutionOptions)
