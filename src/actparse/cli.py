"""The command: one thin function for each capability."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from actparse import __version__
from actparse.errors import ActparseError

EXIT_USER_ERROR = 2  # what the user can mend
EXIT_SOME_FAILED = 1  # some videos of several
EXIT_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    parser = build_argument_parser()
    args = parser.parse_args(arguments)
    try:
        code: int = args.run(args)
    except ActparseError as error:
        print(f"actparse: {error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"actparse: {where}{error.strerror or error}", file=sys.stderr)
        return EXIT_USER_ERROR
    except KeyboardInterrupt:
        print("actparse: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    return code


def build_argument_parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    parser = argparse.ArgumentParser(prog="actparse", description="What people in a video do, down to each body part.")
    parser.add_argument("--version", action="version", version=f"actparse {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_parse(commands)
    _add_demo(commands)
    _add_synth(commands)
    _add_train(commands)
    _add_evaluate(commands)
    _add_submit(commands)
    _add_diagnose(commands)
    _add_weights(commands)
    doctor = commands.add_parser("doctor", help="versions, devices, codecs, where weights and caches lie")
    doctor.set_defaults(run=lambda args: _doctor())
    return parser


Commands = argparse._SubParsersAction  # the type that add_subparsers returns has no public name


def _add_parse(commands: Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "parse",
        help="parse videos",
        description="Write OUT/<video's stem>/parse.json and overlay.mp4 for each video.",
        epilog="example: actparse parse lift.mp4 --out parses --time 2.5:8",
    )
    command.add_argument("videos", nargs="+", type=Path, metavar="VIDEO")
    command.add_argument("--out", type=Path, default=Path("out"), metavar="DIR")
    _add_model_options(command)
    command.add_argument("--time", metavar="START:END", help="seconds; either side may be empty")
    command.add_argument("--stride", type=int, default=5, metavar="N", help="look for persons every N frames")
    command.add_argument("--no-overlay", action="store_true", help="write parse.json alone")
    command.add_argument("--timings", action="store_true", help="print the seconds that each stage took")
    command.set_defaults(run=_parse)


def _add_model_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--weights", default="tiny", metavar="NAME_OR_PATH", help="a bundled name or a bundle's folder"
    )
    command.add_argument("--device", metavar="DEVICE", help="cpu, cuda, cuda:1; default: a GPU where there is one")


def _parse(args: argparse.Namespace) -> int:
    from actparse.outputs import parse_videos
    from actparse.parser import Parser, ParserConfig
    from actparse.progress import VideoProgress
    from actparse.video.decode import parse_time_range

    time_range = parse_time_range(args.time) if args.time else None
    parser = Parser.load(args.weights, device=args.device, config=ParserConfig(stride=args.stride))
    with VideoProgress(len(args.videos)) as progress:
        outcomes = parse_videos(
            parser, args.videos, args.out, time_range=time_range, overlay=not args.no_overlay, progress=progress.start
        )
    for outcome in outcomes:
        if outcome.parse is not None:
            score = outcome.parse.action_scores[outcome.parse.action]
            print(f"{outcome.video}: {outcome.parse.action} ({score:.0%}) -> {outcome.folder}")
            for warning in outcome.parse.warnings:
                print(f"actparse: warning: {warning}", file=sys.stderr)
        else:
            print(f"actparse: {outcome.error}", file=sys.stderr)
    if args.timings:
        print(json.dumps({name: round(seconds, 3) for name, seconds in parser.timer.seconds.items()}))
    num_failed = sum(outcome.parse is None for outcome in outcomes)
    if num_failed == 0:
        return 0
    return EXIT_USER_ERROR if num_failed == len(outcomes) else EXIT_SOME_FAILED


def _add_demo(commands: Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("demo", help="make a clip, parse it offline, and score it against its truth")
    command.add_argument("--out", type=Path, default=Path("out/demo"), metavar="DIR")
    _add_model_options(command)
    command.set_defaults(run=_demo)


def _demo(args: argparse.Namespace) -> int:
    from actparse.demo import run_demo

    result = run_demo(args.out, weights=args.weights, device=args.device)
    print(f"clip     {result.video} (true action: {result.true_action})")
    print(f"action   {result.parse.action} ({result.parse.action_scores[result.parse.action]:.0%})")
    correct = result.score.part_state_correctness[result.name]
    print(f"parts    {correct:.1%} of the body parts have the right box and the right state")
    print(f"overlay  {result.overlay}")
    print(f"parse    {result.overlay.with_name('parse.json')}")
    return 0


def _add_synth(commands: Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "synth",
        help="make a SynthTPS dataset",
        description="Videos of synthetic people with complete annotation, in the folders of Kinetics-TPS.",
        epilog="example: actparse synth data/synth --videos 200 --seed 7",
    )
    command.add_argument("dir", type=Path, metavar="DIR")
    which = command.add_mutually_exclusive_group(required=True)
    which.add_argument("--videos", type=int, metavar="N", help="videos in all splits together")
    which.add_argument("--benchmark", choices=["SynthTPS-v1"], help="the named benchmark: fixed seeds and counts")
    which.add_argument("--sheet", action="store_true", help="write a contact sheet, DIR/synth-sheet.jpg, alone")
    command.add_argument("--seed", type=int, default=0, metavar="S")
    command.add_argument("--test-share", type=float, default=0.2, metavar="SHARE", help="of the videos, 0..1")
    command.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N")
    command.set_defaults(run=_synth)


def _synth(args: argparse.Namespace) -> int:
    from actparse.data.synth.dataset import SPLITS_V1, plan_splits, write_dataset
    from actparse.data.synth.sheet import SHEET_FILE, write_sheet
    from actparse.progress import counted

    if args.sheet:
        write_sheet(args.dir / SHEET_FILE, seed=args.seed)
        print(args.dir / SHEET_FILE)
        return 0
    plans = SPLITS_V1 if args.benchmark else plan_splits(args.videos, seed=args.seed, test_share=args.test_share)
    with counted("videos") as progress:
        manifest = write_dataset(args.dir, plans, processes=args.processes, progress=progress)
    print(manifest)
    return 0


def _add_train(commands: Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "train",
        help="train one network, or the whole small bundle",
        description="Write RUN/<recipe>.safetensors; a run that was stopped goes on where it was.",
        epilog="example: actparse train tiny --data data --out runs/tiny",
    )
    command.add_argument("recipe", nargs="?", metavar="RECIPE", help="see --list")
    command.add_argument("--list", action="store_true", help="name the recipes")
    command.add_argument("--data", type=Path, metavar="DIR", help="a dataset in Kinetics-TPS's folders")
    command.add_argument("--out", type=Path, metavar="RUN", help="default: runs/RECIPE")
    length = command.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, metavar="N", help="optimiser steps")
    length.add_argument("--epochs", type=float, metavar="E", help="passes over the training samples")
    length.add_argument("--minutes", type=float, metavar="M", help="as many steps as fit")
    command.add_argument("--init", type=Path, metavar="FILE", help="safetensors to start from")
    command.add_argument("--seed", type=int, default=0, metavar="S")
    command.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    command.add_argument("--threads", type=int, default=1, metavar="N", help="processor threads of one network")
    command.add_argument("--stream-crops", type=int, default=60_000, metavar="N", help="rendered people, for poses")
    command.set_defaults(run=_train)


def _train(args: argparse.Namespace) -> int:
    from actparse.training import RECIPES, TrainOptions, run_recipe

    if args.list:
        for name, recipe in RECIPES.items():
            print(f"{name:22} {recipe.description}")
        return 0
    if args.recipe is None or args.data is None:
        raise ActparseError("train: needs a RECIPE and --data DIR; `actparse train --list` names the recipes")
    options = TrainOptions(
        steps=args.steps,
        epochs=args.epochs,
        minutes=args.minutes,
        init=args.init,
        resume=True,
        seed=args.seed,
        device=args.device,
        threads=args.threads,
        stream_crops=args.stream_crops,
    )
    run_recipe(args.recipe, args.data, args.out or Path("runs") / args.recipe, options)
    return 0


def _add_evaluate(commands: Commands[argparse.ArgumentParser]) -> None:
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


def _add_submit(commands: Commands[argparse.ArgumentParser]) -> None:
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


def _add_diagnose(commands: Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "diagnose", help="every stage measured on a dataset with truth, and what limits the score"
    )
    command.add_argument("--data", type=Path, required=True, metavar="DIR")
    command.add_argument("--split", default="test", metavar="NAME")
    command.add_argument("--limit", type=int, metavar="N", help="the first N videos alone")
    command.add_argument("--json", type=Path, metavar="FILE")
    _add_model_options(command)
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


def _add_weights(commands: Commands[argparse.ArgumentParser]) -> None:
    command = commands.add_parser("weights", help="list the bundles, verify one, or import a public checkpoint")
    actions = command.add_subparsers(metavar="ACTION", required=True)
    actions.add_parser("list", help="the bundles that the package ships").set_defaults(run=_weights_list)
    verify = actions.add_parser("verify", help="load every network of a bundle")
    verify.add_argument("bundle", nargs="?", default="tiny", metavar="NAME_OR_PATH")
    verify.set_defaults(run=_weights_verify)


def _weights_list(args: argparse.Namespace) -> int:
    from actparse.stages.loading import bundle_folder, bundled_names

    for name in bundled_names():
        folder = bundle_folder(name)
        size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
        print(f"{name:10} {size / 1e6:.1f} MB  {folder}")
    return 0


def _weights_verify(args: argparse.Namespace) -> int:
    from actparse.stages.loading import load_bundle

    for kind, sha256 in load_bundle(args.bundle).model.items():
        print(f"{kind:14} {sha256}")
    return 0


def _doctor() -> int:
    from actparse.doctor import examine

    for finding in examine():
        print(f"{finding.topic:32}{finding.text}")
        if finding.fix:
            print(f"{'':32}fix: {finding.fix}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
