"""The recipe of each data set: how candidates are trained on it by default."""

from typing import NamedTuple

from glojax.training import TrainingConfig


class Recipe(NamedTuple):
    """A network, by its name in `NETWORKS`, and the configuration of a training."""

    network: str
    training: TrainingConfig


_DIGITS = TrainingConfig(num_steps=200, batch_size=64, learning_rate=0.05)
_MNIST = TrainingConfig(num_steps=2000, batch_size=100, learning_rate=0.01)
_CIFAR = TrainingConfig(
    num_steps=500, batch_size=1024, learning_rate=0.05, weight_decay=0.004, decay_every_epochs=350, augmentation="cifar"
)

#: The recipes of MNIST and CIFAR-10 are the paper's (section IV-A), which gives no number of steps for CIFAR-10; with
#: that of digits, a whole search takes two or three minutes on two cores.
RECIPES = {
    "digits": Recipe("DigitsCNN", _DIGITS),
    "mnist": Recipe("MnistCNN", _MNIST),
    "fashion_mnist": Recipe("MnistCNN", _MNIST),
    "cifar10": Recipe("CifarCNN", _CIFAR),
}


def recipe_of(dataset: str) -> Recipe:
    """Return the recipe of a data set; the one of users' own data if the name is not in `RECIPES`."""
    return RECIPES.get(dataset, Recipe("SmallCNN", _DIGITS))
