"""What tests of experiments share."""

import pytest

from glojax.networks import NETWORKS
from tests.linear_network import LinearNetwork


@pytest.fixture
def linear_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a network that compiles fast stand in for the one of the digits."""
    monkeypatch.setitem(NETWORKS, "DigitsCNN", LinearNetwork)
