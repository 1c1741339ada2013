"""The bundle of a full-size run: its networks, and how the paper uses them, once all of them are there."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

from actparse.files import written_beside
from actparse.stages.loading import BUNDLE_FILE
from actparse.training.options import Report
from actparse.training.paper.inference import AS_PUBLISHED
from actparse.training.runs import RunFolder, read_json, write_json
from actparse.vocabulary import GROUPS

STAGE_1 = ("persons", "poses", "parts")
OPTIONAL = "parts-without-dots"
BUNDLES = {
    "bundle": "",
    "bundle-tsn-rgb": "tsn-rgb-",
    "bundle-tsn-flow": "tsn-flow-",
}  # folder -> what stands in its video networks' recipes


def assemble_if_complete(out: Path, report: Report) -> list[Path]:
    """Make every bundle whose networks are all in `out`; returns their folders.

    Raises:
        OutputError: one cannot be written.
    """
    made = []
    for folder, prefix in BUNDLES.items():
        files = _files(prefix)
        if all(RunFolder(out, recipe).is_finished for recipe in files.values()):
            if RunFolder(out, OPTIONAL).is_finished:
                files[OPTIONAL] = OPTIONAL
            _assemble(out, out / folder, files)
            report(f"paper: the bundle is in {out / folder}")
            made.append(out / folder)
    return made


def _files(prefix: str) -> dict[str, str]:
    """The file of each kind of network, to the recipe that trains it."""
    action = f"action-{prefix}".removesuffix("-")
    states = {f"states-{group}": f"states-{prefix}{group}" for group in GROUPS}
    return {**{kind: kind for kind in STAGE_1}, "action": action, **states}


def _assemble(out: Path, bundle: Path, files: dict[str, str]) -> None:
    for kind, recipe in files.items():
        with written_beside(bundle / f"{kind}.safetensors") as beside:
            shutil.copyfile(RunFolder(out, recipe).weights, beside)
    metrics = {kind: read_json(RunFolder(out, recipe).metrics) for kind, recipe in files.items()}
    record = {"name": bundle.name.replace("bundle", "paper"), "networks": sorted(files), "metrics": metrics}
    write_json(bundle / BUNDLE_FILE, record | {"inference": asdict(AS_PUBLISHED)})
