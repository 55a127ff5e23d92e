from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread

from glojax.expressions import LossTree
from glojax.losses import find_tree
from glojax.reporting import draw_summary


def generations(count: int) -> list[Mapping[str, Any]]:
    return [
        {"generation": number, "best_fitness": 1 - 0.5**number, "median_fitness": 0.1 * number}
        for number in range(1, count + 1)
    ]


def tuning(*numbers: int) -> list[Mapping[str, Any]]:
    """Records of losses that were tuned for so many generations."""
    return [
        {"generation": generation, "loss": f"{loss}*x * y", "best_fitness": 0.5, "best_so_far": 1 - 0.4**generation}
        for generation in range(1, max(numbers, default=0) + 1)
        for loss, number in enumerate(numbers)
        if generation <= number
    ]


def accuracy(*values: float) -> dict[str, Any]:
    return {"mean": float(np.mean(values)), "sd": None, "values": list(values)}


def pixels(
    path: Path,
    loss: LossTree,
    num_generations: int = 5,
    *found: float,
    num_tuned: Sequence[int] = (),
    best: str | None = None,
    test_split: str = "official",
    unknown: Collection[str] = (),
) -> np.ndarray:
    """Of the picture of a run that found this loss, with these test accuracies; the last records lack some fields."""
    found_generations, found_tuning = generations(num_generations), tuning(*num_tuned)
    for records in (found_generations, found_tuning):
        records[-1:] = [
            {name: None if name in unknown else value for name, value in each.items()} for each in records[-1:]
        ]
    draw_summary(
        path,
        title="digits, 200 steps a candidate, seed 0",
        best=str(loss) if best is None else best,
        generations=found_generations,
        tuning=found_tuning,
        losses={"discovered": loss, "cross_entropy": find_tree("cross_entropy"), "baikal": find_tree("baikal")},
        comparison=[
            {"name": "discovered", "test": accuracy(*found or (0.95, 0.97))},
            {"name": "cross_entropy", "test": accuracy(0.9, 0.91)},
        ],
        test_split=test_split,
    )
    return imread(path)


@pytest.mark.parametrize(
    ("text", "num_generations", "found"),
    [
        ("log(y) - x / y", 5, (0.95, 0.97)),
        ("x * log(y - 2)", 5, (0.0, 0.0)),
        ("log(y) - x / y", 1, (0.95,)),
        (" + ".join(["x * log(y)"] * 60), 5, (0.95, 0.97)),
    ],
    ids=["normal", "nowhere finite", "one generation, one seed", "long"],
)
def test_a_run_is_drawn(tmp_path: Path, text: str, num_generations: int, found: tuple[float, ...]) -> None:
    picture = pixels(tmp_path / "summary.png", LossTree.parse(text), num_generations, *found)
    assert picture.shape[:2] == (468, 1260)
    for panel in np.array_split(picture[..., :3], 3, axis=1):
        assert panel.std() > 0.05


@pytest.mark.parametrize(
    ("num_generations", "num_tuned"),
    [(0, (3, 2)), (5, (3, 2)), (0, (1,)), (0, ()), (5, (2, 2, 2, 2, 2))],
    ids=["tuning alone", "both", "one generation of tuning", "neither", "many"],
)
def test_a_run_with_any_phases_is_drawn(tmp_path: Path, num_generations: int, num_tuned: tuple[int, ...]) -> None:
    picture = pixels(tmp_path / "summary.png", find_tree("baikal"), num_generations, num_tuned=num_tuned)
    assert picture.shape[:2] == (468, 1260)
    for panel in np.array_split(picture[..., :3], 3, axis=1)[0 if num_generations or num_tuned else 1 :]:
        assert panel.std() > 0.05


def test_the_tuning_is_drawn_in_the_first_panel(tmp_path: Path) -> None:
    without, with_it, further = (
        pixels(tmp_path / "summary.png", find_tree("baikal"), num_tuned=number) for number in ((), (3,), (3, 3))
    )
    for first, second in ((without, with_it), (with_it, further)):
        changed = (first != second).any(axis=(0, 2))
        assert changed[: changed.size // 3].any()
        assert not changed[changed.size // 3 :].any()


@pytest.mark.parametrize("unknown", [("best_fitness",), ("median_fitness",), ("best_so_far",)])
def test_an_unknown_fitness_is_left_out(tmp_path: Path, unknown: tuple[str, ...]) -> None:
    """The scale of the fitness is fixed, so that only the first panel changes."""
    without, with_it = (
        pixels(tmp_path / "summary.png", find_tree("baikal"), num_tuned=(3,), unknown=names) for names in (unknown, ())
    )
    changed = (without != with_it).any(axis=(0, 2))
    assert changed[: changed.size // 3].any()
    assert not changed[changed.size // 3 :].any()


def test_the_loss_that_was_found_stands_above(tmp_path: Path) -> None:
    first, second = (
        pixels(tmp_path / "summary.png", find_tree("baikal"), best=best) for best in ("x * y", "2.0*x * y")
    )
    changed = (first != second).any(axis=(1, 2))
    assert changed[: changed.size // 5].any()
    assert not changed[changed.size // 5 :].any()


def test_a_held_out_test_set_is_named_above_the_accuracies(tmp_path: Path) -> None:
    first, second = (
        pixels(tmp_path / "summary.png", find_tree("baikal"), test_split=split) for split in ("official", "held-out")
    )
    changed = (first != second).any(axis=2)
    left, top = changed.shape[1] * 2 // 3, changed.shape[0] // 4
    assert changed[:top, left:].any()
    assert not changed[top:, left:].any()


def test_the_same_run_gives_the_same_picture(tmp_path: Path) -> None:
    first, second = (pixels(tmp_path / name, find_tree("baikal")) for name in ("first.png", "second.png"))
    np.testing.assert_array_equal(first, second)


def test_any_name_is_a_picture(tmp_path: Path) -> None:
    pixels(tmp_path / ".unfinished-summary", find_tree("baikal"))
    assert [path.name for path in tmp_path.iterdir()] == [".unfinished-summary"]


def test_a_users_style_does_not_matter(tmp_path: Path) -> None:
    """LaTeX would be started, and is not on this machine."""
    plain = pixels(tmp_path / "plain.png", find_tree("baikal"))
    with matplotlib.rc_context({"text.usetex": True, "axes.facecolor": "red", "font.size": 30}):
        styled = pixels(tmp_path / "styled.png", find_tree("baikal"))
    np.testing.assert_array_equal(styled, plain)


def test_a_dollar_sign_begins_no_formula(tmp_path: Path) -> None:
    pixels(tmp_path / "summary.png", find_tree("baikal"), best="$\\nonsense{$")
    assert (tmp_path / "summary.png").is_file()
