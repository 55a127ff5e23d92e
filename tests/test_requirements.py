"""The lowest versions that pyproject.toml admits."""

import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"].values()
REQUIREMENTS = [Requirement(text) for text in [*PROJECT["dependencies"], *(text for extra in EXTRAS for text in extra)]]
PINS = [Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines()]


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("filelock", "3.20.0"),  # CVE-2025-68146
        ("filelock", "3.20.2"),  # CVE-2026-22701
        ("cryptography", "44.0.0"),  # CVE-2024-12797
        ("cryptography", "46.0.4"),  # CVE-2026-26007
        ("distributed", "2025.12.0"),  # CVE-2026-23528
        ("pillow", "11.2.1"),  # CVE-2025-48379
        ("pillow", "12.1.0"),  # CVE-2026-25990
        ("pyarrow", "23.0.0"),  # CVE-2026-25087
        ("pytest", "9.0.2"),  # CVE-2025-71176
        ("scikit-learn", "1.4.2"),  # CVE-2024-5206
    ],
)
def test_a_version_with_a_known_fault_is_not_admitted(name: str, version: str) -> None:
    (requirement,) = [each for each in REQUIREMENTS if each.name == name]
    assert not requirement.specifier.contains(version)


def test_every_pin_is_admitted() -> None:
    admitted = {requirement.name.lower().replace("_", "-"): requirement.specifier for requirement in REQUIREMENTS}
    pins = [(pin.name.lower().replace("_", "-"), next(iter(pin.specifier)).version) for pin in PINS]
    assert sum(name in admitted for name, _ in pins) > 20
    for name, version in pins:
        assert name not in admitted or admitted[name].contains(version), f"{name}=={version}"
