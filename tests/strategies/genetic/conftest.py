from collections.abc import Callable

import pytest
from scipy.stats import binomtest


@pytest.fixture
def assert_rate() -> Callable[[int, int, float], None]:
    """Whether `successes` out of `trials` may come from a probability of `rate`; wrong once in a million."""

    def check(successes: int, trials: int, rate: float) -> None:
        p_value = binomtest(int(successes), trials, rate).pvalue
        assert p_value > 1e-6, f"{successes} of {trials} is {successes / trials:.4f}; expected {rate:.4f}"

    return check
