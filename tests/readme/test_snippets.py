"""The Python code of README and documentation runs as it stands there, and what they list is what there is."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glojax.expressions import OPERATORS
from glojax.losses import PUBLISHED
from glojax.losses.operations import OPERATIONS
from glojax.tasks import TASKS

ROOT = Path(__file__).parents[2]


def snippets(path: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / path).read_text(), re.DOTALL)


def run_with_few_steps(path: str) -> dict[str, Any]:
    """Run the snippets of a page one after the other, with budgets of a test; return what they have named."""
    names: dict[str, Any] = {}
    for snippet in snippets(path):
        exec(re.sub(r"num_steps=\d+", "num_steps=5", snippet), names)
    return names


def test_the_snippet_of_the_readme_runs() -> None:
    names = run_with_few_steps("README.md")
    assert names["loss"].shape == ()
    assert names["found"][0].evaluation.fitness > 0


def test_the_snippets_of_the_tutorial_say_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for snippet in snippets("docs/tutorial.md"):
        exec(snippet, names)
    assert "import torch" in capsys.readouterr().out
    assert names["shape"].fingerprint == names["same"].fingerprint
    np.testing.assert_allclose(names["known"].pull / names["shape"].pull, 17, rtol=0.01)
    np.testing.assert_allclose(names["same"].pull / names["shape"].pull, 12 * np.sqrt(2), rtol=1e-9)


def test_the_readme_is_for_a_stranger() -> None:
    assert len((ROOT / "README.md").read_text().split()) <= 1300


def test_the_snippets_about_the_library_run_one_after_the_other() -> None:
    names = run_with_few_steps("docs/library.md")
    assert names["loss"].shape == ()
    assert names["result"].scores["validation"].shape == (3,)
    assert names["found"][0].evaluation.fitness > 0
    assert len(names["search"].evaluations) == 20
    assert names["search"].best.fitness > 0


def test_the_snippets_about_losses_run_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    try:
        for snippet in snippets("docs/losses.md"):
            exec(snippet, names)
    finally:
        del OPERATORS["softplus"], OPERATIONS["softplus"]
    printed = capsys.readouterr().out
    assert "Loss('log(y) - x / y') [" in printed
    assert "import torch" in printed
    assert "Loss('x * softplus(y)')" in printed


def test_the_snippets_about_tasks_run_one_after_the_other(capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {}
    for snippet in snippets("docs/tasks.md"):
        exec(snippet, names)
    assert capsys.readouterr().out == "regression 1 [80, 20]\n"
    # A policy that does not learn has a mean reward of about 0, and the best possible one of about 1.
    assert 0.3 < names["found"][0].evaluation.fitness < 1.5


def test_every_metric_is_in_the_documentation() -> None:
    rows = re.findall(r"^\| (\w+) \| .* \| ([a-z0-9_, ]+) \|$", (ROOT / "docs/tasks.md").read_text(), re.MULTILINE)
    assert {name: tuple(listed.split(", ")) for name, listed in rows if name != "task"} == {
        task.name: task.metrics for task in TASKS.values()
    }


def test_the_snippets_about_networks_run_one_after_the_other() -> None:
    names: dict[str, Any] = {}
    for snippet in snippets("docs/networks.md"):
        exec(snippet, names)
    assert names["train"].num_outputs == 10
    assert names["config"].optimizer is names["clipped_cosine"]
    result, dataset = names["result"], names["dataset"]
    assert result.curve.shape == (2, len(names["stopping"].evaluated_steps))
    np.testing.assert_array_equal(result.scores["validation"], np.nanmax(result.curve, axis=1))
    np.testing.assert_array_equal(result.num_steps, 10 * np.isfinite(result.curve).sum(axis=1))
    probs = names["probs"]
    accuracy = (probs.argmax(axis=-1) == dataset.splits["test"].targets).mean(axis=1)
    np.testing.assert_allclose(accuracy, result.scores["validation"], atol=0.1)
    assert names["model"](dataset.splits["test"].inputs[0].ravel()).argmax() == probs[0, 0].argmax()


def test_every_published_loss_is_in_the_documentation() -> None:
    rows = re.findall(r"^\| (\w+) \| .* \| (.*) \| ([a-z-]+) \|$", (ROOT / "docs/losses.md").read_text(), re.MULTILINE)
    listed = {name: (parameters, task) for name, parameters, task in rows if name != "name"}
    assert listed == {
        name: (", ".join(f"{key} = {value:g}" for key, value in published.parameters.items()), published.purpose)
        for name, published in PUBLISHED.items()
    }
