import json
import subprocess
import sys
from typing import Any

import optax
import pytest
import tyro

from glojax.errors import ConfigurationError
from glojax.tasks import Metric
from glojax.training import Optimizer, TrainingConfig, config_record, recorded_config
from tests.training.test_metrics import within_two

CONFIG = TrainingConfig(num_steps=1, batch_size=1, learning_rate=0.1)
OUTSIDE_TWO = Metric(within_two, lower_is_better=True)
GOOD: dict[str, Any] = {"num_steps": 1, "batch_size": 1, "learning_rate": 0.1}


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
        ({"learning_rate": 1e38}, "learning_rate is 1e+38; expected a positive number that float32 holds, from 1e-37"),
        ({"learning_rate": 1e-40}, "learning_rate is 1e-40"),
        ({"class_reduction": "max"}, "class_reduction is 'max'"),
        ({"prob_epsilon": -1.0}, "prob_epsilon is -1.0"),
        ({"prob_epsilon": 1e-40}, "prob_epsilon is 1e-40; expected a number from 0 to below 0.5 that float32 holds"),
        ({"prob_epsilon": 1 - 1e-9}, "prob_epsilon is 0.999999999"),
        ({"splits": ("train",)}, "expected a tuple with one or both of 'validation' and 'test'"),
        ({"splits": ()}, "splits is ()"),
        ({"weight_decay": -0.1}, "weight_decay is -0.1; expected a number from 0 to 1e+37"),
        ({"weight_decay": 1e39}, "weight_decay is 1e+39"),
        ({"weight_decay": float("nan")}, "weight_decay is nan"),
        ({"decay_every_epochs": 0}, "decay_every_epochs is 0; expected a whole number from 1 to"),
        ({"evaluate_every": 0}, "evaluate_every is 0; expected a whole number from 1 to"),
        ({"evaluate_every": 5, "patience": -1}, "patience is -1; expected a whole number from 1 to"),
        ({"evaluate_every": 5, "splits": ("test",)}, "evaluate_every is 5, but splits is ('test',); expected 'valid"),
        ({"patience": 2}, "patience is 2 evaluations, but evaluate_every is None: give it, too, in steps."),
        ({"augmentation": "mnist"}, "augmentation is 'mnist'; expected 'none' or 'cifar'"),
        ({"optimizer": "adm"}, "optax has no optimizer 'adm'. Did you mean 'adam'?"),
        ({"optimizer": 3}, "optimizer is 3; expected a name or a function"),
        ({"optimizer": []}, "optimizer is []; expected a function that is hashable"),
        ({"optimizer": optax.lbfgs}, "optimizer lbfgs makes no step from gradients and parameters alone"),
        ({"optimizer": lambda rate: rate}, "makes no step from gradients and parameters alone"),
        ({"metric": "acuracy"}, "metric is 'acuracy'. Did you mean 'accuracy'? Expected one of accuracy, "),
        ({"metric": 1}, "metric is 1; expected a name or a function"),
    ],
)
def test_values_out_of_range_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TrainingConfig(**(GOOD | change))
    assert message in str(caught.value)


def clipped_adam(rate: Any) -> optax.GradientTransformation:
    return optax.chain(optax.clip(0.1), optax.adam(rate))


def test_a_configuration_is_hashable_and_a_name_becomes_an_optimizer() -> None:
    config = TrainingConfig(**GOOD, optimizer="adam")
    assert config.optimizer == Optimizer("adam")
    assert hash(config) == hash(TrainingConfig(**GOOD, optimizer=Optimizer("adam"))) != hash(CONFIG)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"optimizer": Optimizer.of("sgd", momentum=0.9, nesterov=True), "splits": ("validation", "test")},
        {"optimizer": clipped_adam, "metric": within_two, "decay_every_epochs": 3},
        {"evaluate_every": 100, "patience": 5},
        {"optimizer": f"{__name__}:clipped_adam", "metric": "true_class_prob", "augmentation": "cifar"},
        {"optimizer": optax.lion, "metric": "tests.training.test_metrics:within_two"},
        {"metric": f"{__name__}:OUTSIDE_TWO"},
    ],
)
def test_a_record_is_json_and_gives_the_same_configuration_again(change: dict[str, Any]) -> None:
    config = TrainingConfig(**(GOOD | change))
    assert recorded_config(json.loads(json.dumps(config_record(config)))) == config


def test_a_record_can_be_read_by_people() -> None:
    config = TrainingConfig(**GOOD, optimizer=Optimizer.of("adam", b1=0.95), metric=within_two)
    record = config_record(config)
    assert record["optimizer"] == {"name": "adam", "arguments": {"b1": 0.95}}
    assert record["metric"] == "tests.training.test_metrics:within_two"
    assert config_record(CONFIG)["metric"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": lambda rate: optax.sgd(2 * rate)},
        {"metric": lambda outputs, targets, weights: 0},
        {"metric": Metric(within_two)},
    ],
)
def test_a_function_without_an_import_path_cannot_be_written_down(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot be written down: .*; give a function of a module"):
        config_record(TrainingConfig(**(GOOD | change)))


@pytest.mark.parametrize(
    "change",
    [
        {"momentum": 0.9},
        {"num_steps": "1"},
        {"learning_rate": "0.1"},
        {"splits": 3},
        {"splits": "validation"},
        {"optimizer": {"name": "adam"}},
        {"optimizer": {"name": "adam", "arguments": [0.9]}},
        {"optimizer": "adam"},
        {"metric": 3},
    ],
)
def test_what_is_no_record_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        recorded_config(config_record(CONFIG) | change)


def test_a_module_without_a_function_is_not_imported() -> None:
    """The module prints a text when it is imported."""
    with pytest.raises(ConfigurationError, match=r"Cannot import 'this': it names no function; expected"):
        recorded_config(config_record(CONFIG) | {"optimizer": "this"})
    assert "this" not in sys.modules


def test_a_command_line_is_derived_from_the_fields(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--steps", "7", "--optimizer", "adam", "b1=0.95", "--metric", "true_class_prob"]
    config = tyro.cli(TrainingConfig, default=CONFIG, args=words)
    optimizer = Optimizer.of("adam", b1=0.95)
    assert config == TrainingConfig(7, 1, 0.1, optimizer=optimizer, metric="true_class_prob")
    with pytest.raises(SystemExit):
        tyro.cli(TrainingConfig, default=CONFIG, args=["--help"])
    shown = capsys.readouterr().out
    assert "Steps of the optimizer" in shown
    assert "An optimizer of optax" in shown
    assert "--splits" not in shown


def test_a_configuration_starts_no_device() -> None:
    code = (
        "from glojax.training import TrainingConfig; from jax._src import xla_bridge; "
        "TrainingConfig(1, 1, 0.1, optimizer='adam'); assert not xla_bridge.backends_are_initialized()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
