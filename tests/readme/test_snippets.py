"""The README's Python code runs as it stands there."""

import re
from pathlib import Path
from typing import Any

README = Path(__file__).parents[2] / "README.md"


def test_the_snippets_run_one_after_the_other() -> None:
    snippets = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    for snippet in snippets:
        # The same lines with budgets of a test.
        exec(re.sub(r"num_steps=\d+", "num_steps=5", snippet), names)
    assert names["loss"].shape == ()
    assert names["result"].scores["validation"].shape == (3,)
    assert names["found"][0].evaluation.fitness > 0
    assert len(names["search"].evaluations) == 20
    assert names["search"].best.fitness > 0
