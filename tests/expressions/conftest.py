import sys
from collections.abc import Iterator

import pytest


@pytest.fixture
def low_recursion_limit() -> Iterator[None]:
    """A few hundred calls deeper than here, Python stops."""
    depth, frame = 0, sys._getframe()
    while frame.f_back:
        depth, frame = depth + 1, frame.f_back
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(depth + 200)
    yield
    sys.setrecursionlimit(limit)
