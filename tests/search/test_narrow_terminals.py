"""The results on terminals of few columns."""

import io

import pytest
from rich.console import Console

from glojax.search.comparison import ComparedLoss, Comparison, Scores, WelchTest
from glojax.search.results import print_comparison
from glojax.terminal import print_text

NAMES = ("discovered", "generalized_cross_entropy", "cross_entropy_best_rate")
#: A rate as a sweep finds it.
RATE = 0.05 * 3**0.5


@pytest.mark.parametrize(("width", "with_validation"), [(60, False), (80, True)])
def test_each_loss_of_a_comparison_has_a_row(width: int, with_validation: bool) -> None:
    scores = Scores.of([0.75, 0.5])
    losses = [ComparedLoss(name, "x * y", RATE, scores, scores, 0, []) for name in NAMES]
    comparison = Comparison(losses, [WelchTest(NAMES[0], name, 0.00123) for name in NAMES[1:]])
    console = Console(file=io.StringIO(), force_terminal=True, width=width, no_color=True)
    print_comparison(comparison, 2, "official", "accuracy", 0.0, console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines()
    assert max(map(len, lines)) <= width
    score = ["0.6250", "(0.1768)"]
    row = ["0.0866", *score * with_validation, *score]
    start = next(index for index, line in enumerate(lines) if line.startswith("loss"))
    assert [line.split() for line in lines[start + 1 : start + 4]] == [
        [NAMES[0], *row],
        *([name, *row, "0.0012"] for name in NAMES[1:]),
    ]


@pytest.mark.parametrize(("terminal", "num_lines"), [(True, 4), (False, 1)])
def test_sentences_wrap_between_words_on_a_terminal_alone(terminal: bool, num_lines: int) -> None:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=10)
    print_text("a sentence [of words] 0.5 with numbers", console, wraps=True)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == num_lines
    assert " ".join(" ".join(lines).split()) == "a sentence [of words] 0.5 with numbers"
