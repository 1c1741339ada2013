"""What the networks of full size cost on this machine, with fresh weights: one step of training, and one parse.

python benchmarks/paper_size.py                       # a step of four recipes, then a parse of one second of video
python benchmarks/paper_size.py --only action parse   # some of them

A step sees what one of the paper's four GPUs sees in it, of the baseline 8 samples, one at a time. Every frame of the
parse has ten persons, the most that the published rules keep: boxes of a fresh detector, which may lie on one another.
Each row has a process of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from actparse.core.progress import discard_line
from actparse.core.vocabulary import GROUP_PARTS
from actparse.inspection.compute import VideoShape, costs_as_text, paper_costs
from actparse.nets.clips.csn import Csn
from actparse.nets.detectors.yolof import Yolof
from actparse.nets.poses.hrnet import hrnet
from actparse.parser import Parser
from actparse.stages.loading import BUNDLE_FILE
from actparse.synth.dataset import DatasetPlan, SplitPlan, write_dataset
from actparse.training import TrainOptions
from actparse.training.loop.hardware import choose_hardware
from actparse.training.loop.trainer import train
from actparse.training.recipes.hyperparameters import Inputs
from actparse.training.recipes.paper_clips import PaperCsn
from actparse.training.recipes.parts import PaperParts
from actparse.training.recipes.persons import PaperPersons
from actparse.training.recipes.poses import PaperPoses
from actparse.training.recipes.registry import recipe_of
from actparse.training.run_folder import RunFolder, write_json
from actparse.training.runs.bundles import AS_PUBLISHED
from actparse.weights.bundle import config_to_dict, save_network

RECIPES = ("persons", "action", "action-tsn-rgb", "baseline")
PARSE = "parse"
PARSED_SECONDS = 1.0
GIGA = 1e9


def main() -> None:
    """Measure and print a JSON line for each row."""
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--only", nargs="+", choices=[*RECIPES, PARSE], default=[*RECIPES, PARSE])
    arguments.add_argument("--here", type=Path, help=argparse.SUPPRESS)  # in the process of one row: the data's folder
    args = arguments.parse_args()
    if args.here:
        (name,) = args.only
        figures = measure_parse(args.here) if name == PARSE else measure_step(name, args.here)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIGA
        print(json.dumps({"what": name, **figures, "peak_gb": round(peak, 2)}))
        return
    with tempfile.TemporaryDirectory() as folder:
        write_dataset(
            Path(folder) / "data",
            DatasetPlan((SplitPlan("train", 4, 1), SplitPlan("val", 1, 1)), look="plain", body="tubes"),
        )
        for name in args.only:
            subprocess.run([sys.executable, __file__, "--only", name, "--here", folder], check=True)


def measure_step(name: str, folder: Path) -> dict[str, Any]:
    """Seconds of one optimiser step of a recipe, as its own loop makes it."""
    recipe = recipe_of(name, "paper", {"batch_size": "8"} if name == "baseline" else {"num_gpus": "1"})
    options = TrainOptions(size="paper", steps=1, device="cpu", threads=None, report=discard_line)
    run = RunFolder(folder / "runs", name)
    run.folder.mkdir(parents=True)
    assert recipe.hyperparameters is not None
    task = recipe.hyperparameters.build(Inputs(recipe.kind, recipe.group, folder / "data", run, options))
    batch = task.settings.batch_size
    hardware = choose_hardware("cpu", "auto")
    start = time.perf_counter()
    train(task, run, replace(options, accumulate=batch), hardware)
    seconds = time.perf_counter() - start
    return {"samples": batch, "seconds": round(seconds, 1), "precision": hardware.precision}


def measure_parse(folder: Path) -> dict[str, Any]:
    """Seconds of a parse of the first second of a video, stage by stage, and what its networks multiply."""
    bundle = folder / "bundle"
    write_fresh_bundle(bundle)
    video = next((folder / "data" / "val_videos").glob("*/*.mp4"))
    parser = Parser.load(bundle, device="cpu", config=AS_PUBLISHED)
    start = time.perf_counter()
    parse = parser.parse(video, time_range=(0.0, PARSED_SECONDS))
    seconds = time.perf_counter() - start
    persons = sum(len(frame.persons) for frame in parse.frames) / len(parse.frames)
    size = parse.video.height, parse.video.width
    shape = VideoShape(
        seconds=PARSED_SECONDS,
        frame_rate=parse.video.mean_fps,
        size=size,
        persons_per_frame=persons,
    )
    print(costs_as_text(paper_costs(shape)), file=sys.stderr)
    stages = {stage: round(value, 1) for stage, value in parser.timer.seconds.items()}
    return {"frames": len(parse.frames), "persons": persons, "seconds": round(seconds, 1), "stage_seconds": stages}


def write_fresh_bundle(bundle: Path) -> None:
    """YOLOF-R101 twice, HRNet-w48 and seven ip-CSN-152 with the paper's settings; persons of any score and place."""
    persons, parts, poses, clips = PaperPersons(), PaperParts(), PaperPoses(), PaperCsn()
    torch.manual_seed(0)
    stage_1 = {
        "persons": (Yolof(persons.net()), replace(persons.stage(), min_score=0.0, max_iou=1.0)),
        "poses": (hrnet(poses.width), replace(poses.stage(), max_oks=1.0)),
        "parts": (Yolof(parts.net()), parts.stage()),
    }
    for kind, (net, stage) in stage_1.items():
        save_network(bundle / f"{kind}.safetensors", net, kind=kind, settings=config_to_dict(stage))
    videos = {"action": [["lunge"]]}
    for group, members in GROUP_PARTS.items():
        videos[f"states-{group}"] = [["lunge", *[state] * len(members)] for state in ("none", "bend")]
    for kind, words in videos.items():
        settings, net = config_to_dict(clips.stage()), Csn(clips.net(len(words)))
        save_network(bundle / f"{kind}.safetensors", net, kind=kind, settings=settings, labels={"labels": words})
    write_json(bundle / BUNDLE_FILE, {"name": "fresh", "networks": sorted([*stage_1, *videos])})


if __name__ == "__main__":
    main()
