"""The network and the training of each data set, where the user names none."""

from typing import NamedTuple

from glojax.datasets import Dataset
from glojax.training import Optimizer, TrainingConfig


class Recipe(NamedTuple):
    """A network, by its name in `NETWORKS`, or None for one that fits the data, and the configuration of a training."""

    network: str | None
    training: TrainingConfig


_DIGITS = TrainingConfig(num_steps=200, batch_size=64, learning_rate=0.05)
_PIXELS = TrainingConfig(num_steps=150, batch_size=16, learning_rate=0.01, optimizer=Optimizer("adam"))
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
    "digit_segmentation": Recipe("SmallFCN", _PIXELS),
}


def recipe_of(dataset: str) -> Recipe:
    """Return the recipe of a data set; the one of users' own data if the name is not in `RECIPES`."""
    return RECIPES.get(dataset, Recipe(None, _DIGITS))


def fitting_network(dataset: Dataset) -> str:
    """Return the name of the small network for a data set's inputs and task."""
    if dataset.task == "segmentation":
        return "SmallFCN"
    return "SmallCNN" if len(dataset.input_shape) in (2, 3) else "SmallMLP"
