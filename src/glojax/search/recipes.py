"""The defaults of commands: of each data set, and of each preset of a search."""

from typing import Any, Final, NamedTuple

from glojax.datasets import Dataset
from glojax.strategies import GeneticConfig, TuningConfig
from glojax.training import Optimizer, TrainingConfig


class Recipe(NamedTuple):
    """A network, by its name in `NETWORKS`, or None for one that fits the data, and the configuration of a training."""

    network: str | None
    training: TrainingConfig


_DIGITS = TrainingConfig(num_steps=200, batch_size=64, learning_rate=0.05)
_PIXELS = TrainingConfig(num_steps=50, batch_size=8, learning_rate=0.01, optimizer=Optimizer("adam"))
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


#: Settings of the genetic algorithm with which shapes are searched: strong selection, and trees that seldom repeat.
#: After the first population half of them are random: they cost less than children, of which more are trained in full.
SHAPE_GENETIC: Final = GeneticConfig(
    population_size=40,
    num_elites=1,
    initial_depth=4,
    coefficient_rate=0.1,
    immigrant_rate=0.5,
    selection="tournament",
    tournament_size=5,
    max_nodes=32,
)

#: From the coefficients of a loss that is good already, in small steps.
SHAPE_TUNING: Final = TuningConfig(coefficients="shape", generations=5, sigma=0.5)

#: The defaults of a preset, where they are not those of the options' classes, which are those of `shape`.
PRESETS: Final[dict[str, dict[str, Any]]] = {
    "shape": {},
    "paper": {
        "replicates": 1,
        "finalists": 10,
        "finalist_seeds": 10,
        "generations": 25,
        "genetic": GeneticConfig(),
        "tuned": 3,
        "tuning": TuningConfig(generations=10),
    },
}
