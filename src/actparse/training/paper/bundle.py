"""The bundle of a full-size run: all of its networks, with the paper's settings for inference."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from actparse.core.errors import TrainingError
from actparse.core.files import copy_file
from actparse.core.vocabulary import GROUPS
from actparse.parser import ParserConfig
from actparse.stages.loading import BASELINE, BUNDLE_FILE
from actparse.training.options import Report
from actparse.training.paper.inference import AS_PUBLISHED
from actparse.training.run_folder import RunFolder, read_json, write_json

STAGE_1 = ("persons", "poses", "parts")
WITHOUT_DOTS = "parts-without-dots"
STATES = tuple(f"states-{group}" for group in GROUPS)
BUNDLES: dict[str, str | None] = {  # folder -> infix of its video networks' recipe names; None: only the baseline
    "bundle": "",
    "bundle-tsn-rgb": "tsn-rgb-",
    "bundle-tsn-flow": "tsn-flow-",
    "bundle-baseline": None,
}
ENSEMBLE_BUNDLE = "bundle-ensemble"


def assemble_if_complete(out: Path, report: Report) -> list[Path]:
    """Create every bundle whose networks are all in `out`, and return their folders.

    "bundle-ensemble" is "bundle" with ir-CSN-152 in addition to ip-CSN-152, for the kinds that have it.

    Raises:
        OutputError: one cannot be written.
    """
    folders = []
    for folder, prefix in BUNDLES.items():
        files = _files(prefix)
        if not all(RunFolder(out, recipe).is_finished for recipe in files.values()):
            continue
        if RunFolder(out, WITHOUT_DOTS).is_finished:
            files[WITHOUT_DOTS] = WITHOUT_DOTS
        folders.append(_assemble(out, out / folder, files))
        ensembles = _ensembles(out) if prefix == "" else {}
        if ensembles:
            recipes = {name: name for members in ensembles.values() for name, _ in members}
            folders.append(_assemble(out, out / ENSEMBLE_BUNDLE, files | recipes, ensembles))
    for path in folders:
        report(f"paper: the bundle is in {path}")
    return folders


def _files(prefix: str | None) -> dict[str, str]:
    """Map each kind of network, which names its file, to the recipe that trains it."""
    if prefix is None:
        return {kind: kind for kind in (*STAGE_1, BASELINE)}
    action = f"action-{prefix}".removesuffix("-")
    states = {f"states-{group}": f"states-{prefix}{group}" for group in GROUPS}
    return {**{kind: kind for kind in STAGE_1}, "action": action, **states}


def _ensembles(out: Path) -> dict[str, list[tuple[str, float]]]:
    """Return the two networks and their weights for each kind with a finished ir-CSN."""
    partners = {"action": "action-ir", **{f"states-{group}": f"states-ir-{group}" for group in GROUPS}}
    ensembles = {}
    for kind, partner in partners.items():
        if RunFolder(out, partner).is_finished:
            weights = read_json(out / f"{partner}_numbers.json").get("ensemble")
            if weights and weights[1] > 0:
                ensembles[kind] = [(kind, float(weights[0])), (partner, float(weights[1]))]
    return ensembles


def _assemble(
    out: Path, bundle: Path, files: dict[str, str], ensembles: dict[str, list[tuple[str, float]]] | None = None
) -> Path:
    for kind, recipe in files.items():
        copy_file(RunFolder(out, recipe).weights, bundle / f"{kind}.safetensors")
    metrics = {kind: read_json(RunFolder(out, recipe).metrics) for kind, recipe in files.items()}
    record = {"name": bundle.name.replace("bundle", "paper"), "networks": sorted(files), "metrics": metrics}
    if ensembles:
        record["ensembles"] = ensembles
    write_json(bundle / BUNDLE_FILE, record | {"inference": asdict(_inference(out, files))})
    return bundle


def _inference(out: Path, files: dict[str, str]) -> ParserConfig:
    """Return the published settings for inference, with the level of the state networks.

    Raises:
        TrainingError: the state networks have different levels.
    """
    hyperparameters = {
        kind: read_json(out / f"{recipe}_numbers.json") for kind, recipe in files.items() if kind in STATES
    }
    levels = {kind: (values["level"], values["segment_seconds"]) for kind, values in hyperparameters.items()}
    if not levels:  # the baseline has none
        return AS_PUBLISHED
    (level, seconds), *others = set(levels.values())
    if others:
        several = ", ".join(f"{kind} {level} {seconds:g} s" for kind, (level, seconds) in levels.items())
        raise TrainingError(f"{out}: state networks of a bundle must be of one level, got {several}")
    return replace(AS_PUBLISHED, level=level, segment_seconds=seconds)
