"""The losses with a name that searches found: they train as what the records of these searches hold."""

import numpy as np
import pytest

from experiments import found_losses
from experiments.found_losses import relative_pull
from experiments.records import RESULTS, Records, read_record
from glojax.errors import ExpressionError
from glojax.evaluation import shape_of
from glojax.expressions import LossTree
from glojax.losses import CATALOG, FOUND, find_tree, make_loss


@pytest.mark.parametrize("name", FOUND)
def test_a_found_loss_has_the_shape_of_what_its_record_holds(name: str) -> None:
    result = read_record(RESULTS / FOUND[name].record)["outcome"]["result"]
    found = LossTree.parse((result["control"] if "random control" in FOUND[name].task else result)["expression"])
    assert shape_of(find_tree(name), 10).fingerprint == shape_of(found, 10).fingerprint


def test_found_losses_have_names_of_their_own() -> None:
    assert not FOUND.keys() & CATALOG.keys()
    assert make_loss("smoothed_root").tree == LossTree.parse(FOUND["smoothed_root"].text)
    with pytest.raises(ExpressionError, match="The loss smoothed_root is for classification, and x and y are numbers"):
        find_tree("smoothed_root", "real")
    with pytest.raises(ExpressionError, match="Did you mean 'smoothed_root'"):
        find_tree("smoothed_rot")


def test_the_pull_of_cross_entropy_is_one_minus_the_probability_and_certainty_is_pushed_back() -> None:
    points = np.array([0.001, 0.1, 0.5, 0.99])
    np.testing.assert_allclose(relative_pull("cross_entropy", points), (1 - points) / 0.9, rtol=1e-6)
    assert relative_pull("smoothed_root", points)[-1] < 0 < relative_pull("generalized_cross_entropy", points)[-1]
    text = found_losses.report(found_losses.Options(), Records()).text
    assert "| cross_entropy | `x * log(y)` | 1.110 |" in text
