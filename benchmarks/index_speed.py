"""How fast annotation files become an index, and how long half a million of them would take at that rate.

python benchmarks/index_speed.py                # 20,000 files of SynthTPS in their own tree, all cores
python benchmarks/index_speed.py --files 60000

The files lie in the page cache, having just been written: a disk that has to seek for each is slower. One annotation of
SynthTPS is smaller or larger than one of Kinetics-TPS; the bytes are printed beside the files for that.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

from actparse.data.audit.check import check_dataset
from actparse.data.audit.decoding import decode_videos
from actparse.data.audit.index import open_annotations
from actparse.data.audit.stats import split_stats
from actparse.synth.dataset import DatasetPlan, SplitPlan, write_dataset

NUM_VIDEOS = 8  # that are rendered; their annotation is copied under other names
KINETICS_TPS_FILES = 574_851  # Source: the dataset's README


def main() -> None:
    """Measure and print one JSON line."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--files", type=int, default=20_000, metavar="N", help="annotation files, about")
    arguments.add_argument("--processes", type=int, default=os.cpu_count() or 1, metavar="N")
    args = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "data"
        write_dataset(
            root,
            DatasetPlan((SplitPlan("train", NUM_VIDEOS, 1),), look="plain", body="tubes"),
            processes=args.processes,
        )
        multiply(root, args.files)
        print(json.dumps(measure(root, args.processes)))


def multiply(root: Path, num_files: int) -> None:
    """Copy the annotation of each video until there are so many files."""
    sources = [path for path in sorted(root.glob("train_annotations/*/*/*")) if path.is_dir()]
    count, number = sum(len(list(source.iterdir())) for source in sources), 0
    while count < num_files:
        source = sources[number % len(sources)]
        name = f"copy_{number:05d}"
        shutil.copytree(source, source.parents[1] / name / name)
        count += len(list(source.iterdir()))
        number += 1


def measure(root: Path, processes: int) -> dict[str, float]:
    """Seconds of each piece of work, and what they say of Kinetics-TPS."""
    start = time.perf_counter()
    index = open_annotations(root, processes=processes)
    built = time.perf_counter()
    open_annotations(root, processes=processes)
    opened = time.perf_counter()
    check_dataset(index, None)
    checked = time.perf_counter()
    split_stats(index, "train")
    counted = time.perf_counter()
    facts = decode_videos(root, "train", processes=processes)
    decoded = time.perf_counter()
    scale = KINETICS_TPS_FILES / index.num_files
    num_frames = sum(video.num_frames for video in facts.values())
    return {
        "cores": os.cpu_count() or 1,
        "load_of_other_work": round(os.getloadavg()[2], 1),
        "processes": processes,
        "files": index.num_files,
        "mean_file_bytes": round(sum(index.files("train", ["size"])["size"].to_pylist()) / index.num_files),
        "build_seconds": round(built - start, 2),
        "files_per_second": round(index.num_files / (built - start)),
        "open_again_seconds": round(opened - built, 2),
        "check_seconds": round(checked - opened, 2),
        "stats_seconds": round(counted - checked, 2),
        "decoded_frames_per_second": round(num_frames / (decoded - counted)),
        "574851_files_build_minutes": round(scale * (built - start) / 60, 1),
        "574851_files_open_again_minutes": round(scale * (opened - built) / 60, 2),
        "574851_files_check_minutes": round(scale * (checked - opened) / 60, 2),
        "574851_files_stats_minutes": round(scale * (counted - checked) / 60, 2),
    }


if __name__ == "__main__":
    main()
