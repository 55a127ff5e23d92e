"""The strategies on the command line; a stand-in trains."""

import json
from pathlib import Path
from typing import Any

import pytest

from glojax.expressions import LossTree, canonical
from glojax.search.__main__ import main
from glojax.strategies import TaylorConfig, TaylorSearch, find_constraint
from tests.search.fakes import UseStandIns, fitness_of, no_picture, short  # noqa: F401
from tests.search.runs import with_options
from tests.strategies.driving import ask_all, tell_all

pytestmark = pytest.mark.usefixtures("no_picture")

BUDGET = ("--preset", "paper", "--generations", "3", "--finalists", "4", "--seed", "3")
SEARCH = ("--population-size", "10", *BUDGET)
TAYLOR = ("--taylor.population-size", "10", "--taylor.order", "2", *BUDGET)


def candidates() -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path("run/candidates.jsonl").read_text().splitlines()]


def test_candidates_are_written_in_the_order_of_telling_with_what_is_known_of_them(use_stand_ins: UseStandIns) -> None:
    use_stand_ins(lambda tree: None if tree.uses("sqrt") else fitness_of(tree))
    assert main(["discover", *with_options(SEARCH, "--population-size", "40", "--run-dir", "run")]) == 0
    for one in candidates():
        tree = LossTree.parse(one["expression"])
        if not (tree.uses("x") and tree.uses("y")):
            expected: tuple[Any, ...] = None, "lacks_variable", 0, None
        elif tree.uses("sqrt"):
            expected = None, "non_finite", 10, 0.01
        else:
            expected = fitness_of(tree), "trained", 10, 0.01
        assert (one["fitness"], one["status"], one["steps"], one["learning_rate"]) == expected
    generations = [one["generation"] for one in candidates()]
    assert generations == sorted(generations)
    assert {one["status"] for one in candidates()} == {"lacks_variable", "non_finite", "trained"}


@pytest.mark.parametrize("strategy", ["shape", "generational", "steady-state", "random", "taylor"])
@pytest.mark.parametrize("order", [(), ("--asynchronous",)])
def test_each_strategy_begins_with_the_initial_losses(
    use_stand_ins: UseStandIns, strategy: str, order: tuple[str, ...]
) -> None:
    search = TAYLOR if strategy == "taylor" else SEARCH
    stand_ins = use_stand_ins(fitness_of)
    initial = ("baikal", "x * log(y) + 0", "x * y * log(y)")
    options = ("--strategy", strategy, *order, "--initial-losses", *initial)
    assert main(["discover", *search, "--run-dir", "run", *options]) == 0
    asked = [str(tree) for trees in stand_ins.evaluator.trees for tree in trees]
    assert asked[:3] == ["log(y) - x / y", "x * log(y) + 0", "x * y * log(y)"]
    assert [one["expression"] for one in candidates()[:3]] == ["log(y) - x / y", "x * log(y)", "x * y * log(y)"]
    assert Path("run/events.jsonl").exists() == bool(order)
    assert len(Path("run/generations.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize("strategy", ["generational", "steady-state", "random"])
def test_each_strategy_draws_the_operators_that_are_named(use_stand_ins: UseStandIns, strategy: str) -> None:
    stand_ins = use_stand_ins(fitness_of)
    options = ("--strategy", strategy, "--operators", "add", "exp=2", "power")
    assert main(["discover", *SEARCH, "--run-dir", "run", *options]) == 0
    trees = [tree for trees in stand_ins.evaluator.trees for tree in trees]
    operators = {node.operator for tree in trees for node in tree.nodes if node.arity}
    assert operators - {"square", "multiply"} == {"add", "exp", "power"}  # finalists are in canonical form
    recorded = json.loads(Path("run/config.json").read_text())["options"]["genetic"]["operators"]
    assert recorded == ["add", "exp=2", "power"]


@pytest.mark.parametrize(
    ("operators", "message"),
    [
        (("add", "tan"), "operators has 'tan'. Did you mean 'tanh'? Expected some of log, square, sqrt, add,"),
        (("exp", "log"), "operators has exp log; expected one with several operands, such as add"),
    ],
)
def test_operators_that_make_no_sense_are_refused(
    operators: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["discover", "--operators", *operators]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


def test_random_drawing_learns_nothing(use_stand_ins: UseStandIns) -> None:
    asked: list[list[LossTree]] = []
    for fitness in (fitness_of, short):
        stand_ins = use_stand_ins(fitness)
        folder = f"run{len(asked)}"
        assert main(["discover", *SEARCH, "--strategy", "random", "--run-dir", folder]) == 0
        asked.append(
            [
                tree
                for trees, rule in zip(stand_ins.evaluator.trees, stand_ins.evaluator.rules, strict=True)
                for tree in trees
                if rule is None
            ]
        )
    assert asked[0] == asked[1]
    assert len(asked[0]) == 30
    assert len(set(map(canonical, asked[0]))) > 10


def test_the_strategy_is_steady_state_where_the_order_is_that_of_completion(use_stand_ins: UseStandIns) -> None:
    texts: list[str] = []
    for options in (("--asynchronous",), ("--asynchronous", "--strategy", "steady-state"), ()):
        use_stand_ins(short)
        folder = f"run{len(texts)}"
        assert main(["discover", *SEARCH, *options, "--run-dir", folder]) == 0
        texts.append(Path(folder, "candidates.jsonl").read_text())
    assert texts[0] == texts[1] != texts[2]


def test_an_asynchronous_run_logs_the_events_of_discovery_and_tuning(use_stand_ins: UseStandIns) -> None:
    use_stand_ins(short)
    assert main([*SEARCH, "--tuned", "1", "--tuning.generations", "2", "--run-dir", "run", "--asynchronous"]) == 0
    for name, num_candidates in (("events.jsonl", 30), ("tuning_events.jsonl", None)):
        events = [json.loads(line) for line in Path("run", name).read_text().splitlines()]
        asked = [one["candidate"] for one in events if one["event"] == "asked"]
        assert asked == list(range(num_candidates or len(asked)))
        assert sorted(one["candidate"] for one in events if one["event"] == "told") == asked


def text_of(name: str) -> str:
    return Path("run", name).read_text()


@pytest.mark.parametrize("order", [(), ("--asynchronous",)])
def test_a_search_for_taylor_losses_has_its_settings_and_goes_on_to_more_generations(
    use_stand_ins: UseStandIns, order: tuple[str, ...]
) -> None:
    options = ("--strategy", "taylor", "--taylor.start", "-1", "0.5", "2", "3", "4")
    search = ("discover", *TAYLOR, "--taylor.sigma", "0.25", *options, *order)
    for generations, command in (("3", [*search, "--run-dir", "run"]), ("4", ["resume", "run", "--generations", "4"])):
        stand_ins = use_stand_ins(lambda tree: -sum(tree.coefficients))
        assert main(command) == 0
        taylor = {"order": 2, "population_size": 10, "sigma": 0.25, "start": [-1.0, 0.5, 2.0, 3.0, 4.0]}
        assert json.loads(text_of("config.json"))["options"]["taylor"] == taylor
        assert len(text_of("generations.jsonl").splitlines()) == int(generations)
    asked = [
        tree
        for trees, rule in zip(stand_ins.evaluator.trees, stand_ins.evaluator.rules, strict=True)
        if not rule
        for tree in trees
    ]
    strategy = TaylorSearch(TaylorConfig(order=2, population_size=10, sigma=0.25, start=(-1, 0.5, 2, 3, 4)), seed=3)
    for number in range(4):
        members = ask_all(strategy)
        assert members == asked[10 * number : 10 * number + 10]
        tell_all(strategy, members, lambda tree: -sum(tree.coefficients))


def test_every_candidate_finalist_and_tuned_loss_meets_the_constraints(use_stand_ins: UseStandIns) -> None:
    constraints = ("bounded", "minimum_at_label")
    is_allowed = find_constraint(constraints)
    stand_ins = use_stand_ins(lambda tree: 0.5 if is_allowed(tree) else 0.9)
    command = ["--tuned", "1", "--tuning.generations", "2", "--constraint", *constraints, "--run-dir", "run"]
    assert main([*SEARCH, *command]) == 0
    tuned = [one for one in candidates() if one["phase"] == "tuning"]
    assert not all(is_allowed(LossTree.parse(one["expression"])) for one in tuned)
    others = [one["expression"] for one in candidates() if one["phase"] == "discovery"]
    assert len(stand_ins.finalists) == 2
    for texts in (others, *(texts for texts, _ in stand_ins.finalists)):
        assert all(is_allowed(LossTree.parse(text)) for text in texts)


def test_a_resumed_run_has_its_constraints(use_stand_ins: UseStandIns) -> None:
    use_stand_ins(fitness_of)
    assert main(["discover", *SEARCH, "--constraint", "minimum_at_label", "bounded", "--run-dir", "run"]) == 0
    assert json.loads(text_of("config.json"))["options"]["constraint"] == ["minimum_at_label", "bounded"]
    before = text_of("candidates.jsonl")
    use_stand_ins(fitness_of)
    assert main(["resume", "run", "--generations", "4"]) == 0
    assert text_of("candidates.jsonl").startswith(before)
    is_allowed = find_constraint(("minimum_at_label", "bounded"))
    assert all(is_allowed(LossTree.parse(one["expression"])) for one in candidates())
    assert len(text_of("generations.jsonl").splitlines()) == 4
