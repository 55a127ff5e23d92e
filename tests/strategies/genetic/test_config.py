import math
from typing import Any

import numpy as np
import pytest

from glojax.errors import ConfigurationError
from glojax.strategies.genetic import GeneticConfig


def test_defaults_are_the_papers() -> None:
    config = GeneticConfig()

    assert (config.population_size, config.num_elites, config.initial_depth) == (80, 6, 2)
    assert (config.crossover_rate, config.selection) == (0.8, "roulette")
    assert (config.integer_step_rate, config.same_arity_rate) == (0.05, 0.05)
    assert (config.collapse_rate, config.expand_rate) == (0.025, 0.025)
    assert config.max_nodes == 64


@pytest.mark.parametrize(
    "fields",
    [
        {"population_size": 1, "num_elites": 0},
        {"population_size": np.int64(20)},
        {"crossover_rate": 0, "expand_rate": 1},
        {"collapse_rate": np.float32(0.5)},
        {"max_nodes": None},
        {"max_nodes": 3},
        {"max_nodes": 1_000},
        {"selection": "tournament", "tournament_size": 1},
        {"operators": ("add",)},
        {"population_size": 100_000, "tournament_size": 1_000, "initial_depth": 64},
    ],
)
def test_accepts_the_limits_of_every_range(fields: dict[str, Any]) -> None:
    config = GeneticConfig(**fields)
    assert all(getattr(config, name) == value for name, value in fields.items())


def test_the_set_is_in_the_order_of_the_table_with_the_leaves() -> None:
    weights = GeneticConfig(operators=("exp=2", "add", "log")).operator_weights

    assert list(weights.items()) == [("x", 3), ("y", 3), ("constant", 2), ("log", 3), ("add", 1), ("exp", 2)]


@pytest.mark.parametrize(
    ("fields", "received", "remedy"),
    [
        ({"population_size": 0}, "population_size is 0", "give one from 1 to"),
        ({"population_size": 80.5}, "population_size is 80.5", "expected an integer"),
        ({"population_size": True}, "population_size is True", "expected an integer"),
        ({"num_elites": -1}, "num_elites is -1", "give one from 0 to"),
        ({"num_elites": 80}, "num_elites is 80 with a population_size of 80", "lower num_elites"),
        ({"initial_depth": 0}, "initial_depth is 0", "give one from 1 to"),
        ({"tournament_size": 0}, "tournament_size is 0", "give one from 1 to"),
        ({"max_nodes": 2}, "max_nodes is 2", "give one from 3 to 1000"),
        ({"max_nodes": 1_001}, "max_nodes is 1001", "give one from 3 to 1000"),
        ({"population_size": 10**9}, "population_size is 1000000000", "give one from 1 to 100000"),
        ({"population_size": 10**20}, "population_size is 100000000000000000000", "give one from 1 to 100000"),
        ({"num_elites": 10**20}, "num_elites is 100000000000000000000", "give one from 0 to 100000"),
        ({"initial_depth": 65}, "initial_depth is 65", "give one from 1 to 64"),
        ({"tournament_size": 10**9}, "tournament_size is 1000000000", "give one from 1 to 1000"),
        ({"crossover_rate": 80}, "crossover_rate is 80", "from 0 to 1"),
        ({"integer_step_rate": -0.1}, "integer_step_rate is -0.1", "from 0 to 1"),
        ({"same_arity_rate": math.nan}, "same_arity_rate is nan", "from 0 to 1"),
        ({"collapse_rate": math.inf}, "collapse_rate is inf", "from 0 to 1"),
        ({"expand_rate": "5%"}, "expand_rate is '5%'", "from 0 to 1"),
        ({"operators": ()}, "operators has no operator", "expected one with several operands, such as add"),
        ({"operators": ("log", "exp")}, "operators has log exp", "as a loss needs both x and y: add one"),
        ({"operators": ("add", "tan")}, "operators has 'tan'", "Did you mean 'tanh'? Expected some of log, square"),
        ({"operators": ("add", "x=3")}, "operators has 'x'", "Expected some of log, square"),
        ({"operators": ("add", "log", "log=2")}, "operators has 'log' more than once", "give each operator once"),
        ({"operators": ("add", "exp=")}, "operators has 'exp='", "expected a finite weight above 0, as in exp=2"),
        ({"operators": ("add", "exp=0")}, "operators has 'exp=0'", "expected a finite weight above 0"),
        ({"operators": ("add", "exp=inf")}, "operators has 'exp=inf'", "expected a finite weight above 0"),
        ({"selection": "lottery"}, "selection is 'lottery'", "one of roulette, rank, tournament"),
    ],
)
def test_rejects_what_makes_no_sense(fields: dict[str, Any], received: str, remedy: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        GeneticConfig(**fields)

    assert received in str(caught.value)
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)
