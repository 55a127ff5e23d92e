"""The description of a training in an experiment: the loss, the data, and when it is measured."""

import dataclasses
import hashlib
import shlex
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from glojax.datasets import DatasetSource, TestSplit
from glojax.errors import ConfigurationError
from glojax.evaluation import FitnessRule
from glojax.expressions import LossTree, canonical
from glojax.losses import CATALOG, ClassReduction, find_tree
from glojax.search.recipes import recipe_of
from glojax.training import TrainingConfig

#: The three losses of the paper, in its order.
PAPER_LOSSES = ("cross_entropy", "baikal", "baikal_cma")

#: Cross-entropy with a penalty on certain predictions, b * sum_i y_i log(y_i), at b = 1. With ten classes its minimum
#: lies at a true-class probability of 0.476, where BaikalCMA's is at 0.389; at b = 0.1 it would lie at 0.9996, and be
#: hard to tell from cross-entropy's. Source: Pereyra et al. (2017), Regularizing neural networks by penalizing
#: confident output distributions.
CONFIDENCE_PENALTY = "confidence_penalty"

LOSSES: dict[str, LossTree] = {
    **CATALOG,
    CONFIDENCE_PENALTY: LossTree.parse("x * log(y) - y * log(y)"),
}

#: Fields that say when a training ends and is measured; they do not change its course.
_SCHEDULE = ("steps", "evaluate_every", "histogram_at")


@dataclass(frozen=True, kw_only=True)
class Training:
    """One network trained with one loss: everything that its outcome depends on, data and code aside.

    Raises:
        ConfigurationError: A number of the schedule is out of range.
    """

    loss: str
    """Name (cross_entropy, baikal, baikal_cma, confidence_penalty, taylor_mnist, taylor_early), or expression of x and
    y."""

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
    """Seed of the initial network, the batches and dropout."""

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
    def network(self) -> str:
        """The name of the network, by the recipe of the data set."""
        return recipe_of(self.dataset).network or "SmallCNN"

    @property
    def config(self) -> TrainingConfig:
        """The configuration of the training: the recipe of the data set with the fields of this one."""
        return dataclasses.replace(
            recipe_of(self.dataset).training,
            num_steps=self.steps,
            learning_rate=self.learning_rate,
            class_reduction=self.class_reduction,
            splits=("validation", "test"),
        )

    @property
    def rule(self) -> FitnessRule:
        """The fitness rule by which an evaluator does the training."""
        return FitnessRule((self.seed,), (self.learning_rate,), self.steps, ("validation", "test"))

    def source(self, data_dir: Path | None) -> DatasetSource:
        """Return the source of the data; its seed is 0 where nothing is drawn."""
        return DatasetSource(
            self.dataset,
            None if data_dir is None else str(data_dir),
            test_split=self.test_split,
            train_fraction=self.train_fraction,
            seed=0 if self.train_fraction == 1 else self.seed,
        )

    @cached_property
    def tree(self) -> LossTree:
        """The loss in its canonical form, which searches and comparisons train, too.

        Raises:
            ExpressionError: The loss is no expression.
            ConfigurationError: The loss does not depend on both x and y.
        """
        tree = canonical(LOSSES[self.loss] if self.loss in LOSSES else find_tree(self.loss))
        if not (tree.uses("x") and tree.uses("y")):
            raise ConfigurationError(f"--loss is {self.loss}; expected a loss that depends on both x and y.")
        return tree

    @property
    def evaluated_steps(self) -> list[int]:
        """The steps after which the accuracies are measured."""
        every = self.evaluate_every or self.steps
        return sorted({*range(every, self.steps + 1, every), self.steps})

    @property
    def stops(self) -> list[int]:
        """The steps after which anything is measured."""
        return sorted({*self.evaluated_steps, *([self.histogram_at] if self.histogram_at else [])})

    @property
    def is_curve(self) -> bool:
        """Whether anything beside the accuracies in the end is measured."""
        return self.evaluated_steps != [self.steps] or self.histogram_at is not None

    def has_course_of(self, other: "Training") -> bool:
        """Return whether both are the same training up to the end of the shorter one."""
        return all(
            getattr(self, field.name) == getattr(other, field.name)
            for field in dataclasses.fields(self)
            if field.name not in _SCHEDULE
        )

    def covers(self, other: "Training") -> bool:
        """Return whether this training's outcome contains the other's."""
        return (
            self.has_course_of(other)
            and set(self.evaluated_steps) >= set(other.evaluated_steps)
            and other.histogram_at in (None, self.histogram_at)
        )

    @property
    def name(self) -> str:
        """The name of its record's file, which no other training has."""
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
        """The command that makes its record."""
        arguments = ["python", "-m", "experiments.train"]
        for field in dataclasses.fields(self):
            flag, value = "--" + field.name.replace("_", "-"), getattr(self, field.name)
            if value is not None:
                # A value that begins with a minus would be read as an option.
                arguments += [f"{flag}={value}"] if str(value).startswith("-") else [flag, str(value)]
        return shlex.join(arguments)


def dataset_name(dataset: str) -> str:
    """Return a name for files: that of a known data set, or the stem of a path with a checksum of the path."""
    if not dataset.endswith(".npz"):
        return dataset
    return f"{Path(dataset).stem}_{hashlib.sha256(dataset.encode()).hexdigest()[:8]}"


def without_covered(trainings: list[Training]) -> list[Training]:
    """Return the trainings that no other one covers; of equal ones the first."""
    kept: list[Training] = []
    for index, training in enumerate(trainings):
        others = [*kept, *trainings[index + 1 :]]
        if not any(other.covers(training) for other in others if other != training) and training not in kept:
            kept.append(training)
    return kept
