"""What an experiment asks for: a training, and when it is measured."""

import dataclasses
import hashlib
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from glojax.datasets import Dataset
from glojax.datasets.dataset import TestSplit
from glojax.errors import ConfigurationError
from glojax.expressions import LossTree, canonical
from glojax.losses import CATALOG, ClassReduction, find_tree
from glojax.networks import NETWORKS
from glojax.search.recipes import OWN_RECIPE, RECIPES, Recipe
from glojax.training import Train, TrainingConfig, make_train
from glojax.training.config import MAX_COUNT

#: The three losses of the paper, in its order.
PAPER_LOSSES = ("cross_entropy", "baikal", "baikal_cma")

#: Cross-entropy with a penalty on certain predictions, b * sum_i y_i log(y_i), at b = 1. With ten classes its minimum
#: lies at a true-class probability of 0.476, where BaikalCMA's is at 0.389; at b = 0.1 it would lie at 0.9996, and be
#: hard to tell from cross-entropy's. Source: Pereyra et al. (2017), Regularizing neural networks by penalizing
#: confident output distributions.
CONFIDENCE_PENALTY = "confidence_penalty"

LOSSES: dict[str, LossTree] = CATALOG | {CONFIDENCE_PENALTY: LossTree.parse("x * log(y) - y * log(y)")}

#: What of a training says when it ends and is measured, and not how it goes.
_SCHEDULE = ("steps", "evaluate_every", "histogram_at")


@dataclass(frozen=True, kw_only=True)
class Training:
    """One network trained with one loss: all that its outcome depends on, beside data and code.

    Raises:
        ConfigurationError: A number of the schedule is out of range.
    """

    loss: str
    """Name (cross_entropy, baikal, baikal_cma, confidence_penalty) or expression of x and y."""

    steps: int
    """SGD steps."""

    learning_rate: float
    """Learning rate of plain SGD."""

    dataset: str = "mnist"
    """Data set: digits, mnist, fashion_mnist, cifar10, or a path that ends in .npz."""

    test_split: TestSplit = "official"
    """held-out takes the last 10,000 training images for the test set, and trains on none of them."""

    train_fraction: float = 1.0
    """Share of the training images that is used: of each class, drawn by --seed."""

    class_reduction: ClassReduction = "sum"
    """How the loss is reduced over the classes."""

    seed: int = 0
    """Of initial network, batches and dropout."""

    evaluate_every: int | None = None
    """Steps between two measurements of the accuracies; by default they are measured in the end only."""

    histogram_at: int | None = None
    """Step after which the test set's output probabilities are counted; by default they are not."""

    def __post_init__(self) -> None:
        if self.evaluate_every is not None and self.evaluate_every < 1:
            raise ConfigurationError(f"--evaluate-every is {self.evaluate_every}; expected at least 1 step.")
        if self.histogram_at is not None and not 1 <= self.histogram_at <= self.steps:
            raise ConfigurationError(
                f"--histogram-at is {self.histogram_at}; expected a step from 1 to the last, {self.steps}."
            )

    @property
    def recipe(self) -> Recipe:
        """How networks are trained on the data set."""
        return RECIPES.get(self.dataset, OWN_RECIPE)._replace(steps=self.steps, learning_rate=self.learning_rate)

    @cached_property
    def tree(self) -> LossTree:
        """The loss, in the canonical form that searches and comparisons train, too."""
        return canonical(LOSSES[self.loss] if self.loss in LOSSES else find_tree(self.loss))

    @property
    def evaluated_steps(self) -> list[int]:
        """After which steps the accuracies are measured."""
        every = self.evaluate_every or self.steps
        return sorted({*range(every, self.steps + 1, every), self.steps})

    @property
    def stops(self) -> list[int]:
        """After which steps anything is measured."""
        return sorted({*self.evaluated_steps, *([self.histogram_at] if self.histogram_at else [])})

    def goes_as(self, other: "Training") -> bool:
        """Whether both do the same for as long as both last."""
        return all(
            getattr(self, field.name) == getattr(other, field.name)
            for field in dataclasses.fields(self)
            if field.name not in _SCHEDULE
        )

    def covers(self, other: "Training") -> bool:
        """Whether this one's outcome has all of the other's in it."""
        return (
            self.goes_as(other)
            and set(self.evaluated_steps) >= set(other.evaluated_steps)
            and other.histogram_at in (None, self.histogram_at)
        )

    @property
    def name(self) -> str:
        """For the file of its record; different for different trainings."""
        loss = self.loss if self.loss in LOSSES else f"loss_{hashlib.sha256(self.loss.encode()).hexdigest()[:8]}"
        parts = [
            loss,
            "mean" if self.class_reduction == "mean" else "",
            f"rate_{self.learning_rate:g}",
            f"portion_{self.train_fraction:g}" if self.train_fraction != 1 else "",
            "held_out" if self.test_split == "held-out" else "",
            f"seed_{self.seed}",
            f"steps_{self.steps}",
            f"every_{self.evaluate_every}" if self.evaluate_every else "",
            f"histogram_{self.histogram_at}" if self.histogram_at else "",
        ]
        return "_".join(part for part in parts if part)

    @property
    def command(self) -> str:
        """What makes its record."""
        arguments = ["python", "-m", "experiments.train"]
        for field in dataclasses.fields(self):
            flag, value = "--" + field.name.replace("_", "-"), getattr(self, field.name)
            if value is not None:
                # What begins with a minus would pass for an option.
                arguments += [f"{flag}={value}"] if str(value).startswith("-") else [flag, str(value)]
        return shlex.join(arguments)

    def training_config(self) -> TrainingConfig:
        """For the trainer."""
        recipe = self.recipe
        return TrainingConfig(
            num_steps=self.steps,
            batch_size=recipe.batch_size,
            learning_rate=self.learning_rate,
            class_reduction=self.class_reduction,
            splits=("validation", "test"),
            weight_decay=recipe.weight_decay,
            decay_every_epochs=recipe.decay_every_epochs,
            augmentation=recipe.augmentation,
        )

    def make_train(self, dataset: Dataset) -> Train:
        """What trains it, and all others that differ in loss, seed, learning rate and length only."""
        # Rate and length in the configuration would be compiled in; each training is driven with its own.
        config = dataclasses.replace(self.training_config(), learning_rate=1.0, num_steps=MAX_COUNT)
        return make_train(NETWORKS[self.recipe.network], dataset, config)


def dataset_name(dataset: str) -> str:
    """For the names of files: that of a known data set, or the stem of a path with a checksum of all of it."""
    if not dataset.endswith(".npz"):
        return dataset
    return f"{Path(dataset).stem}_{hashlib.sha256(dataset.encode()).hexdigest()[:8]}"


def without_covered(trainings: list[Training]) -> list[Training]:
    """The trainings but for those that others of them cover; of equal ones the first."""
    kept: list[Training] = []
    for place, training in enumerate(trainings):
        others = [*kept, *trainings[place + 1 :]]
        if not any(other.covers(training) for other in others if other != training) and training not in kept:
            kept.append(training)
    return kept
