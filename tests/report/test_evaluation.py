from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from actparse.cli import main
from actparse.commands.options import EXIT_USER_ERROR
from actparse.data.evaluation import videos_of_truth
from actparse.data.parses import load_parses
from actparse.data.runs import PredictionRun, load_run
from actparse.data.submission import TpsFiles, load_truth, parses_to_predictions, write_submission
from actparse.metrics.outcomes import Outcome
from actparse.metrics.replacement import Stage
from actparse.report.evaluation import Evaluation, evaluate_runs, largest_gain, verdict
from actparse.report.evaluation_page import evaluation_page
from planted_parses import SWAPPED_HANDS, write_parses, write_short_dataset

NUM_VIDEOS = 6
CASES = sorted((Path(__file__).parents[1] / "golden" / "tps_metric").glob("*.json.gz"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_short_dataset(tmp_path_factory.mktemp("data"), num_videos=NUM_VIDEOS, seed=16)


@pytest.fixture(scope="module")
def truth(data: Path) -> TpsFiles:
    return load_truth(data / "test_truth")


@pytest.fixture(scope="module")
def right(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parses that say the truth."""
    return write_parses(data, tmp_path_factory.mktemp("runs") / "right")


@pytest.fixture(scope="module")
def swapped(data: Path, truth: TpsFiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parses with left and right hands exchanged and the first video's action wrong; that one has a report page."""
    first = next(iter(truth.videos))
    folder = tmp_path_factory.mktemp("runs") / "swapped hands"
    write_parses(data, folder, states_of=SWAPPED_HANDS, actions={first: "<i>nothing</i>"})
    (folder / first / "report.html").write_text("<p>a report")
    return folder


@pytest.fixture(scope="module")
def compared(truth: TpsFiles, right: Path, swapped: Path) -> Evaluation:
    return evaluate_runs(truth, [load_run(swapped, truth), load_run(right, truth)])


def test_planted_swaps_of_hands_are_all_that_is_found(compared: Evaluation) -> None:
    swapped, right = compared.runs
    hands = swapped.swaps["hand"]
    assert hands.num_tellable > 0
    assert hands.num_swapped == hands.num_tellable
    assert right.swaps["hand"].num_swapped == 0
    for group, confusion in swapped.confusions.items():
        off = confusion.counts.sum() - np.trace(confusion.counts)
        assert off == (2 * hands.num_tellable if group == "hand" else 0)
    wrong = {group: shares[Outcome.STATE.value] for group, shares in swapped.outcomes.items()}
    assert wrong.pop("hand") > 0
    assert set(wrong.values()) == {0.0}


def test_true_states_repair_swapped_hands_and_true_actions_a_wrong_action(compared: Evaluation) -> None:
    swapped, right = compared.runs
    assert right.score.roc_score == pytest.approx(0.9999)
    assert swapped.replaced[Stage.STATES].roc_score == pytest.approx(0.9999 * (NUM_VIDEOS - 1) / NUM_VIDEOS)
    assert swapped.replaced[Stage.ACTION].video_accuracy == 1.0
    assert swapped.replaced[Stage.PERSONS] == swapped.replaced[Stage.NOTHING]
    stage, gain = largest_gain(swapped)
    assert stage is Stage.ACTION  # one video of six outweighs the hands
    assert gain == pytest.approx(swapped.replaced[stage].roc_score - swapped.score.roc_score)


def test_the_difference_is_that_of_the_scores(compared: Evaluation, truth: TpsFiles) -> None:
    swapped, right = compared.runs
    assert compared.comparison is not None
    interval = compared.comparison.interval
    assert interval.mean == pytest.approx(right.score.roc_score - swapped.score.roc_score)
    assert interval.low <= interval.mean <= interval.high
    assert compared.comparison.better()[0][0] == next(iter(truth.videos))
    assert compared.comparison.worse() == []
    assert "in favour of B." in verdict(compared.comparison, "A", "B")
    assert swapped.worst()[0].name == next(iter(truth.videos))


def test_a_run_against_itself_is_not_told_apart(truth: TpsFiles, right: Path) -> None:
    run = load_run(right, truth)
    comparison = evaluate_runs(truth, [run, run]).comparison
    assert comparison is not None
    assert (comparison.interval.low, comparison.interval.high) == (0.0, 0.0)
    assert "do not tell the two apart" in verdict(comparison, "A", "B")


def test_true_boxes_have_full_precision_at_every_size(compared: Evaluation) -> None:
    for sizes in compared.runs[0].sizes.values():
        for values in sizes.values():
            if values.num_true:
                assert values.ap == pytest.approx(100.0)
                assert values.found == 1.0
    areas = compared.runs[0].sizes["parts"]
    assert areas["all"].num_true == sum(areas[size].num_true for size in ("small", "medium", "large"))


def test_a_submission_has_no_precision_and_says_why(truth: TpsFiles, right: Path, tmp_path: Path) -> None:
    write_submission(tmp_path / "entry.zip", parses_to_predictions(load_parses(right)))
    run = load_run(tmp_path / "entry.zip", truth)
    evaluation = evaluate_runs(truth, [run])
    assert run.name == "entry"
    assert evaluation.runs[0].sizes["persons"]["all"].ap is None
    assert evaluation.runs[0].sizes["persons"]["all"].found == 1.0
    assert "hold no confidences" in evaluation.not_computed()[0]
    page = evaluation_page(evaluation, {}, tmp_path / "page.html")
    assert "hold no confidences" in page
    assert "--videos DIR" in page
    assert "Average precision, %" not in page


def test_the_page_holds_pictures_links_and_nothing_from_elsewhere(
    compared: Evaluation, data: Path, swapped: Path, truth: TpsFiles, tmp_path: Path
) -> None:
    page = evaluation_page(compared, videos_of_truth(data / "test_truth"), swapped.parent / "pages" / "page.html")
    assert page.count("data:image/jpeg;base64,") == 2 * NUM_VIDEOS  # of two runs
    first = next(iter(truth.videos))
    assert f'href="../swapped%20hands/{first}/report.html"' in page
    assert "&lt;i&gt;nothing&lt;/i&gt;" in page
    assert "<i>" not in page
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:|\.\./swapped)""", page)
    assert len(re.findall(r"<section ", page)) == len(re.findall(r"<h2 id=", page)) == 9


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name.split(".")[0])
def test_whatever_the_official_program_scores_has_a_page(path: Path, tmp_path: Path) -> None:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        case = json.load(file)
    truth = TpsFiles(case["gt_vid_result"], case["gt_part_result"])
    run = PredictionRun("case", TpsFiles(case["pred_vid_result"], case["pred_part_result"]))
    evaluation = evaluate_runs(truth, [run])
    json.dumps(evaluation.to_dict(), allow_nan=False)
    assert "<h1>Evaluation of case</h1>" in evaluation_page(evaluation, {}, tmp_path / "page.html")


def test_names_with_markup_are_text(tmp_path: Path) -> None:
    with gzip.open(CASES[0], "rt", encoding="utf-8") as file:
        case = json.load(file)
    hostile, video = """<script>alert(1)</script>"'&{{ title }}""", next(iter(case["gt_vid_result"]))
    files = [
        {hostile if name == video else name: value for name, value in case[key].items()}
        for key in ("gt_vid_result", "gt_part_result", "pred_vid_result", "pred_part_result")
    ]
    truth, predicted = TpsFiles(files[0], files[1]), TpsFiles(files[2] | {hostile: hostile}, files[3])
    runs = [PredictionRun(f"{hostile} {n}", predicted) for n in (1, 2)]
    page = evaluation_page(evaluate_runs(truth, runs, truth_name=hostile), {}, tmp_path / "page.html")
    assert page.count("<script") == page.count("</script") == 1  # the page's own
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 20
    assert "{{ title }}" in page


def run_command(capsys: pytest.CaptureFixture[str], *arguments: object) -> SimpleNamespace:
    code = main(["evaluate", *map(str, arguments)])
    captured = capsys.readouterr()
    return SimpleNamespace(code=code, out=captured.out, err=captured.err)


def test_the_command_writes_page_and_figures_of_two_runs(
    capsys: pytest.CaptureFixture[str], data: Path, right: Path, swapped: Path, tmp_path: Path
) -> None:
    page, figures = tmp_path / "page.html", tmp_path / "figures.json"
    sources = ["--truth", data, "--split", "test", "--predictions", swapped, "--compare", right]
    names = ["--name", "was", "--name", "now"]
    result = run_command(capsys, *sources, *names, "--html", page, "--json", figures)
    assert (result.code, result.err) == (0, "")
    assert "in favour of now." in result.out
    assert [len(line.split()) for line in result.out.splitlines()[:3]] == [2, 4, 4]  # columns stand apart
    assert "Evaluation of was and now" in page.read_text(encoding="utf-8")
    content = json.loads(figures.read_text(encoding="utf-8"))
    assert content["roc_score"] == content["evaluation"]["runs"][0]["roc_score"]
    differences = content["evaluation"]["comparison"]["differences"]
    assert set(content["evaluation"]["comparison"]["better"]) == {
        name for name, value in differences.items() if value > 0
    }
    assert [run["name"] for run in content["evaluation"]["runs"]] == ["was", "now"]


def test_errors_of_use_are_one_line(
    capsys: pytest.CaptureFixture[str], data: Path, right: Path, tmp_path: Path
) -> None:
    sources = ["--truth", data, "--split", "test", "--predictions", right]
    page = ["--html", tmp_path / "page.html"]
    for options, message in [
        (["--name", "a", "--name", "b"], "--name must be given at most once for each of 1 predictions, got 2"),
        (["--compare", right, "--name", "a", "--name", "a"], "--name must differ"),
        ([*page, "--videos", tmp_path / "none"], "needs a folder of videos"),
        (["--compare", tmp_path / "no.zip"], "no such file or folder"),
    ]:
        result = run_command(capsys, *sources, *options)
        assert result.code == EXIT_USER_ERROR
        assert message in result.err
        assert len(result.err.splitlines()) == 1
    assert not (tmp_path / "page.html").exists()


def test_a_video_without_a_parse_is_named(truth: TpsFiles, data: Path, tmp_path: Path) -> None:
    folder = write_parses(data, tmp_path / "some")
    missing = next(iter(truth.videos))
    (folder / missing / "parse.json").unlink()
    with pytest.raises(ValueError, match=f"some: needs a parse of every video of the truth, got none of {missing}"):
        load_run(folder, truth)
