"""One candidate's training as a pure function, and populations of it."""

from glojax.tasks import METRICS as METRICS, Metric as Metric
from glojax.training.augmentation import Augmentation as Augmentation
from glojax.training.checks import check_training as check_training
from glojax.training.config import (
    TrainingConfig as TrainingConfig,
    config_record as config_record,
    recorded_config as recorded_config,
    recorded_functions as recorded_functions,
    require_rates as require_rates,
)
from glojax.training.identity import (
    computation_identity as computation_identity,
    decisive_settings as decisive_settings,
)
from glojax.training.metrics import find_metric as find_metric, metric_name as metric_name
from glojax.training.optimizer import Optimizer as Optimizer, OptimizerFactory as OptimizerFactory
from glojax.training.population import train_population as train_population
from glojax.training.segments import (
    chunk_bytes as chunk_bytes,
    narrow_width as narrow_width,
    train_in_segments as train_in_segments,
)
from glojax.training.state import TrainResult as TrainResult, TrainState as TrainState
from glojax.training.step_cost import step_flops as step_flops
from glojax.training.train import Train as Train, make_train as make_train
from glojax.training.trained_networks import TrainedNetworks as TrainedNetworks
