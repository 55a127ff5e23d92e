"""The recipe of each data set: how candidates are trained on it by default."""

from typing import NamedTuple

from glojax.training import TrainingConfig


class Recipe(NamedTuple):
    """A network, by its name in `NETWORKS`, and the configuration of a training."""

    network: str
    training: TrainingConfig


_MNIST = Recipe("MnistCNN", TrainingConfig(num_steps=2000, batch_size=100, learning_rate=0.01))

#: The recipes of MNIST and CIFAR-10 are the paper's (section IV-A), which gives no number of steps for CIFAR-10; with
#: that of digits, a whole search takes two or three minutes on two cores.
RECIPES = {
    "digits": Recipe("DigitsCNN", TrainingConfig(num_steps=200, batch_size=64, learning_rate=0.05)),
    "mnist": _MNIST,
    "fashion_mnist": _MNIST,
    "cifar10": Recipe(
        "CifarCNN",
        TrainingConfig(
            num_steps=500,
            batch_size=1024,
            learning_rate=0.05,
            weight_decay=0.004,
            decay_every_epochs=350,
            augmentation="cifar",
        ),
    ),
}


def recipe_of(dataset: str) -> Recipe:
    """Return the recipe of a data set; that of the user's own data if the name is not in `RECIPES`."""
    return RECIPES.get(dataset, Recipe("SmallCNN", TrainingConfig(num_steps=200, batch_size=64, learning_rate=0.05)))
