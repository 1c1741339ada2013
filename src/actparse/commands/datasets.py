"""The commands "synth" and "data"."""

from __future__ import annotations

import os
import sys
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TextIO

from cyclopts import Parameter

from actparse.commands.options import Dataset, JsonFile, Processes, warn, write_or_print
from actparse.core.errors import ConfigError

if TYPE_CHECKING:
    from actparse.data.audit.index import AnnotationIndex
    from actparse.data.own.importing import ImportReport

EXIT_FAULTS = 1  # the dataset has faults

Splits = Annotated[
    tuple[Literal["train", "val", "test", "hard"], ...],
    Parameter(name="--split", consume_multiple=True, help="only these splits; default: all"),
]
Cache = Annotated[Path | None, Parameter(metavar="DIR", help="folder of the index; default: DIR/.cache")]
Description = Annotated[Path, Parameter(help="description of the dataset, see docs/own-data.md")]


def synth(
    folder: Path,
    *,
    videos: Annotated[int | None, Parameter(metavar="N")] = None,
    benchmark: Literal["SynthTPS-v2", "SynthTPS-v1"] | None = None,
    sheet: bool = False,
    seed: Annotated[int, Parameter(metavar="S")] = 0,
    look: Literal["video", "varied", "plain"] | None = None,
    body: Literal["mesh", "tubes"] | None = None,
    test_share: Annotated[float, Parameter(metavar="SHARE")] = 0.2,
    processes: Processes = None,
) -> int:
    """Render a SynthTPS dataset.

    Render videos of synthetic people with complete annotation, in the folder layout of Kinetics-TPS. Needs one of
    --videos, --benchmark and --sheet.

    Args:
        folder: folder for the dataset
        videos: videos in all splits together
        benchmark: the benchmark of that name, with fixed seeds and counts
        sheet: write only a contact sheet, DIR/synth-sheet.jpg
        seed: seed of people, motions and backgrounds
        look: video: photo-like places, filmed as videos are; varied: textures, occluders, any orientation, image
            effects; plain: as in SynthTPS-v1; default: video
        body: mesh: shaped people of all ages; tubes: round limbs, as in SynthTPS-v1; default: mesh
        test_share: share of test videos, 0..1

    Examples:
      actparse synth data/synth --videos 200 --seed 7
    """
    from actparse.core.progress import counted
    from actparse.synth.dataset import BENCHMARKS, DatasetPlan, plan_splits, write_dataset
    from actparse.synth.sheet import SHEET_FILE, write_sheet

    if [videos is not None, benchmark is not None, sheet].count(True) != 1:
        raise ConfigError("synth: needs one of --videos, --benchmark and --sheet")
    if benchmark and (look or body):
        raise ConfigError(f"synth: --benchmark {benchmark} fixes the look and the bodies: leave out --look and --body")
    look, body = look or "video", body or "mesh"
    if sheet:
        write_sheet(folder / SHEET_FILE, seed=seed, look=look, body=body)
        print(folder / SHEET_FILE)
        return 0
    if benchmark:
        plan = BENCHMARKS[benchmark]
    else:
        assert videos is not None
        plan = DatasetPlan(plan_splits(videos, seed=seed, test_share=test_share), look=look, body=body)
    with counted("videos") as progress:
        count = processes if processes is not None else os.cpu_count() or 1
        manifest = write_dataset(folder, plan, processes=count, progress=progress)
    print(manifest)
    return 0


def labels(yaml: Description) -> int:
    """Print the labels of your own data for CVAT.

    Print the labels of a dataset as JSON, for pasting into CVAT's label constructor under Raw. The label files that the
    description names may still be missing.

    Examples:
      actparse data labels own.yaml
    """
    from actparse.data.own.config import read_config
    from actparse.data.own.cvat_labels import own_labels

    config = read_config(yaml, with_files=False)
    print(dumps(own_labels(config.actions, config.states), indent=1))
    return 0


def import_dataset(yaml: Description, *, out: Annotated[Path, Parameter(metavar="DIR")]) -> int:
    """Convert your own videos and labels to a dataset.

    Write a dataset in the layout of Kinetics-TPS from the videos and labels in a YAML file. The other commands, and
    train, also accept the YAML file; they then import it into .cache next to the file.

    Args:
        out: a new or empty folder, or one of an earlier import

    Examples:
      actparse data import own.yaml --out data
    """
    from actparse.data.own.config import read_config
    from actparse.data.own.importing import import_dataset as convert_dataset

    _print_import(convert_dataset(read_config(yaml), out))
    return 0


def show(
    data: Dataset,
    *,
    out: Annotated[Path, Parameter(metavar="FOLDER")] = Path("show"),
    actions: Annotated[tuple[str, ...], Parameter(name="--action", consume_multiple=True, metavar="ACTION...")] = (),
    splits: Splits = (),
    limit: Annotated[int, Parameter(alias="--videos", metavar="N")] = 60,
    frames: Annotated[int, Parameter(metavar="N")] = 4,
) -> int:
    """Write a contact sheet, and a page of frames with their annotation.

    Write OUT/sheet.jpg and OUT/index.html, which needs no network connection.

    Args:
        out: folder for the sheet and the page
        actions: show only these actions
        limit: largest number of videos, from all actions
        frames: frames of each video

    Examples:
      actparse data show own.yaml --out look
    """
    from actparse.core.progress import counted
    from actparse.report.dataset_page import ShowConfig, show_dataset

    config = ShowConfig(actions=actions, splits=splits, max_videos=limit, frames_per_video=frames)
    root = open_root(data)
    with counted("videos", "show") as progress:
        pages = show_dataset(root, out, config, name=str(data), progress=progress)
    for line in pages.warnings:
        warn(line)
    print(pages.sheet)
    print(pages.page)
    return 0


def check(
    data: Dataset,
    *,
    no_decode: bool = False,
    max_shown: Annotated[int, Parameter(name="--shown", metavar="N")] = 10,
    cache: Cache = None,
    processes: Processes = None,
    json: JsonFile = None,
) -> int:
    """Report everything that is missing, corrupt or unexpected.

    Exit codes: 0 no faults; 1 there are faults; 2 there is no dataset.

    Args:
        no_decode: do not decode the videos, which takes hours
        max_shown: number of faults of each kind to print

    Examples:
      actparse data check Kinetics-TPS --json faults.json
    """
    from actparse.core.progress import counted
    from actparse.data.audit.check import check_dataset
    from actparse.data.audit.decoding import decode_videos

    if max_shown < 0:
        raise ConfigError(f"shown must be at least 0, got {max_shown}")
    index = _open_index(data, cache, processes)
    facts = None
    if not no_decode:
        facts = {}
        for split in index.splits:
            with counted("videos", f"decode {split}") as progress:
                facts[split] = decode_videos(index.root, split, cache=cache, processes=processes, progress=progress)
    report = check_dataset(index, facts)
    if not write_or_print(dumps(report.to_dict(), indent=1), json):
        print(report.to_text(max_shown=max_shown))
    return EXIT_FAULTS if report.faults else 0


def stats(
    data: Dataset,
    *,
    split_seed: Annotated[int, Parameter(metavar="S")] = 0,
    cache: Cache = None,
    processes: Processes = None,
    json: JsonFile = None,
) -> int:
    """Print counts, the long tail of states, and the accuracy of always naming an action's most common state.

    Args:
        split_seed: seed of the selection of held-out training videos

    Examples:
      actparse data stats Kinetics-TPS --json stats.json
    """
    from actparse.data.audit.stats import split_stats
    from actparse.data.division import held_out_names

    index = _open_index(data, cache, processes)
    statistics = {}
    for split in index.splits:
        names = [video.name for video in index.listings[split].videos] if split == "train" else []
        statistics[split] = split_stats(index, split, held_out=held_out_names(names, seed=split_seed))
    if not write_or_print(dumps({split: one.to_dict() for split, one in statistics.items()}, indent=1), json):
        print("\n\n".join(f"{split}: {one.to_text()}" for split, one in statistics.items()))
    return 0


def index(data: Dataset, *, cache: Cache = None, processes: Processes = None) -> int:
    """Convert the annotation to Parquet; the other commands do it when needed.

    Examples:
      actparse data index Kinetics-TPS
    """
    opened = _open_index(data, cache, processes)
    for split in opened.splits:
        num_rows, num_files = opened.boxes(split, ["frame"]).num_rows, opened.files(split, ["frame"]).num_rows
        print(f"{split}: {num_rows} rows of {num_files} files")
    print(opened.folder)
    return 0


def flow(
    data: Dataset,
    *,
    out: Annotated[Path | None, Parameter(metavar="DIR")] = None,
    splits: Splits = (),
    short_side: Annotated[int, Parameter(metavar="N")] = 256,
    lossless: bool = False,
    processes: Processes = None,
) -> int:
    """Compute the optical flow of the videos, for the tsn-flow recipes.

    Compute TV-L1 flow as 8-bit JPEG files, as published. Existing files are reused.

    Exit codes: 0 every video has its flow; 1 some videos cannot be decoded and are listed; 2 there is no dataset.

    Args:
        out: default: DIR/flow, where training expects it
        short_side: short side, in pixels, to which larger frames are reduced first
        lossless: write PNG instead of JPEG, without loss

    Examples:
      actparse data flow Kinetics-TPS --processes 32
    """
    from actparse.core.progress import counted
    from actparse.data.flow import plan_flow, write_flow
    from actparse.data.flow_files import FLOW_FOLDER, FlowFormat
    from actparse.video.flow import TvL1Config

    _expect_processes(processes)
    root = open_root(data)
    folder = out or root / FLOW_FOLDER
    flow_format = FlowFormat(tvl1=TvL1Config(short_side=short_side), suffix=".png" if lossless else ".jpg")
    with counted("videos", "look") as progress:
        plan = plan_flow(root, folder, splits=splits, flow_format=flow_format, processes=processes, progress=progress)
    print("\n".join((*plan.failures, plan.to_text())), flush=True)
    with counted("frames", "flow") as progress:
        outcome = write_flow(plan, processes=processes, progress=progress)
    for line in (*outcome.warnings, *outcome.failures):
        print(line)
    print(f"{folder}: {plan.num_done + outcome.num_videos} videos have their flow")
    return EXIT_FAULTS if plan.failures or outcome.failures else 0


def open_root(path: Path) -> Path:
    """Return the root of a dataset, given by folder or YAML file; print a report if it had to be imported."""
    from actparse.data.own.importing import dataset_root

    root, report = dataset_root(path)
    if report is not None:
        _print_import(report, file=sys.stderr)
    return root


def _print_import(report: ImportReport, *, file: TextIO | None = None) -> None:
    for line in report.warnings:
        warn(line)
    print(report.to_text(), file=file)


def _open_index(data: Path, cache: Path | None, processes: int | None) -> AnnotationIndex:
    from actparse.core.progress import counted
    from actparse.data.audit.index import open_annotations

    _expect_processes(processes)
    root = open_root(data)
    with counted("files", "index") as progress:
        return open_annotations(root, cache=cache, processes=processes, progress=progress)


def _expect_processes(processes: int | None) -> None:
    if processes is not None and processes < 1:
        raise ConfigError(f"processes must be at least 1, got {processes}")
