"""How candidates are trained on each data set by default."""

from typing import NamedTuple

from glojax.training import Augmentation


class Recipe(NamedTuple):
    """How candidates are trained on a data set unless the user says otherwise."""

    network: str
    steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float = 0.0
    decay_every_epochs: int | None = None
    augmentation: Augmentation = "none"


#: Those of MNIST and CIFAR-10 are the paper's (section IV-A), but for CIFAR-10's steps, which it does not give; those
#: of digits take two minutes or three for a whole search on two cores.
RECIPES = {
    "digits": Recipe("DigitsCNN", steps=200, batch_size=64, learning_rate=0.05),
    "mnist": Recipe("MnistCNN", steps=2000, batch_size=100, learning_rate=0.01),
    "fashion_mnist": Recipe("MnistCNN", steps=2000, batch_size=100, learning_rate=0.01),
    "cifar10": Recipe(
        "CifarCNN",
        steps=500,
        batch_size=1024,
        learning_rate=0.05,
        weight_decay=0.004,
        decay_every_epochs=350,
        augmentation="cifar",
    ),
}

#: For the user's own data.
OWN_RECIPE = Recipe("SmallCNN", steps=200, batch_size=64, learning_rate=0.05)
