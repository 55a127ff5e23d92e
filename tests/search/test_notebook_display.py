"""What a notebook shows of searches, runs and losses, and the progress of a search there."""

import io
import re
from base64 import b64decode
from html import unescape

import pytest
from matplotlib.image import imread

import glojax
from glojax.expressions import LossTree
from glojax.losses import Loss
from glojax.search.loop import Search
from tests.search.fakes import FakeEvaluator
from tests.search.runs import FinishedRun
from tests.search.searches import BUDGET, CONFIG, STRATEGIES, evaluator


def rows(html: str) -> list[list[str]]:
    """The cells of all rows."""
    return [
        [unescape(cell) for cell in re.findall(r"<t[dh].*?>(.*?)</t[dh]>", row)]
        for row in re.findall(r"<tr>(.*?)</tr>", html)
    ]


def test_a_search_shows_its_best_loss_as_formula_and_picture_and_the_ten_best() -> None:
    search = Search(STRATEGIES["generational"](), evaluator(4))
    search.run(BUDGET)
    html, best = search._repr_html_(), search.best
    assert best is not None
    assert f"<p>GenerationalSearch, 70 evaluations, best {best.fitness:.4g}: {best.expression}</p>" in unescape(html)
    assert f"<p>${Loss(best.tree).to_latex()}$</p>" in unescape(html)
    pixels = imread(io.BytesIO(b64decode(re.findall(r'src="data:image/png;base64,(.*?)"', html)[0])))
    assert pixels.shape[:2] == (384, 1080)
    assert pixels[..., :3].std() > 0.05
    header, *listed = rows(html)
    assert header == ["fitness", "size", "learning rate", "loss"]
    assert listed == [[f"{one.fitness:.4g}", str(one.tree.size), "0.01", one.expression] for one in search.found[:10]]


def test_a_search_that_found_nothing_says_so() -> None:
    search = Search(STRATEGIES["random"](), FakeEvaluator(lambda tree: None))
    for num_evaluations in (0, 5):
        search.run(num_evaluations)
        assert search._repr_html_() == f"<p>RandomSearch, {num_evaluations} evaluations</p>"
        assert repr(search) == f"<Search: RandomSearch, {num_evaluations} evaluations>"


def test_a_saved_run_shows_its_losses_and_its_comparison(bare_run: FinishedRun) -> None:
    saved = glojax.load_run(bare_run.directory)
    html, result = saved._repr_html_(), bare_run.json("result.json")
    assert saved.task == "classification"
    assert f"<p>${Loss(result['expression']).to_latex()}$</p>" in unescape(html)
    texts = [row[-1] for row in rows(html)]
    assert texts[1:11] == [one.expression for one in saved.hall_of_fame[:10]]
    assert texts[-5:] == [one["name"] for one in result["comparison"]]
    assert [row[1] for row in rows(html)[-5:]] == [f"{one['test']['mean']:.4g}" for one in result["comparison"]]
    assert repr(saved) == (
        f"<SavedRun: run in {bare_run.directory}, {len(saved.evaluations)} losses, best: {result['expression']}>"
    )


def test_a_comparison_shows_itself_without_a_best_loss(compare_run: FinishedRun) -> None:
    html = glojax.load_run(compare_run.directory)._repr_html_()
    assert "<img" not in html
    assert [row[-1] for row in rows(html)[1:]] == [one["name"] for one in compare_run.json("result.json")["comparison"]]


def test_a_tree_shows_the_call_that_makes_it() -> None:
    tree = LossTree.parse("2.5*log(y) - x / y^2")
    assert repr([tree]) == "[LossTree.parse('2.5*log(y) - x / y^2')]"
    assert eval(repr(tree)) == tree


def test_a_search_shows_its_progress_where_that_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    for progress in (True, False):
        found = glojax.discover(evaluator(3), CONFIG, 2, seed=1, progress=progress)
        shown = capsys.readouterr().err
        if progress:
            assert re.search(rf"100%\|█+\| 40/40 \[.*, best {found[0].evaluation.fitness:.4g}\]\n$", shown)
        else:
            assert shown == ""


def test_a_tuning_shows_its_progress_where_that_is_wanted(capsys: pytest.CaptureFixture[str]) -> None:
    config = glojax.TuningConfig(generations=3, population_size=5)
    for progress in (True, False):
        (tuned,) = glojax.tune([LossTree.parse("x*log(y)")], evaluator(3), config, progress=progress)
        shown = capsys.readouterr().err
        if progress:
            assert re.search(rf"100%\|█+\| 16/16 \[.*, best {tuned.best.fitness:.4g}\]\n$", shown)
        else:
            assert shown == ""
