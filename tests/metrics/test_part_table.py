from __future__ import annotations

import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from actparse.core.errors import DataError
from actparse.metrics import tps_score
from actparse.metrics.confusion import side_swaps, state_confusions
from actparse.metrics.outcomes import OUTCOMES, Outcome, outcomes_by_group, outcomes_by_video, part_outcomes
from actparse.metrics.part_table import PartTable, build_part_table
from actparse.metrics.replacement import Stage, score_with

CASES = sorted((Path(__file__).parents[1] / "golden" / "tps_metric").glob("*.json.gz"))
BODY, HEAD, HIP, AWAY = [0, 0, 99, 99], [0, 0, 9, 9], [0, 50, 9, 59], [200, 200, 209, 209]
Part = tuple[list[list[int]], list[str]]


def true_person(box: list[int] = BODY, **parts: tuple[list[int], str]) -> dict[str, Any]:
    return {"box": box, "parts": {name: {"box": b, "verb": v} for name, (b, v) in parts.items()}}


def found_person(box: list[int] = BODY, **parts: Part) -> dict[str, Any]:
    return {"box": box, "parts": {name: {"box": b, "verb": v} for name, (b, v) in parts.items()}}


def table(true: list[dict[str, Any]], found: list[dict[str, Any]] | None, *, action: str = "a") -> PartTable:
    """Of one frame; None: it was not predicted."""
    truth = SimpleNamespace(videos={"v": "a"}, parts={"v": {"img_00001.json": {"humans": true}}})
    frames = {} if found is None else {"img_00001.json": {"humans": found}}
    return build_part_table(truth, SimpleNamespace(videos={"v": action}, parts={"v": frames}))


def only(share: Outcome, rows: PartTable) -> bool:
    return part_outcomes(rows)[0].tolist() == [float(outcome is share) for outcome in OUTCOMES]


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.name.split(".")[0])
def test_the_columns_score_as_the_official_program(path: Path) -> None:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        case = json.load(file)
    truth = SimpleNamespace(videos=case["gt_vid_result"], parts=case["gt_part_result"])
    found = SimpleNamespace(videos=case["pred_vid_result"], parts=case["pred_part_result"])
    for setting in case["expected"]["settings"]:
        ious = {"human_iou": setting["human_iou"], "part_iou": setting["part_iou"]}
        rows, score = build_part_table(truth, found, **ious), tps_score(truth, found, **ious)
        assert rows.correctness(rows.credit()).tolist() == list(score.part_state_correctness.values())
        assert score_with(rows, Stage.NOTHING).roc_score == pytest.approx(score.roc_score, abs=1e-12)
        assert all(score_with(rows, stage).roc_score >= score.roc_score - 1e-12 for stage in Stage)
        shares = part_outcomes(rows)
        assert shares.sum(axis=1) == pytest.approx(1.0)
        assert shares[:, OUTCOMES.index(Outcome.RIGHT)] == pytest.approx(rows.credit())


TRUE_HEAD = [true_person(head=(HEAD, "turn"))]


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        pytest.param([found_person(head=([HEAD], ["turn"]))], Outcome.RIGHT, id="right"),
        pytest.param([found_person(head=([HEAD], ["none"]))], Outcome.STATE, id="state"),
        pytest.param([found_person(head=([AWAY], ["turn"]))], Outcome.BOX, id="box"),
        pytest.param([found_person(head=([AWAY, HEAD], ["turn", "none"]))], Outcome.BOX, id="right in two proposals"),
        pytest.param([found_person(head=([AWAY], ["none"]))], Outcome.STATE_AND_BOX, id="state and box"),
        pytest.param([found_person(hip=([HIP], ["none"]))], Outcome.NO_PART, id="part"),
        pytest.param([found_person(AWAY, head=([HEAD], ["turn"]))], Outcome.NO_PERSON, id="person elsewhere"),
        pytest.param([], Outcome.NO_PERSON, id="no person"),
        pytest.param(None, Outcome.NO_FRAME, id="no frame"),
    ],
)
def test_what_became_of_a_part(found: list[dict[str, Any]] | None, outcome: Outcome) -> None:
    rows = table(TRUE_HEAD, found)
    assert only(outcome, rows)
    assert outcomes_by_group(rows, part_outcomes(rows))["head"][outcome.value] == 1.0
    assert outcomes_by_video(rows, part_outcomes(rows))[0, OUTCOMES.index(outcome)] == 1.0


def test_several_proposals_share_the_point() -> None:
    shares = part_outcomes(table(TRUE_HEAD, [found_person(head=([HEAD, HEAD], ["turn", "none"]))]))[0]
    assert shares[OUTCOMES.index(Outcome.RIGHT)] == 0.5
    assert shares[OUTCOMES.index(Outcome.HEDGED)] == 0.5


def scores(found: list[dict[str, Any]] | None, *, action: str = "a") -> dict[Stage, float]:
    true = [true_person(head=(HEAD, "turn"), hip=(HIP, "sit"))]
    rows = table(true, found, action=action)
    return {stage: round(score_with(rows, stage).roc_score, 3) for stage in Stage}


def expected(nothing: float, **stages: float) -> dict[Stage, float]:
    return {stage: stages.get(stage.name.lower(), nothing) for stage in Stage}


def test_each_stage_mends_its_own_error_alone() -> None:
    hip = ([HIP], ["sit"])
    right = found_person(head=([HEAD], ["turn"]), hip=hip)
    assert scores([right]) == expected(1.0)
    assert scores([right], action="b") == expected(0.0, action=1.0)
    state = found_person(head=([HEAD], ["none"]), hip=hip)
    assert scores([state]) == expected(0.5, states=1.0, parts=1.0)
    box = found_person(head=([AWAY], ["turn"]), hip=hip)
    assert scores([box]) == expected(0.5, part_boxes=1.0, parts=1.0)
    both = found_person(head=([AWAY], ["none"]), hip=hip)
    assert scores([both]) == expected(0.5, parts=1.0)
    half_a_person = found_person([0, 0, 99, 45], head=([HEAD], ["turn"]), hip=hip)
    assert scores([half_a_person]) == expected(0.0, persons=1.0)
    assert scores([]) == expected(0.0)  # no truth helps where nobody was found


def test_true_states_take_the_best_box_of_several_proposals() -> None:
    two = found_person(head=([AWAY, HEAD], ["turn", "none"]), hip=([HIP], ["sit"]))
    assert scores([two]) == expected(0.5, states=1.0, part_boxes=0.75, parts=1.0)


HANDS = {"left_hand": (HEAD, "hold"), "right_hand": (HIP, "none")}


def test_swapped_hands_show_in_the_confusion_and_as_a_swap() -> None:
    found = [found_person(left_hand=([HEAD], ["none"]), right_hand=([HIP], ["hold"]))]
    rows = table([true_person(**HANDS)], found)
    confusion = state_confusions(rows)["hand"]
    assert confusion.states == ("hold", "none")
    assert confusion.counts.tolist() == [[0, 1], [1, 0]]
    assert confusion.commonest_errors() == [("hold", "none", 1.0), ("none", "hold", 1.0)]
    assert (side_swaps(rows)["hand"].num_tellable, side_swaps(rows)["hand"].num_swapped) == (1, 1)


def test_two_wrong_states_are_no_swap_and_equal_sides_cannot_be_told_apart() -> None:
    found = [found_person(left_hand=([HEAD], ["none"]), right_hand=([HIP], ["none"]))]
    assert side_swaps(table([true_person(**HANDS)], found))["hand"].num_swapped == 0
    alike = [true_person(left_hand=(HEAD, "none"), right_hand=(HIP, "none"))]
    assert side_swaps(table(alike, found))["hand"].num_tellable == 0


def test_a_part_counts_once_in_the_confusion() -> None:
    found = [found_person(left_hand=([HEAD, HEAD], ["hold", "grab"]))]
    confusion = state_confusions(table([true_person(**HANDS)], found))["hand"]
    assert dict(zip(confusion.states, confusion.counts[0], strict=True)) == {"hold": 0.5, "none": 0.0, "grab": 0.5}
    assert confusion.not_proposed.tolist() == [0, 1, 0]


def test_parts_of_missed_persons_are_in_no_confusion() -> None:
    assert state_confusions(table(TRUE_HEAD, [])) == {}


def test_nothing_annotated() -> None:
    rows = table([], [found_person()])
    assert rows.correctness(rows.credit()).tolist() == [1.0]
    assert part_outcomes(rows).shape == (0, len(OUTCOMES))
    assert outcomes_by_group(rows, part_outcomes(rows)) == {}
    assert not outcomes_by_video(rows, part_outcomes(rows)).any()
    assert np.all(side_swaps(rows)["hand"].num_tellable == 0)


def test_a_part_of_another_name_counts_in_the_score_and_in_no_group() -> None:
    rows = table([true_person(tail=(HEAD, "none"))], [found_person()])
    assert rows.correctness(rows.credit()).tolist() == [0.0]
    assert outcomes_by_group(rows, part_outcomes(rows)) == {}


def test_a_missing_video_is_named() -> None:
    truth = SimpleNamespace(videos={"v": "a"}, parts={})
    with pytest.raises(DataError, match="video 'v' of the truth is missing"):
        build_part_table(truth, SimpleNamespace(videos={}, parts={}))
