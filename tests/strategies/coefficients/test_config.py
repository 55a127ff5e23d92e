import math
from typing import Any

import pytest

from glojax.errors import ConfigurationError
from glojax.strategies.coefficients import TuningConfig


def test_defaults_are_the_papers() -> None:
    config = TuningConfig()
    assert (config.coefficients, config.sigma, config.active_weights) == ("all", 1.5, False)
    assert (config.population_size, config.patience) == (None, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"generations": 1, "population_size": 2, "patience": 1},
        {"sigma": 5e-324},
        {"sigma": 2},
        {"coefficients": "independent", "active_weights": True},
    ],
)
def test_accepts_the_limits_of_every_range(fields: dict[str, Any]) -> None:
    config = TuningConfig(**fields)
    assert all(getattr(config, name) == value for name, value in fields.items())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"generations": 0}, "generations is 0; expected a whole number of at least 1."),
        ({"generations": -20}, "generations is -20"),
        ({"population_size": 10**20}, "population_size is 100000000000000000000; expected at most 10000, as all"),
        ({"population_size": 1}, "population_size is 1; expected a whole number of at least 2."),
        ({"population_size": 0}, "population_size is 0"),
        ({"patience": 0}, "patience is 0; expected a whole number of at least 1."),
        ({"sigma": 0.0}, "sigma is 0.0; expected a positive number, such as 1.5."),
        ({"sigma": -1.5}, "sigma is -1.5"),
        ({"sigma": math.nan}, "sigma is nan"),
        ({"sigma": math.inf}, "sigma is inf"),
        ({"coefficients": "some"}, "coefficients is 'some'; expected one of 'all', 'independent', 'shape'."),
    ],
)
def test_values_out_of_range_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        TuningConfig(**fields)
    assert message in str(caught.value)
