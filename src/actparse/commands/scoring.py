"""Commands "evaluate", "submit" and "diagnose"."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from actparse.commands.options import Commands, add_model_options
from actparse.errors import ActparseError


def add_commands(commands: Commands) -> None:
    """Make them known."""
    _add_evaluate(commands)
    _add_submit(commands)
    _add_diagnose(commands)


def _add_evaluate(commands: Commands) -> None:
    command = commands.add_parser("evaluate", help="the official Kinetics-TPS score of predictions")
    command.add_argument(
        "--truth", type=Path, required=True, metavar="DIR", help="holds gt_*.json, or a dataset's root"
    )
    command.add_argument("--split", metavar="NAME", help="of a dataset's root")
    command.add_argument("--predictions", type=Path, required=True, metavar="DIR_OR_ZIP")
    command.add_argument("--human-iou", type=float, default=0.5, metavar="T")
    command.add_argument("--part-iou", type=float, default=0.3, metavar="T")
    command.add_argument("--json", type=Path, metavar="FILE", help="write the figures in full precision")
    command.set_defaults(run=_evaluate)


def _evaluate(args: argparse.Namespace) -> int:
    from actparse.data.evaluation import evaluate, score_to_json
    from actparse.files import write_text

    score = evaluate(args.truth, args.predictions, split=args.split, human_iou=args.human_iou, part_iou=args.part_iou)
    if args.json:
        write_text(args.json, score_to_json(score))
    print(f"ROC score       {score.roc_score:.4f}")
    print(f"video accuracy  {score.video_accuracy:.4f}")
    for threshold in (0.1, 0.3, 0.5, 0.7, 0.9):
        print(f"accuracy at {threshold} {score.accuracy_at(threshold):.4f}")
    return 0


def _add_submit(commands: Commands) -> None:
    command = commands.add_parser("submit", help="make the challenge's zip of a folder of parses")
    command.add_argument("parses", type=Path, metavar="DIR_OF_PARSES")
    command.add_argument("--out", type=Path, required=True, metavar="submission.zip")
    command.set_defaults(run=_submit)


def _submit(args: argparse.Namespace) -> int:
    from actparse.data.submission import parses_to_predictions, validate_predictions, write_submission
    from actparse.outputs import load_parses

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
        "diagnose", help="every stage measured on a dataset with truth, and what limits the score"
    )
    command.add_argument("--data", type=Path, required=True, metavar="DIR")
    command.add_argument("--split", default="test", metavar="NAME")
    command.add_argument("--limit", type=int, metavar="N", help="the first N videos alone")
    command.add_argument("--json", type=Path, metavar="FILE")
    add_model_options(command)
    command.set_defaults(run=_diagnose)


def _diagnose(args: argparse.Namespace) -> int:
    from actparse.diagnosis import diagnose
    from actparse.files import write_text
    from actparse.parser import Parser
    from actparse.progress import counted

    with counted("videos") as progress:
        parser = Parser.load(args.weights, device=args.device)
        figures = diagnose(
            parser, args.data, split=args.split, weights=args.weights, limit=args.limit, progress=progress
        )
    if args.json:
        write_text(args.json, json.dumps(figures.to_dict(), indent=2))
    print(figures.to_text())
    return 0
