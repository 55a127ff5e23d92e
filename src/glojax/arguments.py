"""What all command lines of glojax ask of their arguments."""

import re
from collections.abc import Sequence

from glojax.errors import ConfigurationError

_NEGATION = re.compile(r"(^--|\.)no-")


def require_once(arguments: Sequence[str]) -> None:
    """Raise ConfigurationError for the first option that is given again: the parser would drop what came first."""
    given = set[str]()
    for argument in arguments:
        flag = _NEGATION.sub(r"\1", argument.partition("=")[0].replace("_", "-"))
        if flag.startswith("--") and flag in given:
            raise ConfigurationError(f"{flag} is given more than once; give it once, with all its values behind it.")
        given.add(flag)
