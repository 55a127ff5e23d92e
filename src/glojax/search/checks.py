"""Checks of options, and hints for the user."""

import difflib
from collections.abc import Iterable, Sequence

from glojax.errors import ConfigurationError


def require_at_least(minimum: int, **values: int | None) -> None:
    """Raise ConfigurationError for the first value below `minimum`; None passes."""
    for name, value in values.items():
        if value is not None and value < minimum:
            flag = "--" + name.replace("_", "-")
            raise ConfigurationError(f"{flag} is {value}; expected a whole number of at least {minimum}.")


def require_distinct(name: str, losses: Sequence[str]) -> None:
    """Raise ConfigurationError unless there is a loss, and none twice."""
    if not losses:
        raise ConfigurationError(f"--{name} names no loss; give at least one.")
    repeated = sorted({loss for loss in losses if losses.count(loss) > 1})
    if repeated:
        raise ConfigurationError(f"--{name} has {repeated[0]!r} more than once; give each loss once.")


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint with the known word that is most like `word`, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""
