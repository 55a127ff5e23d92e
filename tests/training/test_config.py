from typing import Any

import pytest

from glojax.errors import ConfigurationError
from glojax.training import TrainingConfig


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_steps": 0}, "num_steps is 0; expected a whole number from 1 to"),
        ({"num_steps": 3_000_000_000}, "num_steps is 3000000000"),
        ({"num_steps": 1.5}, "num_steps is 1.5; expected a whole number"),
        ({"batch_size": -3}, "batch_size is -3"),
        ({"splits": "test"}, "splits is 'test'; expected a tuple"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; expected a positive number"),
        ({"learning_rate": float("nan")}, "learning_rate is nan"),
        ({"class_reduction": "max"}, "class_reduction is 'max'"),
        ({"prob_epsilon": -1.0}, "prob_epsilon is -1.0"),
        ({"splits": ("train",)}, "expected a tuple with one or both of 'validation' and 'test'"),
        ({"splits": ()}, "splits is ()"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1; expected a number of at least 0"),
        ({"weight_decay": float("nan")}, "weight_decay is nan"),
        ({"decay_every_epochs": 0}, "decay_every_epochs is 0; expected a whole number from 1 to"),
        ({"augmentation": "mnist"}, "augmentation is 'mnist'; expected 'none' or 'cifar'"),
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, Any], message: str) -> None:
    good = {"num_steps": 1, "batch_size": 1, "learning_rate": 0.1}
    with pytest.raises(ConfigurationError) as caught:
        TrainingConfig(**(good | change))
    assert message in str(caught.value)
