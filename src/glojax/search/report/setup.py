"""What a run was made with, and how it goes on."""

from collections.abc import Iterator, Mapping
from typing import Any

from glojax.reporting.elements import Element, element, shortened, table
from glojax.search.report.records import Records

#: Rows of a table of settings, at most.
_MAX_SETTINGS = 400

#: What is shown first, by dotted names.
_FIRST = {
    "data": "dataset",
    "network": "network",
    "training": "training.num_steps",
    "batch size": "training.batch_size",
    "optimizer": "training.optimizer.name",
    "preset": "preset",
    "generations": "generations",
    "candidates in a generation": "genetic.population_size",
    "seed": "seed",
}


def setup(run: Records) -> Element:
    """Return configuration, versions, devices, and the command that goes on with the run."""
    options = dict(_flat(run.options))
    sizes = run.config["resolved"].get("dataset_sizes")
    first = {name: options[key] for name, key in _FIRST.items() if key in options}
    if "training" in first:
        first["training"] = f"{first['training']} steps"
    first["network"] = str(run.config["resolved"].get("network", first.get("network", "")))
    if isinstance(sizes, Mapping):
        first["examples"] = ", ".join(f"{number} {name}" for name, number in list(sizes.items())[:9])
    first |= {"data from": str(run.config["resolved"].get("dataset_origin", "")), "begun": run.config["started"]}
    first["devices"] = ", ".join(map(str, run.config["devices"]))
    further = ""
    if "generations" in options:
        further = " It also goes on after its end: add --generations and a greater number."
    versions = dict(_flat(run.config["versions"])) | dict(_flat(run.config["platform"]))
    return element(
        "div",
        _settings(first),
        _folded("All options", options),
        _folded("Versions and platform", versions),
        *(
            [_folded("Changes since it began", dict(_flat({"": run.config["changes"]})))]
            if "changes" in run.config
            else []
        ),
        element("p", f"A run that was interrupted goes on with what follows, and does no training twice.{further}"),
        element("div", element("button", "Copy", type="button"), element("pre", run.resume_command), class_="copied"),
    )


def _folded(title: str, settings: Mapping[str, str]) -> Element:
    return element("details", element("summary", title), _settings(settings))


def _settings(settings: Mapping[str, str]) -> Element:
    rows: list[list[Element | str]] = [
        [name, shortened(value, 300)] for name, value in list(settings.items())[:_MAX_SETTINGS] if value
    ]
    return table(["", ""], rows, class_="settings")


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield nested settings by dotted names, as text; those that are not set are left out."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{prefix}.{name}" if prefix else str(name))
    elif value is not None:
        yield prefix, ", ".join(map(str, value)) if isinstance(value, list) else str(value)
