"""Checks versions against known advisories, which needs the network: `make audit`.

They are the pins of constraints.txt, and the lowest version of each package that pyproject.toml admits. The exit code
is 1 if an advisory is known for one of them, and 2 if not all could be looked up.
"""

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]


def lowest_versions(project: dict[str, Any]) -> list[str]:
    """Return "name==version" for the lowest admitted version of each dependency; one without a bound is left out."""
    extras = project["optional-dependencies"].values()
    lowest = []
    for text in [*project["dependencies"], *(text for extra in extras for text in extra)]:
        requirement = Requirement(text)
        bounds = [bound.version for bound in requirement.specifier if bound.operator in (">=", "==")]
        lowest += [f"{requirement.name}=={version}" for version in bounds]
    return sorted(set(lowest))


def look_up(requirements: str) -> list[dict[str, Any]]:
    """Return what pip-audit says of each package: its name, its version, and `vulns` or the `skip_reason`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "requirements.txt"
        path.write_text(requirements)
        options = ("--no-deps", "--disable-pip", "--format", "json", "--progress-spinner", "off")
        command = [sys.executable, "-m", "pip_audit", "--requirement", str(path), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError:
        return [{"name": "all", "version": "", "skip_reason": (done.stderr.splitlines() or ["no answer"])[-1]}]
    return found


def main() -> int:
    """Print a line for each advisory, and one for what could not be looked up."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    pins, lowest = (ROOT / "constraints.txt").read_text(), lowest_versions(project)
    found = look_up(pins) + look_up("\n".join(lowest))
    advisories = [(one, vulnerability) for one in found for vulnerability in one.get("vulns", ())]
    for one, vulnerability in advisories:
        fixed = ", ".join(vulnerability["fix_versions"]) or "no version"
        print(f"{one['name']} {one['version']}: {vulnerability['id']}, fixed in {fixed}")
    if skipped := [one for one in found if "skip_reason" in one]:
        reason = skipped[0]["skip_reason"]
        print(f"{len(skipped)} of {len(found)} were not looked up; the audit needs the network: {reason}")
    else:
        print(f"{len(found)} versions looked up, {len(advisories)} advisories.")
    return 1 if advisories else 2 if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
