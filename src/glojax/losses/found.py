"""Losses that searches of glojax found, by name, in the shortest form that trains alike.

They are no part of what a search begins with, so that searches stay independent of each other.
"""

from typing import Final, NamedTuple


class FoundLoss(NamedTuple):
    """A loss that a search found: minus the sum over the classes of an expression.

    Attributes:
        text: The expression, of the same shape as what was found, with other scale and terms that have no gradient.
        record: The record of the search, or of the one whose random control found it, below `experiments/results`.
        task: What the search was for, with its network and the optimizer's steps.
    """

    text: str
    record: str
    task: str


#: See `docs/found.md` for how they compare with the literature, and what they do.
FOUND: Final[dict[str, FoundLoss]] = {
    "smoothed_root": FoundLoss(
        "sqrt(y) * (x + 0.153776)",
        "contest/searches/digits_seed_2.json",
        "digits, DigitsCNN, 300 steps of SGD",
    ),
    "penalized_root": FoundLoss(
        "x * sqrt(y) - 0.127453*(y * log(y))",
        "longer_verdict/mnist_SmallMLP_steps_2000_seed_0.json",
        "MNIST, SmallMLP, 2,000 steps of SGD",
    ),
    "penalized_symmetric": FoundLoss(
        "x * log(y) + 0.777914*(x * y) - 0.409118*(y * log(y))",
        "contest/searches/digits_imbalance_0.01_seed_4.json",
        "digits with classes up to a hundred times rarer than others, DigitsCNN, 300 steps of SGD",
    ),
    "smoothed_focal": FoundLoss(
        "x * log(0.212826*y) * (1 - 1.095266*y)^2",
        "contest/searches/mnist_imbalance_0.01_seed_2.json",
        "MNIST with classes up to a hundred times rarer than others, SmallMLP, 500 steps of SGD",
    ),
    "smoothed_absolute_error": FoundLoss(
        "4.725 * x * y + sqrt(y)",
        "contest/searches/digits_20_wrong_seed_2.json",
        "digits with 20 % of the labels wrong, DigitsCNN, 300 steps of SGD",
    ),
    "root_cross_entropy": FoundLoss(
        "47.099 * x * sqrt(y) + x * log(y)",
        "contest/searches/mnist_20_wrong_seed_1.json",
        "MNIST with 20 % of the labels wrong, SmallMLP, 500 steps of SGD",
    ),
    "three_quarter_power": FoundLoss(
        "x * y^0.75",
        "contest/searches/digits_60_wrong_seed_3.json",
        "digits with 60 % of the labels wrong, DigitsCNN, 300 steps of SGD",
    ),
    "penalized_absolute_error": FoundLoss(
        "20.72 * x * y + 0.053*log(y)",
        "contest/searches/mnist_40_wrong_pairs_seed_0.json",
        "MNIST with 40 % of the labels wrong in pairs, SmallMLP, 500 steps of SGD",
    ),
    "bootstrapped_root": FoundLoss(
        "2 * x * y + y^2 + sqrt(y)",
        "contest/searches/digits_40_wrong_pairs_seed_0.json",
        "digits with 40 % of the labels wrong in pairs, DigitsCNN, 300 steps of SGD; by the search's random control",
    ),
    "root_baikal": FoundLoss(
        "sqrt(y) - 1.5 * x / sqrt(y)",
        "contest/searches/digits_Adam_seed_4.json",
        "digits, DigitsCNN, 300 steps of Adam",
    ),
    "smoothed_poly": FoundLoss(
        "log(0.168427*y) * (0.0196956 + x * (0.565999 - y))",
        "contest/searches/mnist_Adam_seed_1.json",
        "MNIST, SmallMLP, 500 steps of Adam",
    ),
    "confident_root": FoundLoss(
        "sqrt(y) * (0.7956676 + (0.8274826*x + y) * (1.2477092*x + log(1.90501*y)))",
        "contest/searches/digits_40_wrong_Adam_seed_2.json",
        "digits with 40 % of the labels wrong, DigitsCNN, 300 steps of Adam",
    ),
}
