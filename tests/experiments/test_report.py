from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments import test_accuracy
from experiments.binary_loss import minimum
from experiments.loss_surfaces import surface
from experiments.output_histograms import peaks
from experiments.records import Records
from experiments.report import (
    broken_off_in_words,
    gain_in_words,
    mean_and_sd,
    p_in_words,
    seeds_in_words,
    table,
    welch_p,
)
from experiments.trainings import Training
from glojax.losses import CATALOG
from tests.experiments.records import add


def test_the_test_gives_the_paper_s_p_values_for_its_accuracies() -> None:
    """Source: Gonzalez and Miikkulainen (2020), figure 2 and section IV-C."""
    paper = test_accuracy.PAPER
    assert welch_p(paper["cross_entropy"], paper["baikal"]) == pytest.approx(2.4e-11, rel=0.01)
    assert welch_p(paper["baikal"], paper["baikal_cma"]) == pytest.approx(8.5045e-6, rel=0.01)


@pytest.mark.parametrize(("first", "second"), [([0.5], [0.6, 0.7]), ([0.5, 0.5], [0.6, 0.6])])
def test_where_it_is_not_defined_there_is_none(first: list[float], second: list[float]) -> None:
    assert welch_p(first, second) is None
    assert p_in_words(first, second) == "needs two seeds"


def test_means_say_what_they_are_of() -> None:
    assert mean_and_sd([]) == "not yet run"
    assert mean_and_sd([0.5]) == "0.5000"
    assert mean_and_sd([0.5, 0.7]) == "0.6000 (sd 0.1414)"


def test_gains_have_welch_s_interval_where_there_are_seeds_enough() -> None:
    assert gain_in_words([0.5], []) is None
    assert gain_in_words([0.5], [0.75, 0.75]) == "+0.2500"
    # By hand: standard error 0.05, 2 degrees of freedom, t = 4.302653.
    assert gain_in_words([0.5, 0.6], [0.7, 0.8]) == "+0.2000 (-0.1042 to +0.5042)"


def test_numbers_of_seeds_are_told_apart_where_they_differ() -> None:
    assert seeds_in_words([0.1, 0.2], [0.3, 0.4]) == "2"
    assert seeds_in_words([0.1, 0.2], [], [0.3]) == "2 / 0 / 1"


def test_trainings_that_broke_off_are_named(tmp_path: Path) -> None:
    training = Training(loss="cross_entropy", steps=5, learning_rate=0.05, dataset="digits")
    records = Records(tmp_path)
    assert broken_off_in_words(records, [training]).endswith(": none did so here.")
    add(records, replace(training, seed=3), [0.0], finite=False)
    assert ": cross-entropy with seed 3 (" in broken_off_in_words(records, [training])


def test_tables() -> None:
    assert table(("a", "b"), [(1, None)]) == "| a | b |\n| --- | --- |\n| 1 |  |\n"


def test_minima_of_two_classes_are_exact() -> None:
    assert minimum(CATALOG["baikal"]) == pytest.approx(0.5**0.5, abs=1e-9)
    assert minimum(CATALOG["cross_entropy"]) == 1
    # c1 * (1 / (1 - y) - 1 / y) = c3 c4 / (c5 y^2), solved by hand for y.
    a, b = 0.9863, 1.1135 * 1.3716 / 0.8411
    assert minimum(CATALOG["baikal_cma"]) == pytest.approx(max(np.roots([2 * a, b - a, -b])), abs=1e-9)


def test_the_surface_s_edge_is_the_binary_loss() -> None:
    probs = np.array([0.2, 0.5, 0.9])
    expected = -(np.log(probs) - 1 / probs + np.log(1 - probs))
    np.testing.assert_allclose(surface(CATALOG["baikal"], np.array([1.0]), probs)[0], expected, rtol=1e-5)
    np.testing.assert_allclose(surface(CATALOG["baikal"], np.array([0.0]), 1 - probs)[0], expected, rtol=1e-5)


def test_peaks_are_those_of_the_largest_tenth_and_of_the_rest() -> None:
    counts = np.zeros(100, int)
    counts[[3, 4]] = 450, 450
    counts[[80, 81, 95]] = 20, 60, 20
    np.testing.assert_allclose(peaks(counts, num_images=100), (0.035, 0.815))
