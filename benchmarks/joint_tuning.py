"""The price of tuning several losses together: against as many candidate-steps of one loss in one population.

    python -m benchmarks.joint_tuning

Three losses with 6, 9 and 10 coefficients are tuned on digits. A homogeneous population is one loss as often as a
generation of all three has members; each of the three takes its turn, and the mean of them is what tuning is held
against. Compilation is not counted. Step size and learning rate are low, so that no training ends early.
"""

import os
import statistics
import time
from functools import partial

import jax

from benchmarks.record import write_result
from glojax.coefficients import CoefficientLayout, TuningConfig, default_population_size
from glojax.datasets import load_dataset
from glojax.evaluation import Candidates, DevicePool, LocalEvaluator
from glojax.expressions import LossTree
from glojax.networks import DigitsCNN
from glojax.search.tuning import TuningRecord, tune
from glojax.training import TrainingConfig, make_train

LOSSES = ("log(y) - x / y", "x - (x * (log(y) - x))^2", "log(y) * (x * log(y)^2 + 1)")
ROUNDS = 5
CAPACITY = 64
TUNING = TuningConfig(generations=4, sigma=0.05)
TRAINING = TrainingConfig(num_steps=200, batch_size=64, learning_rate=0.01)


def main() -> None:
    """Measure, print and write `results/joint_tuning.json`."""
    jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))
    dataset = load_dataset("digits")
    trees = [LossTree.parse(text) for text in LOSSES]
    sizes = [default_population_size(len(CoefficientLayout.of(tree).places)) for tree in trees]
    pool = DevicePool(make_train(DigitsCNN, dataset, TRAINING))

    def together(seed: int) -> float:
        """Milliseconds a candidate-step of tuning, after the first generation."""
        records: list[TuningRecord] = []
        evaluator = LocalEvaluator(DigitsCNN, dataset, TRAINING, capacity=CAPACITY)
        times = [0.0] * (TUNING.generations + 1)

        def on_record(record: TuningRecord) -> None:
            records.append(record)
            times[record.generation] = time.perf_counter()

        tune(trees, evaluator, TUNING, seed, on_record=on_record)
        steps = sum(record.candidate_steps for record in records if record.generation > 1)
        assert steps == (TUNING.generations - 1) * sum(sizes) * TRAINING.num_steps, "a training ended early"
        return (times[-1] - times[1]) / steps * 1e3

    def alone(tree: LossTree, _: int) -> float:
        """The same for a population of one loss, the members of a generation at once."""
        begin = time.perf_counter()
        steps = 0
        for _ in range(TUNING.generations - 1):
            steps += int(pool.run_all(Candidates.over_seeds([tree], [0] * sum(sizes), CAPACITY)).num_steps.sum())
        return (time.perf_counter() - begin) / steps * 1e3

    contestants = {"together": together} | {str(tree): partial(alone, tree) for tree in trees}
    samples: dict[str, list[float]] = {name: [] for name in contestants}
    for run in contestants.values():
        run(-1)
    for seed in range(ROUNDS):
        for name, run in contestants.items():
            samples[name].append(run(seed))
    medians = {name: statistics.median(values) for name, values in samples.items()}
    # Round by round, which other work on the machine disturbs least.
    homogeneous = [statistics.fmean(samples[str(tree)][seed] for tree in trees) for seed in range(ROUNDS)]
    ratio = statistics.median(mine / theirs for mine, theirs in zip(samples["together"], homogeneous, strict=True))
    print(f"{len(trees)} losses together, {sum(sizes)} members a generation, {len(jax.local_devices())} devices:")
    for name, median in medians.items():
        print(f"  {median:.3f} ms a candidate-step  {name}")
    print(f"  {ratio:.3f} times the mean of the three homogeneous populations, median of {ROUNDS} rounds")
    write_result(
        "joint_tuning",
        {
            "unit": "milliseconds a candidate-step",
            "members": sizes,
            "rounds": ROUNDS,
            "medians": medians,
            "ratio": ratio,
            "samples": samples,
        },
    )


if __name__ == "__main__":
    main()
