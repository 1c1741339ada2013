"""The commands "evaluate", "evaluate-poses", "submit", "diagnose" and "calibrate"."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from actparse.commands.datasets import open_root
from actparse.commands.options import (
    Dataset,
    Device,
    Json,
    JsonFile,
    Limit,
    Split,
    Truth,
    TruthFiles,
    Weights,
    print_json,
    write_or_print,
)
from actparse.core.errors import ActparseError
from actparse.core.text_tables import format_table

if TYPE_CHECKING:
    from actparse.metrics import TpsScore


def evaluate(
    *,
    truth: Truth,
    split: Split = None,
    predictions: Annotated[Path, Parameter(metavar="DIR_OR_ZIP")],
    compare: Annotated[Path | None, Parameter(metavar="DIR_OR_ZIP")] = None,
    names: Annotated[tuple[str, ...], Parameter(name="--name", metavar="NAME")] = (),
    human_iou: Annotated[float, Parameter(metavar="T")] = 0.5,
    part_iou: Annotated[float, Parameter(metavar="T")] = 0.3,
    videos: Annotated[Path | None, Parameter(metavar="DIR")] = None,
    seed: Annotated[int, Parameter(metavar="S")] = 0,
    html: Annotated[Path | None, Parameter(metavar="FILE")] = None,
    json: JsonFile = None,
) -> int:
    """Compute the official Kinetics-TPS score of predictions, and a page with details.

    Score predictions by the official rules. PREDICTIONS is a zip or folder with pred_*.json, or a folder of parses.

    Args:
        predictions: predictions to score
        compare: other predictions to compare with
        names: name of the predictions, then of the compared ones; default: the file's name
        human_iou: least IoU of boxes of one person
        part_iou: least IoU of boxes of one part
        videos: videos for thumbnails; default: those next to the truth
        seed: seed of the resampling for the intervals
        html: write one self-contained page

    Examples:
      actparse evaluate --truth data --split test --predictions parses
    """
    if not (html or json is not None or compare or names):
        from actparse.data.evaluation import evaluate as score_predictions

        score = score_predictions(truth, predictions, split=split, human_iou=human_iou, part_iou=part_iou)
        _print_scores([str(predictions)], [score])
        return 0

    from actparse.core.files import write_text
    from actparse.data.evaluation import load_runs, truth_folder, videos_in, videos_of_truth
    from actparse.data.submission import load_truth
    from actparse.report.evaluation import evaluate_runs, evaluation_to_json, verdict
    from actparse.report.evaluation_page import evaluation_page

    folder = truth_folder(truth, split)
    with _collector_paused():
        loaded = load_truth(folder)
        runs = load_runs([path for path in (predictions, compare) if path], loaded, names)
        evaluation = evaluate_runs(
            loaded, runs, truth_name=folder.resolve().name, human_iou=human_iou, part_iou=part_iou, seed=seed
        )
    if html:
        thumbnails = videos_in(videos) if videos else videos_of_truth(folder)
        write_text(html, evaluation_page(evaluation, thumbnails, html))
    if write_or_print(evaluation_to_json(evaluation), json):
        return 0
    _print_scores([run.name for run in evaluation.runs], [run.score for run in evaluation.runs])
    if evaluation.comparison is not None:
        print(verdict(evaluation.comparison, *(run.name for run in evaluation.runs)))
    return 0


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Pause the garbage collector: the files become millions of dicts, and collecting takes a third of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _print_scores(names: Sequence[str], scores: Sequence[TpsScore]) -> None:
    """Print a column for each score, headed by names if there are several."""
    table = [("", *names)] if len(scores) > 1 else []
    table.append(("ROC score", *(f"{score.roc_score:.4f}" for score in scores)))
    table.append(("video accuracy", *(f"{score.video_accuracy:.4f}" for score in scores)))
    for threshold in (0.1, 0.3, 0.5, 0.7, 0.9):
        table.append((f"accuracy at {threshold}", *(f"{score.accuracy_at(threshold):.4f}" for score in scores)))
    print(format_table(table, num_text_columns=1 + len(names)))


def evaluate_poses(
    *,
    images: Annotated[Path, Parameter(metavar="DIR")],
    annotations: Annotated[Path, Parameter(metavar="FILE")],
    limit: Limit = None,
    weights: Weights = "people",
    device: Device = None,
    json: JsonFile = None,
) -> int:
    """Measure the detection of people and keypoints in your own images against a COCO keypoints file.

    Parse the images of a COCO keypoints file and measure persons and keypoints: average precision, the share of persons
    found, boxes per image, and PCK. Crowds are ignored, as in COCO.

    Args:
        images: the folder of the images
        annotations: COCO JSON with boxes and keypoints of the category person

    Examples:
      actparse evaluate-poses --images val2017 --annotations persons.json
    """
    from actparse.core.progress import counted
    from actparse.inspection.pose_evaluation import evaluate_poses as evaluate_images
    from actparse.parser import Parser

    with counted("images") as progress:
        parser = Parser.load(weights, device=device)
        metrics = evaluate_images(parser, images, annotations, limit=limit, progress=progress)
    if not write_or_print(dumps(metrics.to_dict(), indent=2), json):
        print(metrics.to_text())
    return 0


def submit(
    parses: Path,
    *,
    out: Annotated[Path, Parameter(metavar="submission.zip")],
) -> int:
    """Write the challenge's zip from a folder of parses.

    Write pred_vid_result.json and pred_part_result.json into a zip; reject what the rules forbid.

    Args:
        parses: the folder of `actparse parse --out`
        out: the zip

    Examples:
      actparse submit parses --out submission.zip
    """
    from actparse.data.parses import load_parses
    from actparse.data.submission import parses_to_predictions, validate_predictions, write_submission

    loaded = load_parses(parses)
    if not loaded:
        raise ActparseError(f"{parses}: needs folders with parse.json, got none")
    predictions = parses_to_predictions(loaded)
    validate_predictions(predictions)
    write_submission(out, predictions)
    print(f"{out}: {len(loaded)} videos")
    return 0


def diagnose(
    *,
    data: Dataset,
    split: Annotated[str, Parameter(metavar="NAME", help="split of the dataset")] = "test",
    truth: TruthFiles = None,
    limit: Limit = None,
    weights: Weights = "tiny",
    device: Device = None,
    json: JsonFile = None,
) -> int:
    """Measure every stage on a dataset with truth, and what limits the score.

    Parse the videos of a split, measure each stage, and score with each stage replaced by the truth.

    Examples:
      actparse diagnose --data data --split test --json metrics.json
    """
    from actparse.core.progress import counted
    from actparse.inspection.diagnosis import diagnose as diagnose_split
    from actparse.parser import Parser

    root = open_root(data)
    with counted("videos") as progress:
        parser = Parser.load(weights, device=device)
        diagnosis = diagnose_split(
            parser, root, split=split, truth=truth, weights=weights, limit=limit, progress=progress
        )
    if not write_or_print(dumps(diagnosis.to_dict(), indent=2), json):
        print(diagnosis.to_text())
    return 0


def calibrate(
    *,
    weights: Annotated[str, Parameter(metavar="NAME_OR_PATH")],
    known_parses: Annotated[Path, Parameter(name="--known", metavar="DIR_OF_PARSES")],
    unknown_parses: Annotated[Path, Parameter(name="--unknown", metavar="DIR_OF_PARSES")],
    truth: Annotated[Path | None, Parameter(alias="--data", metavar="DIR")] = None,
    split: Split = None,
    max_rejected: Annotated[float, Parameter(metavar="S")] = 0.1,
    write: bool = False,
    json: Json = False,
) -> int:
    """Find the score below which a bundle asserts no action.

    Fit a bundle's temperature on parses of videos with known actions, and the score below which a video is called
    unknown on parses of videos that show none of them. Print what it does to these videos.

    Args:
        weights: the weights that made the parses
        known_parses: parses of the bundle's actions; name each folder, or its parent, after the action, as push_up_3
        unknown_parses: parses of videos that show none of them
        truth: a dataset's root, or a folder with gt_*.json, that contains the true actions
        max_rejected: largest share of correctly recognised videos that may be called unknown
        write: store the result in the bundle.json of a custom bundle

    Examples:
      actparse calibrate --weights bundle --known known --unknown other --write
      actparse calibrate --weights tiny --known known --unknown other --truth data
    """
    from actparse.data.evaluation import truth_folder
    from actparse.data.submission import load_truth
    from actparse.inspection.calibration import calibrate as fit
    from actparse.inspection.calibration import store

    actions = None if truth is None else load_truth(truth_folder(truth, split)).videos
    fitted = fit(weights, known_parses, unknown_parses, truth=actions, max_rejected=max_rejected)
    folder = store(weights, fitted) if write else None
    if json:
        print_json(fitted.to_dict())
        return 0
    print(fitted.to_text())
    if folder is not None:
        print(f"written to {folder}")
    return 0
