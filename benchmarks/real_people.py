"""How well a bundle does on real photos and clips: persons, keypoints, parts, the action, and "no known action".

python benchmarks/real_people.py PHOTOS CLIPS --other OTHER [--weights people] [--json FILE] [-v]

PHOTOS is a folder with truth.json: [{"image", "persons": [{"box", "parts": {name: box or null}, "keypoints": 17 x
[x, y, visibility]}]}], boxes xyxy in pixels. CLIPS is a folder of videos named ACTION_n after an action of the bundle.
OTHER is a folder of videos that show none of these actions. What is measured is said in src/actparse/metrics/people.py
and actions.py; photos without truth are left out.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from actparse.core.errors import ActparseError, DataError
from actparse.core.files import without_nan, write_text
from actparse.core.vocabulary import NUM_KEYPOINTS, PART_INDEX
from actparse.metrics.actions import NamedAction, known_action_figures, other_action_figures
from actparse.metrics.people import PART_IOUS, PeopleCounts, TruePeople, count_people
from actparse.parser import Parser
from actparse.video.sources import find_videos

TRUTH_FILE = "truth.json"
CLIP_NAME = re.compile(r"(.+)_\d+")  # ACTION_n


def main(words: Sequence[str] | None = None) -> int:
    """Measure each folder and print its table; an error is one line."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="photos with truth.json, or clips")
    arguments.add_argument("--other", action="append", default=[], type=Path, metavar="FOLDER", help="other actions")
    arguments.add_argument("--weights", default="people", metavar="NAME_OR_PATH")
    arguments.add_argument("--json", type=Path, metavar="FILE", help="write the figures, null where there are none")
    arguments.add_argument("-v", "--verbose", action="store_true", help="a row for each photo and clip, too")
    args = arguments.parse_args(words)
    if not args.folders and not args.other:
        arguments.error("needs a FOLDER or --other FOLDER")
    try:
        parser = Parser.load(args.weights, device="cpu")
        measured = {}
        for folder in args.folders:
            measure = measure_photos if (expect_folder(folder) / TRUTH_FILE).is_file() else measure_clips
            measured[str(folder)] = measure(parser, folder, verbose=args.verbose)
        for folder in map(expect_folder, args.other):
            measured[str(folder)] = measure_other(parser, folder, verbose=args.verbose)
        if args.json:
            write_text(args.json, json.dumps({"weights": args.weights, "folders": measured}, indent=2))
    except ActparseError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def expect_folder(path: Path) -> Path:
    """Return the path of a folder that exists.

    Raises:
        DataError: it is no folder.
    """
    if not path.is_dir():
        raise DataError(f"{path}: needs a folder, got {'a file' if path.exists() else 'nothing'}")
    return path


def measure_photos(parser: Parser, folder: Path, *, verbose: bool) -> dict[str, Any]:
    """Persons, keypoints and parts in the photos that have truth."""
    total = PeopleCounts()
    for name, truth in load_truth(folder / TRUTH_FILE):
        counts = count_people(truth, parser.parse(folder / name).frames[0].persons)
        total += counts
        if verbose:
            persons = f"{counts.found} of {counts.persons} persons, {counts.boxes} boxes"
            right = f"{counts.right_keypoints} of {counts.keypoints} keypoints"
            right_parts = " and ".join(str(row.sum()) for row in counts.right_parts)
            print(f"{name:24} {persons}, {right}, {right_parts} of {counts.parts.sum()} parts", flush=True)
    figures = {
        "persons found": total.persons_found(),
        "boxes an image": total.boxes_per_image(),
        "PCK@0.2 of the torso": total.pck(),
        **{f"parts at IoU {iou}": share for iou, share in zip(PART_IOUS, total.parts_found(), strict=True)},
    }
    by_part = total.parts_found_by_name()
    print_table(f"{folder}: {total.images} photos, {total.persons} persons, {total.parts.sum()} parts", figures)
    for part, shares in by_part.items():
        print(f"  {part:26}" + "".join(f"{share:8.1f}" for share in shares))
    parts = {part: _plain(dict(zip(map(str, PART_IOUS), shares, strict=True))) for part, shares in by_part.items()}
    return {"photos": total.images, "persons": total.persons, **_plain(figures), "parts": parts}


def load_truth(path: Path) -> list[tuple[str, TruePeople]]:
    """Image names with their persons.

    Raises:
        DataError: the file is not as the head of this program says.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        return [(str(image["image"]), _people(image["persons"])) for image in raw]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: needs images with persons, got {type(error).__name__}: {error}") from None


def _people(persons: Sequence[Any]) -> TruePeople:
    return TruePeople(
        boxes=np.array([person["box"] for person in persons], np.float32).reshape(-1, 4),
        keypoints=np.array([person["keypoints"] for person in persons], np.float32).reshape(-1, NUM_KEYPOINTS, 3),
        parts=tuple(_parts(person["parts"]) for person in persons),
    )


def _parts(parts: Mapping[str, Any]) -> dict[str, list[float]]:
    """Return the boxes of the visible parts."""
    for name in parts:
        if name not in PART_INDEX:
            raise ValueError(f"parts must be among {', '.join(PART_INDEX)}, got {name!r}")
    return {name: np.array(box, float).reshape(4).tolist() for name, box in parts.items() if box is not None}


def measure_clips(parser: Parser, folder: Path, *, verbose: bool) -> dict[str, Any]:
    """Measure the action of clips that are named after it."""
    clips = find_videos([folder])
    actions = parser.bundle.labels.actions
    true = [true_action(clip, actions) for clip in clips]  # a wrong name raises an error before the first parse
    named = [name_action(parser, clip, action, verbose) for clip, action in zip(clips, true, strict=True)]
    figures = known_action_figures(named)
    titles = {
        "right": figures["first"],
        "among the first three": figures["first_three"],
        "probability of the true one": figures["probability"],
        "right ones called unknown": figures["unknown"],
    }
    print_table(f"{folder}: {len(named)} clips", titles)
    for action in sorted(set(true)):
        of_action = [video for video in named if video.true == action]
        print(f"  {action:26}{sum(video.rank == 1 for video in of_action):4} of {len(of_action)}")
    return _plain(figures)


def true_action(clip: Path, actions: Sequence[str]) -> str:
    """Return the action in a clip's name.

    Raises:
        DataError: it names no action of the bundle.
    """
    match = CLIP_NAME.fullmatch(clip.stem)
    if match is None or match[1] not in actions:
        raise DataError(f"{clip}: must be named ACTION_n after one of {', '.join(actions)} (or use --other)")
    return match[1]


def measure_other(parser: Parser, folder: Path, *, verbose: bool) -> dict[str, Any]:
    """Measure the verdict on videos that show none of the bundle's actions."""
    figures = other_action_figures([name_action(parser, clip, None, verbose) for clip in find_videos([folder])])
    titles = {
        "called unknown": figures["unknown"],
        "of them nobody found": figures["nobody"],
        "probability of the best": figures["probability"],
    }
    print_table(f"{folder}: {figures['videos']:.0f} clips of other actions", titles)
    return _plain(figures)


def name_action(parser: Parser, clip: Path, true: str | None, verbose: bool) -> NamedAction:
    """Parse a clip."""
    parse = parser.parse(clip)
    named = NamedAction(parse.action_scores, true, parse.verdict)
    if verbose:
        prediction = f"{named.best} {parse.action_scores[named.best]:.0%}, {named.verdict}"
        rank = f", the true one {named.true_score:.0%} at rank {named.rank}" if true is not None else ""
        print(f"{clip.name:36} {prediction}{rank}", flush=True)
    return named


def print_table(head: str, figures: dict[str, float]) -> None:
    """Print a head and a row for each metric; a dash if there was nothing to measure."""
    print(head)
    for name, value in figures.items():
        print(f"  {name:26}" + (f"{'-':>8}" if math.isnan(value) else f"{value:8.1f}"))


def _plain(figures: dict[str, float]) -> dict[str, Any]:
    return {name: without_nan(value) for name, value in figures.items()}


if __name__ == "__main__":
    sys.exit(main())
