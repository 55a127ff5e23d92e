"""The progress of a search without a command line."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from glojax.evaluation import Evaluation


@contextmanager
def progress_bar(total: int | None, is_shown: bool) -> Iterator[Callable[[Evaluation], None]]:
    """Yield a function that counts an evaluation, in a notebook's widget or in a line on standard error."""
    if not is_shown:
        yield lambda evaluation: None
        return
    with warnings.catch_warnings(action="ignore"):  # in a notebook without ipywidgets it writes a line, and says so
        from tqdm.auto import tqdm

    best = float("-inf")
    with tqdm(total=total, unit="candidate") as bar:

        def count(evaluation: Evaluation) -> None:
            nonlocal best
            if evaluation.fitness is not None and evaluation.fitness > best:
                best = evaluation.fitness
                bar.set_postfix_str(f"best {best:.4g}", refresh=False)
            bar.update()

        yield count
