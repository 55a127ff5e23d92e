"""Peak memory of training 80 MNIST candidates.

    python -m benchmarks.population_memory

The whole process counts: Python, JAX, 55,000 random training images, compilation and training, 20 steps a candidate.
"""

import os
import resource

import jax
import numpy as np

from benchmarks.measurement import write_result
from glojax.datasets import Dataset, Split
from glojax.evaluation import Candidates, DevicePool
from glojax.losses import CATALOG
from glojax.networks import MnistCNN
from glojax.training import TrainingConfig, make_train

NUM_CANDIDATES = 80
NUM_STEPS = 20


def main() -> None:
    """Measure, print and write `results/population_memory.json`."""
    jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))
    rng = np.random.default_rng(0)
    train_split, validation, test = (
        Split(rng.integers(0, 256, (size, 28, 28, 1), dtype=np.uint8), rng.integers(0, 10, size, dtype=np.int32))
        for size in (55_000, 5_000, 10_000)
    )
    train = make_train(
        MnistCNN, Dataset("random", train_split, validation, test, 10), TrainingConfig(NUM_STEPS, 100, 0.01)
    )
    result = DevicePool(train).run_all(Candidates.over_seeds([CATALOG["baikal"]], range(NUM_CANDIDATES), capacity=64))
    assert int(result.num_steps.sum()) == NUM_CANDIDATES * NUM_STEPS
    gigabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{NUM_CANDIDATES} MNIST candidates on {len(jax.local_devices())} devices: peak memory {gigabytes:.2f} GB")
    write_result("population_memory", {"candidates": NUM_CANDIDATES, "peak_memory_gigabytes": round(gigabytes, 3)})


if __name__ == "__main__":
    main()
