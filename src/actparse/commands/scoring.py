"""The commands "evaluate", "evaluate-poses", "submit" and "diagnose"."""

from __future__ import annotations

import argparse
import gc
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from actparse.commands.datasets import open_root
from actparse.commands.options import Commands, add_json_file_option, add_model_options, write_or_print
from actparse.core.errors import ActparseError

if TYPE_CHECKING:
    from actparse.metrics import TpsScore


def add_commands(commands: Commands) -> None:
    """Register the commands."""
    _add_evaluate(commands)
    _add_evaluate_poses(commands)
    _add_submit(commands)
    _add_diagnose(commands)


def _add_evaluate(commands: Commands) -> None:
    command = commands.add_parser(
        "evaluate",
        help="compute the official Kinetics-TPS score of predictions, and a page with details",
        description="Score predictions by the official rules. PREDICTIONS is a zip or folder with pred_*.json, or a "
        "folder of parses.",
        epilog="example: actparse evaluate --truth data --split test --predictions parses --html evaluation.html",
    )
    command.add_argument(
        "--truth", type=Path, required=True, metavar="DIR", help="a folder with gt_*.json, or a dataset's root"
    )
    command.add_argument("--split", metavar="NAME", help="split of the dataset")
    command.add_argument("--predictions", type=Path, required=True, metavar="DIR_OR_ZIP", help="predictions to score")
    command.add_argument("--compare", type=Path, metavar="DIR_OR_ZIP", help="other predictions to compare with")
    command.add_argument(
        "--name",
        action="append",
        metavar="NAME",
        help="name of the predictions, then of the compared ones; default: the file's name",
    )
    command.add_argument("--human-iou", type=float, default=0.5, metavar="T", help="least IoU of boxes of one person")
    command.add_argument("--part-iou", type=float, default=0.3, metavar="T", help="least IoU of boxes of one part")
    command.add_argument(
        "--videos", type=Path, metavar="DIR", help="videos for thumbnails; default: those next to the truth"
    )
    command.add_argument("--seed", type=int, default=0, metavar="S", help="seed of the resampling for the intervals")
    command.add_argument("--html", type=Path, metavar="FILE", help="write one self-contained page")
    add_json_file_option(command, "the metrics in full precision")
    command.set_defaults(run=_evaluate)


def _evaluate(args: argparse.Namespace) -> int:
    if args.html or args.json or args.compare or args.name:
        return _evaluate_in_full(args)
    from actparse.data.evaluation import evaluate

    score = evaluate(args.truth, args.predictions, split=args.split, human_iou=args.human_iou, part_iou=args.part_iou)
    _print_scores([str(args.predictions)], [score])
    return 0


def _evaluate_in_full(args: argparse.Namespace) -> int:
    from actparse.core.files import write_text
    from actparse.data.evaluation import load_runs, truth_folder, videos_in, videos_of_truth
    from actparse.data.submission import load_truth
    from actparse.report.evaluation import evaluate_runs, evaluation_to_json, verdict
    from actparse.report.evaluation_page import evaluation_page

    folder = truth_folder(args.truth, args.split)
    with _collector_paused():
        truth = load_truth(folder)
        runs = load_runs([path for path in (args.predictions, args.compare) if path], truth, args.name or [])
        evaluation = evaluate_runs(
            truth,
            runs,
            truth_name=folder.resolve().name,
            human_iou=args.human_iou,
            part_iou=args.part_iou,
            seed=args.seed,
        )
    if args.html:
        videos = videos_in(args.videos) if args.videos else videos_of_truth(folder)
        write_text(args.html, evaluation_page(evaluation, videos, args.html))
    if write_or_print(evaluation_to_json(evaluation), args.json):
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
    width = max(len("0.0000"), *map(len, names)) + 2 if len(scores) > 1 else 0

    def row(label: str, values: Sequence[float]) -> str:
        return f"{label:16}" + "".join(f"{value:<{width}.4f}" for value in values).rstrip()

    if len(scores) > 1:
        print(" " * 16 + "".join(f"{name:<{width}}" for name in names).rstrip())
    print(row("ROC score", [score.roc_score for score in scores]))
    print(row("video accuracy", [score.video_accuracy for score in scores]))
    for threshold in (0.1, 0.3, 0.5, 0.7, 0.9):
        print(row(f"accuracy at {threshold}", [score.accuracy_at(threshold) for score in scores]))


def _add_evaluate_poses(commands: Commands) -> None:
    command = commands.add_parser(
        "evaluate-poses",
        help="measure the detection of people and keypoints in your own images against a COCO keypoints file",
        description="Parse the images of a COCO keypoints file and measure persons and keypoints: average precision, "
        "the share of persons found, boxes per image, and PCK. Crowds are ignored, as in COCO.",
        epilog="example: actparse evaluate-poses --images val2017 --annotations person_keypoints_val2017.json "
        "--limit 200 --json poses.json",
    )
    command.add_argument("--images", type=Path, required=True, metavar="DIR", help="the folder of the images")
    command.add_argument(
        "--annotations",
        type=Path,
        required=True,
        metavar="FILE",
        help="COCO JSON with boxes and keypoints of the category person",
    )
    command.add_argument("--limit", type=int, metavar="N", help="the first N images only; default: all")
    add_json_file_option(command, "the metrics")
    add_model_options(command)
    command.set_defaults(run=_evaluate_poses)


def _evaluate_poses(args: argparse.Namespace) -> int:
    from actparse.core.progress import counted
    from actparse.inspection.pose_evaluation import evaluate_poses
    from actparse.parser import Parser

    with counted("images") as progress:
        parser = Parser.load(args.weights, device=args.device)
        metrics = evaluate_poses(parser, args.images, args.annotations, limit=args.limit, progress=progress)
    if not write_or_print(json.dumps(metrics.to_dict(), indent=2), args.json):
        print(metrics.to_text())
    return 0


def _add_submit(commands: Commands) -> None:
    command = commands.add_parser(
        "submit",
        help="write the challenge's zip from a folder of parses",
        description="Write pred_vid_result.json and pred_part_result.json into a zip; reject what the rules forbid.",
        epilog="example: actparse submit parses --out submission.zip",
    )
    command.add_argument("parses", type=Path, metavar="DIR_OF_PARSES", help="the folder of `actparse parse --out`")
    command.add_argument("--out", type=Path, required=True, metavar="submission.zip", help="the zip")
    command.set_defaults(run=_submit)


def _submit(args: argparse.Namespace) -> int:
    from actparse.data.parses import load_parses
    from actparse.data.submission import parses_to_predictions, validate_predictions, write_submission

    parses = load_parses(args.parses)
    if not parses:
        raise ActparseError(f"{args.parses}: needs folders with parse.json, got none")
    predictions = parses_to_predictions(parses)
    validate_predictions(predictions)
    write_submission(args.out, predictions)
    print(f"{args.out}: {len(parses)} videos")
    return 0


def _add_diagnose(commands: Commands) -> None:
    command = commands.add_parser(
        "diagnose",
        help="measure every stage on a dataset with truth, and what limits the score",
        description="Parse the videos of a split, measure each stage, and score with each stage replaced by the truth.",
        epilog="example: actparse diagnose --data data --split test --json figures.json",
    )
    command.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="a dataset's root, or the YAML file of your own data"
    )
    command.add_argument("--split", default="test", metavar="NAME", help="split of the dataset")
    command.add_argument("--limit", type=int, metavar="N", help="only the first N videos; default: all")
    add_json_file_option(command, "all metrics")
    add_model_options(command, default="tiny")
    command.set_defaults(run=_diagnose)


def _diagnose(args: argparse.Namespace) -> int:
    from actparse.core.progress import counted
    from actparse.inspection.diagnosis import diagnose
    from actparse.parser import Parser

    root = open_root(args.data)
    with counted("videos") as progress:
        parser = Parser.load(args.weights, device=args.device)
        diagnosis = diagnose(parser, root, split=args.split, weights=args.weights, limit=args.limit, progress=progress)
    if not write_or_print(json.dumps(diagnosis.to_dict(), indent=2), args.json):
        print(diagnosis.to_text())
    return 0
