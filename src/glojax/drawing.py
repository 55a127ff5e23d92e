"""The style of all pictures."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib


@contextmanager
def own_style() -> Iterator[None]:
    """Draw with matplotlib's defaults, whatever a user's or a folder's matplotlibrc says; texts are taken as they are.

    Names come from files: a dollar sign in one begins no formula, no LaTeX is started, and the warning of a character
    that no font has, which repeats it, is left out.
    """
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")
        matplotlib.rcdefaults()
        matplotlib.rcParams["text.parse_math"] = False
        yield
