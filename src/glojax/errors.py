"""The exceptions that glojax raises for mistakes of its users.

Each message says what glojax received, what it expected and what to do; the command line prints it and exits with 2.
"""

import difflib
import unicodedata
from collections.abc import Iterable
from typing import Final

#: Categories of characters that may command a terminal or reverse a line, or that cannot be encoded.
_COMMANDING: Final = {"Cc", "Cf", "Cs", "Zl", "Zp"}


class GlojaxError(Exception):
    """The base of every error that glojax raises on purpose."""


class ExpressionError(GlojaxError):
    """A loss expression is not valid, or is larger than allowed."""


class ConfigurationError(GlojaxError):
    """An option or a combination of options makes no sense."""


class DatasetError(GlojaxError):
    """A data set is unknown, missing, or has other contents than its name says."""


class RunDirectoryError(GlojaxError):
    """A run directory cannot be used."""


class UnfitFileError(GlojaxError, OSError):
    """A file is a link, a pipe or a device where glojax expects its own, or is larger than any that it writes."""


class ClusterError(GlojaxError):
    """A cluster cannot be reached, or cannot meet a request."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint with the known word that is most like `word`, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def in_one_line(error: Exception) -> str:
    """Return an error's message without line breaks, or the name of its type if it has none."""
    return " ".join(str(error).split()) or type(error).__name__


def printable(text: str) -> str:
    r"""Return a text whose control characters, line feeds excepted, are written as escapes.

    Examples:
        >>> print(printable("red \x1b[31m"))
        red \x1b[31m
    """
    return "".join(
        char.encode("unicode_escape").decode() if char != "\n" and unicodedata.category(char) in _COMMANDING else char
        for char in text
    )
