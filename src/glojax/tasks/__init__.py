"""What a network learns: the link from its outputs to y, the targets as x, and the usual metrics and losses."""

from glojax.tasks.metrics import (
    METRICS as METRICS,
    NUM_BINS as NUM_BINS,
    ClassCounts as ClassCounts,
    Metric as Metric,
    MetricFunction as MetricFunction,
    count_classes as count_classes,
)
from glojax.tasks.task import TASKS as TASKS, Task as Task
