"""`config.json`: what a run was asked for and what it ran on, and whether it may go on here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any, TypeVar

import dacite

from glojax.errors import RunDirectoryError
from glojax.evaluation import checksum, decisive_versions
from glojax.search.config import CommonOptions
from glojax.search.run_directory import RunDirectory

Options = TypeVar("Options", bound=CommonOptions)

FORMAT = 1
FILE = "config.json"

#: Packages whose versions are recorded only.
_OTHERS = ("scikit-learn", "scipy", "matplotlib")

#: Options that say how a run is executed, and not what comes of it.
_EXECUTION = ("run_dir", "execution")

#: What may differ though the results do not; the data's origin, for instance, as long as its fingerprint is the same.
_INDIFFERENT = ("dataset_origin", "python", *_OTHERS)


def run_config(
    command: str,
    options: CommonOptions,
    resolved: Mapping[str, Any],
    devices: Sequence[str],
    trained_on: Mapping[str, str],
) -> dict[str, Any]:
    """What `config.json` holds.

    Args:
        command: What the run does: `run`, `discover`, `tune` or `compare`.
        options: The user's options.
        resolved: What came of options that were left to the data set.
        devices: What trains, of workers those that were there at the start.
        trained_on: What `platform` gives where the devices are.
    """
    chosen = {name: value for name, value in asdict(options).items() if name not in _EXECUTION}
    config = {
        "format": FORMAT,
        "command": command,
        "options": _as_json(chosen),
        "resolved": _as_json(dict(resolved)),
        "platform": dict(trained_on),
        "versions": {"python": python_version()} | decisive_versions() | {name: version(name) for name in _OTHERS},
        "devices": list(devices),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    return sealed(config)


def sealed(config: Mapping[str, Any]) -> dict[str, Any]:
    """With a checksum of what it says."""
    content = {name: value for name, value in config.items() if name != "checksum"}
    return content | {"checksum": checksum(content)}


def read_config(directory: Path) -> dict[str, Any]:
    """What a run's `config.json` says.

    Raises:
        RunDirectoryError: It cannot be read, is damaged or was changed, or is of another format.
    """
    path = directory / FILE
    try:
        config = json.loads(path.read_bytes())
        if not isinstance(config, dict) or "format" not in config:
            raise ValueError("no field 'format'")
    except (OSError, ValueError, RecursionError) as error:
        cause = " ".join(str(error).split())
        raise RunDirectoryError(f"{path} cannot be read ({cause}); start anew in another folder.") from error
    if config["format"] != FORMAT:
        raise RunDirectoryError(
            f"{path} has format {str(config['format'])[:20]!r}, and this version of glojax reads format {FORMAT}; "
            "go on with the version of glojax that made it."
        )
    if config != sealed(config):
        raise RunDirectoryError(
            f"{path} is damaged or was changed: its checksum does not fit. Restore it, or start anew in another folder."
        )
    return config


def read_options(options_type: type[Options], config: Mapping[str, Any]) -> Options:
    """The user's options as `config.json` has them.

    Raises:
        RunDirectoryError: They are not what the command takes.
        ConfigurationError: One is out of its range.
    """
    settings = dacite.Config(strict=True, cast=[tuple, Path])
    try:
        return dacite.from_dict(options_type, config["options"], settings)
    except (dacite.DaciteError, TypeError, KeyError, AttributeError) as error:
        cause = " ".join(str(error).split())
        raise RunDirectoryError(f"{FILE} holds options that this command does not take: {cause}.") from error


def accept(directory: RunDirectory, current: Mapping[str, Any], allow_change: bool) -> None:
    """See whether a run may go on here; a change that is allowed is written to `config.json`.

    Args:
        directory: Of the run.
        current: What `config.json` would be if the run began now.
        allow_change: Whether it goes on though its results may change.

    Raises:
        RunDirectoryError: It may not.
    """
    recorded = read_config(directory.path)
    found = differences(recorded, current)
    if found and not allow_change:
        raise RunDirectoryError(
            f"Since {directory.path} began, its results could have changed: {'; '.join(found)}. Restore what was, or "
            "go on all the same with --allow-version-change."
        )
    if found:
        change = {"at": current["started"], "differences": found}
        changed = {**current, "started": recorded["started"], "changes": [*recorded.get("changes", []), change]}
        directory.write_json(FILE, sealed(changed))


def differences(recorded: Mapping[str, Any], current: Mapping[str, Any]) -> list[str]:
    """What is not as it was when the run began, and could change its results; one text for each."""
    found = []
    for part in ("options", "resolved", "platform", "versions"):
        was, now = _flat(recorded.get(part)), _flat(current[part])
        found += [
            f"{name} was {was.get(name)!r} and is {now.get(name)!r}"
            for name in dict.fromkeys([*was, *now])
            if was.get(name) != now.get(name) and name not in _INDIFFERENT
        ]
    return found


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested objects as one, by dotted names."""
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for name, inner in value.items():
        flat |= _flat(inner, f"{prefix}.{name}" if prefix else str(name))
    return flat


def _as_json(options: dict[str, Any]) -> Any:
    """As it reads back from a file."""
    return json.loads(json.dumps(options, default=_path_as_text))


def _path_as_text(value: Any) -> str:
    if not isinstance(value, Path):
        raise TypeError(f"{value!r} has no form in JSON")
    # From wherever the run goes on.
    return str(value.expanduser().absolute())
