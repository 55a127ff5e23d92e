"""`config.json`: the options of a run and what it ran on, and whether the run may go on here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import Any, TypeVar

import dacite

from glojax.datasets import names_files
from glojax.errors import RunDirectoryError, in_one_line
from glojax.evaluation import checksum, decisive_versions
from glojax.files import expanded
from glojax.regular_files import read_json
from glojax.search.execution import ResumeOptions
from glojax.search.options import CommonOptions
from glojax.search.run_directory import TUNING_EVENTS, RunDirectory, resume_command
from glojax.training import TrainingConfig, config_record, recorded_config, recorded_functions
from glojax.training.named_functions import absolute_import_path

Options = TypeVar("Options", bound=CommonOptions)

FORMAT = 2
FILE = "config.json"

#: The types of its fields, apart from the checksum.
_FIELDS = {
    **dict.fromkeys(("command", "started"), str),
    **dict.fromkeys(("options", "resolved", "platform", "versions"), dict),
    **dict.fromkeys(("devices", "changes"), list),
}

#: Packages whose versions are recorded only.
_OTHERS = ("scikit-learn", "scipy", "matplotlib")

#: Options of a run's execution, which do not change its results.
_EXECUTION = ("run_dir", "execution")

#: Fields that may differ without a change of results; the data's place, for instance, if its fingerprint is the same.
_INDIFFERENT = ("dataset", "data_dir", "dataset_origin", "python", *_OTHERS)

#: Fields whose values say nothing to a person.
_IN_WORDS = {"computation": "the network, or how it is trained, computes something else"}


def run_config(
    command: str, options: CommonOptions, resolved: dict[str, Any], devices: Sequence[str], platform: dict[str, str]
) -> dict[str, Any]:
    """Return the content of `config.json`."""
    names = [field.name for field in fields(options) if field.name not in _EXECUTION]
    values = {name: getattr(options, name) for name in names} | {"training": config_record(options.training)}
    values["dataset"] = options.dataset_source.absolute().name  # the run may go on in another working directory
    config = {
        "format": FORMAT,
        "command": command,
        "options": _as_json(values),
        "resolved": _as_json(resolved),
        "platform": platform,
        "versions": {"python": python_version()} | decisive_versions() | {name: version(name) for name in _OTHERS},
        "devices": list(devices),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    return sealed(config)


def sealed(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration with its checksum."""
    content = {name: value for name, value in config.items() if name != "checksum"}
    return content | {"checksum": checksum(content)}


def read_config(directory: Path) -> dict[str, Any]:
    """Read a run's `config.json`; its fields have their types, but options may have any.

    Raises:
        RunDirectoryError: It cannot be read, is of another version, or was changed.
    """
    path = directory / FILE
    try:
        config = read_json(path)
        if "format" not in config:
            raise ValueError("no field 'format'")
    except (OSError, ValueError) as error:
        raise RunDirectoryError(
            f"{path} cannot be read ({in_one_line(error)}); start anew in another folder."
        ) from error
    if config["format"] != FORMAT:
        versions = config.get("versions")
        maker = str(versions.get("glojax", "?") if isinstance(versions, dict) else "?")[:20]
        raise RunDirectoryError(
            f"{path} was made by glojax {maker} (format {str(config['format'])[:20]}), and glojax {version('glojax')} "
            f"reads format {FORMAT}: go on with glojax {maker}, or start anew in another folder."
        )
    if config != sealed(config):
        raise RunDirectoryError(
            f"{path} is damaged or was changed: its checksum does not fit. Restore it, or start anew in another folder."
        )
    for name, kind in _FIELDS.items():
        if not isinstance(config.get(name, [] if name == "changes" else None), kind):
            raise RunDirectoryError(
                f"{path} was changed: its field {name!r} is no {kind.__name__}. Restore it, or start anew in another "
                "folder."
            )
    return config


def read_options(options_type: type[Options], config: Mapping[str, Any], resume: ResumeOptions) -> Options:
    """Return the user's options as `config.json` has them; the data is where the resuming user says.

    Raises:
        RunDirectoryError: The options are not those of the command, or name data or functions outside of the run that
            the resuming user does not name: anybody may have written them.
    """
    settings = dacite.Config(strict=True, cast=[tuple, Path], type_hooks={TrainingConfig: recorded_config})
    try:
        data, functions = _outside(config)
        allowed = set(map(absolute_import_path, resume.functions))
        if (data is not None and resume.data_dir is None) or not set(functions) <= allowed:
            raise RunDirectoryError(
                f"{resume.run_dir} uses {' and '.join(filter(None, [data, *functions]))}, and its sender may have "
                f"chosen that; if it is yours, go on with: {go_on_command(resume.run_dir, config)}"
            )
        options = dacite.from_dict(options_type, config["options"], settings)
        if resume.data_dir is None:
            return options
        is_path = names_files(options.dataset)
        return replace(options, **({"dataset": str(resume.data_dir)} if is_path else {"data_dir": resume.data_dir}))
    except (dacite.DaciteError, TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        cause = in_one_line(error)
        raise RunDirectoryError(f"{FILE} holds options that this command does not take: {cause}.") from error


def go_on_command(directory: Path, config: Mapping[str, Any]) -> str:
    """Return the command that goes on with a run, which names what is outside of it."""
    data, functions = _outside(config)
    named = ["--data-dir", data] if data is not None else []
    return resume_command(directory, *named, *(["--functions", *functions] if functions else []))


def _outside(config: Mapping[str, Any]) -> tuple[str | None, list[str]]:
    """Return the path of the data, if the user gave one, and the import paths of functions."""
    options = config["options"]
    data, dataset = options.get("data_dir"), options.get("dataset")
    if data is None and isinstance(dataset, str) and names_files(dataset):
        data = dataset
    if not isinstance(data, str | None):
        raise TypeError(f"a path that is {data!r}")
    network = str(options.get("network"))
    return data, [*recorded_functions(options.get("training", {})), *([network] if ":" in network else [])]


def accept(directory: RunDirectory, current: Mapping[str, Any], allow_change: bool) -> None:
    """Check whether a run may go on here; an allowed change is written to `config.json`.

    More generations than the run began with are no change: what it has done stays as it is.
    """
    recorded = read_config(directory.path)
    generations = current["options"].get("generations")
    if generations != recorded["options"].get("generations", generations):
        # These files go on where the discovery ended before, or follow from what it found.
        for name in ("candidates.jsonl", "tuning.jsonl", TUNING_EVENTS):
            (directory.path / name).unlink(missing_ok=True)
        recorded = sealed(recorded | {"options": recorded["options"] | {"generations": generations}})
        directory.write_json(FILE, recorded)
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
    """Return a text for each difference that could change the run's results."""
    found = []
    for part in ("options", "resolved", "platform", "versions"):
        was, now = _flat(recorded.get(part)), _flat(current[part])
        found += [
            _IN_WORDS.get(name, f"{name} was {was.get(name)!r} and is {now.get(name)!r}")
            for name in dict.fromkeys([*was, *now])
            if was.get(name) != now.get(name) and name not in _INDIFFERENT
        ]
    return found


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Return nested objects as one, by dotted names."""
    if not isinstance(value, dict):
        return {prefix: value}
    parts = [_flat(inner, f"{prefix}.{name}" if prefix else str(name)) for name, inner in value.items()]
    return {name: inner for part in parts for name, inner in part.items()}


def _as_json(values: Mapping[str, Any]) -> Any:
    """Return values as they read back from a file."""

    def convert(value: Any) -> Any:
        return str(expanded(value).absolute()) if isinstance(value, Path) else asdict(value)

    return json.loads(json.dumps(values, default=convert))
