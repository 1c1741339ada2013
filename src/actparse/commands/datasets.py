"""The commands "synth" and "data"."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from actparse.commands.options import Commands, add_json_file_option, write_or_print
from actparse.core.errors import ConfigError

if TYPE_CHECKING:
    from actparse.data.audit.index import AnnotationIndex
    from actparse.data.own.importing import ImportReport

EXIT_FAULTS = 1  # the dataset has faults


def add_commands(commands: Commands) -> None:
    """Register the commands."""
    _add_synth(commands)
    _add_data(commands)


def _add_synth(commands: Commands) -> None:
    command = commands.add_parser(
        "synth",
        help="render a SynthTPS dataset",
        description="Render videos of synthetic people with complete annotation, in the folder layout of Kinetics-TPS.",
        epilog="example: actparse synth data/synth --videos 200 --seed 7",
    )
    command.add_argument("dir", type=Path, metavar="DIR", help="folder for the dataset")
    content = command.add_mutually_exclusive_group(required=True)
    content.add_argument("--videos", type=int, metavar="N", help="videos in all splits together")
    content.add_argument(
        "--benchmark", choices=["SynthTPS-v1"], help="the benchmark of that name, with fixed seeds and counts"
    )
    content.add_argument("--sheet", action="store_true", help="write only a contact sheet, DIR/synth-sheet.jpg")
    command.add_argument("--seed", type=int, default=0, metavar="S", help="seed of people, motions and backgrounds")
    command.add_argument(
        "--look",
        choices=["plain", "varied"],
        default="plain",
        help="plain: as in the benchmark; varied: textures, occluders, any orientation, image effects",
    )
    command.add_argument("--test-share", type=float, default=0.2, metavar="SHARE", help="share of test videos, 0..1")
    command.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, metavar="N", help="default: one per core"
    )
    command.set_defaults(run=_synth)


def _synth(args: argparse.Namespace) -> int:
    from actparse.core.progress import counted
    from actparse.synth.dataset import SPLITS_V1, plan_splits, write_dataset
    from actparse.synth.sheet import SHEET_FILE, write_sheet

    if args.benchmark and args.look != "plain":
        raise ConfigError(f"--look must be plain with --benchmark, got {args.look}: the benchmark's look is fixed")
    if args.sheet:
        write_sheet(args.dir / SHEET_FILE, seed=args.seed, look=args.look)
        print(args.dir / SHEET_FILE)
        return 0
    plans = SPLITS_V1 if args.benchmark else plan_splits(args.videos, seed=args.seed, test_share=args.test_share)
    with counted("videos") as progress:
        manifest = write_dataset(args.dir, plans, look=args.look, processes=args.processes, progress=progress)
    print(manifest)
    return 0


def _add_data(commands: Commands) -> None:
    command = commands.add_parser(
        "data",
        help="import your own data; check, count, show or index a dataset",
        description="Work with Kinetics-TPS, a dataset with the same layout, or your own videos and labels, described "
        "by a YAML file (docs/own-data.md). The half-million annotation files of Kinetics-TPS are read only once; "
        "interrupted work resumes.",
    )
    kinds = command.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_own(kinds)
    check = kinds.add_parser(
        "check",
        help="report everything that is missing, corrupt or unexpected",
        description="Check a dataset. Exit code 0: no faults; 1: there are faults; 2: there is no dataset.",
        epilog="example: actparse data check Kinetics-TPS --json faults.json",
    )
    _add_index_options(check)
    add_json_file_option(check, "all faults")
    check.add_argument("--no-decode", action="store_true", help="do not decode the videos, which takes hours")
    check.add_argument("--shown", type=int, default=10, metavar="N", help="number of faults of each kind to print")
    check.set_defaults(run=_check)
    stats = kinds.add_parser(
        "stats",
        help="print counts, the long tail of states, and the accuracy of always naming an action's most common state",
        epilog="example: actparse data stats Kinetics-TPS --json stats.json",
    )
    _add_index_options(stats)
    add_json_file_option(stats, "all statistics")
    stats.add_argument(
        "--split-seed", type=int, default=0, metavar="S", help="seed of the selection of held-out training videos"
    )
    stats.set_defaults(run=_stats)
    _add_show(kinds)
    index = kinds.add_parser(
        "index",
        help="convert the annotation to Parquet; the other commands do it when needed",
        epilog="example: actparse data index Kinetics-TPS",
    )
    _add_index_options(index)
    index.set_defaults(run=_index)
    _add_flow(kinds)


def _add_own(kinds: Commands) -> None:
    labels = kinds.add_parser(
        "labels",
        help="print the labels of your own data for CVAT",
        description="Print the labels of a dataset as JSON, for pasting into CVAT's label constructor under Raw.",
        epilog="example: actparse data labels own.yaml",
    )
    labels.add_argument(
        "yaml", type=Path, metavar="YAML", help="description of the dataset; label files may still be missing"
    )
    labels.set_defaults(run=_labels)
    importer = kinds.add_parser(
        "import",
        help="convert your own videos and labels to a dataset",
        description="Write a dataset in the layout of Kinetics-TPS from the videos and labels in a YAML file. The "
        "other commands, and train, also accept the YAML file; they then import it into .cache next to the file.",
        epilog="example: actparse data import own.yaml --out data",
    )
    importer.add_argument("yaml", type=Path, metavar="YAML", help="description of the dataset, see docs/own-data.md")
    importer.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="a new or empty folder, or one of an earlier import"
    )
    importer.set_defaults(run=_import)


def _add_show(kinds: Commands) -> None:
    show = kinds.add_parser(
        "show",
        help="write a contact sheet, and a page of frames with their annotation",
        description="Write OUT/sheet.jpg and OUT/index.html, which needs no network connection.",
        epilog="example: actparse data show own.yaml --out look",
    )
    show.add_argument("dir", type=Path, metavar="DIR", help="the dataset's root, or a YAML file")
    show.add_argument(
        "--out", type=Path, default=Path("show"), metavar="FOLDER", help="folder for the sheet and the page"
    )
    show.add_argument("--action", nargs="+", default=[], metavar="ACTION", help="show only these actions")
    show.add_argument(
        "--split",
        nargs="+",
        default=[],
        choices=["train", "val", "test"],
        metavar="SPLIT",
        help="show only these splits",
    )
    show.add_argument("--videos", type=int, default=60, metavar="N", help="largest number of videos, from all actions")
    show.add_argument("--frames", type=int, default=4, metavar="N", help="frames of each video")
    show.set_defaults(run=_show)


def _add_flow(kinds: Commands) -> None:
    flow = kinds.add_parser(
        "flow",
        help="compute the optical flow of the videos, for the tsn-flow recipes",
        description="Compute TV-L1 flow as 8-bit JPEG files, as published. Existing files are reused. Exit code 0: "
        "every video has its flow; 1: some videos cannot be decoded and are listed; 2: there is no dataset.",
        epilog="example: actparse data flow Kinetics-TPS --processes 32",
    )
    flow.add_argument("dir", type=Path, metavar="DIR", help="the dataset's root, or a YAML file")
    flow.add_argument("--out", type=Path, metavar="DIR", help="default: DIR/flow, where training expects it")
    flow.add_argument(
        "--split", nargs="+", default=[], choices=["train", "val", "test"], metavar="SPLIT", help="default: all"
    )
    flow.add_argument(
        "--short-side",
        type=int,
        default=256,
        metavar="N",
        help="short side, in pixels, to which larger frames are reduced first",
    )
    flow.add_argument("--lossless", action="store_true", help="write PNG instead of JPEG, without loss")
    flow.add_argument("--processes", type=int, metavar="N", help="default: one per core")
    flow.set_defaults(run=_flow)


def _add_index_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("dir", type=Path, metavar="DIR", help="the dataset's root, or a YAML file")
    command.add_argument("--cache", type=Path, metavar="DIR", help="folder of the index; default: DIR/.cache")
    command.add_argument("--processes", type=int, metavar="N", help="default: one per core")


def _labels(args: argparse.Namespace) -> int:
    from actparse.data.own.config import read_config
    from actparse.data.own.cvat_labels import own_labels

    config = read_config(args.yaml, with_files=False)
    print(json.dumps(own_labels(config.actions, config.states), indent=1))
    return 0


def _import(args: argparse.Namespace) -> int:
    from actparse.data.own.config import read_config
    from actparse.data.own.importing import import_dataset

    _print_import(import_dataset(read_config(args.yaml), args.out))
    return 0


def _show(args: argparse.Namespace) -> int:
    from actparse.core.progress import counted
    from actparse.report.dataset_page import ShowConfig, show_dataset

    config = ShowConfig(
        actions=tuple(args.action), splits=tuple(args.split), max_videos=args.videos, frames_per_video=args.frames
    )
    root = open_root(args.dir)
    with counted("videos", "show") as progress:
        pages = show_dataset(root, args.out, config, name=str(args.dir), progress=progress)
    for line in pages.warnings:
        print(f"actparse: warning: {line}", file=sys.stderr)
    print(pages.sheet)
    print(pages.page)
    return 0


def open_root(path: Path) -> Path:
    """Return the root of a dataset, given by folder or YAML file; print a report if it had to be imported."""
    from actparse.data.own.importing import dataset_root

    root, report = dataset_root(path)
    if report is not None:
        _print_import(report, file=sys.stderr)
    return root


def _print_import(report: ImportReport, *, file: TextIO | None = None) -> None:
    for line in report.warnings:
        print(f"actparse: warning: {line}", file=sys.stderr)
    print(report.to_text(), file=file)


def _check(args: argparse.Namespace) -> int:
    from actparse.core.progress import counted
    from actparse.data.audit.check import check_dataset
    from actparse.data.audit.decoding import decode_videos

    if args.shown < 0:
        raise ConfigError(f"shown must be at least 0, got {args.shown}")
    index = _open_index(args)
    facts = None
    if not args.no_decode:
        facts = {}
        for split in index.splits:
            with counted("videos", f"decode {split}") as progress:
                facts[split] = decode_videos(
                    index.root, split, cache=args.cache, processes=args.processes, progress=progress
                )
    report = check_dataset(index, facts)
    if not write_or_print(json.dumps(report.to_dict(), indent=1), args.json):
        print(report.to_text(max_shown=args.shown))
    return EXIT_FAULTS if report.faults else 0


def _stats(args: argparse.Namespace) -> int:
    from actparse.data.audit.stats import split_stats
    from actparse.data.division import held_out_names

    index = _open_index(args)
    stats = {}
    for split in index.splits:
        names = [video.name for video in index.listings[split].videos] if split == "train" else []
        held_out = held_out_names(names, seed=args.split_seed)
        stats[split] = split_stats(index, split, held_out=held_out)
    statistics_json = json.dumps(
        {split: split_statistics.to_dict() for split, split_statistics in stats.items()}, indent=1
    )
    if not write_or_print(statistics_json, args.json):
        print("\n\n".join(f"{split}: {split_statistics.to_text()}" for split, split_statistics in stats.items()))
    return 0


def _index(args: argparse.Namespace) -> int:
    index = _open_index(args)
    for split in index.splits:
        print(
            f"{split}: {index.boxes(split, ['frame']).num_rows} rows of {index.files(split, ['frame']).num_rows} files"
        )
    print(index.folder)
    return 0


def _flow(args: argparse.Namespace) -> int:
    from actparse.core.progress import counted
    from actparse.data.flow import plan_flow, write_flow
    from actparse.data.flow_files import FLOW_FOLDER, FlowFormat
    from actparse.video.flow import TvL1Config

    _expect_processes(args)
    root = open_root(args.dir)
    out = args.out or root / FLOW_FOLDER
    tvl1 = TvL1Config(short_side=args.short_side)
    flow_format = FlowFormat(tvl1=tvl1, suffix=".png" if args.lossless else ".jpg")
    with counted("videos", "look") as progress:
        plan = plan_flow(
            root,
            out,
            splits=args.split,
            flow_format=flow_format,
            processes=args.processes,
            progress=progress,
        )
    print("\n".join((*plan.failures, plan.to_text())), flush=True)
    with counted("frames", "flow") as progress:
        outcome = write_flow(plan, processes=args.processes, progress=progress)
    for line in (*outcome.warnings, *outcome.failures):
        print(line)
    print(f"{out}: {plan.num_done + outcome.num_videos} videos have their flow")
    return EXIT_FAULTS if plan.failures or outcome.failures else 0


def _open_index(args: argparse.Namespace) -> AnnotationIndex:
    from actparse.core.progress import counted
    from actparse.data.audit.index import open_annotations

    _expect_processes(args)
    root = open_root(args.dir)
    with counted("files", "index") as progress:
        return open_annotations(root, cache=args.cache, processes=args.processes, progress=progress)


def _expect_processes(args: argparse.Namespace) -> None:
    if args.processes is not None and args.processes < 1:
        raise ConfigError(f"processes must be at least 1, got {args.processes}")
