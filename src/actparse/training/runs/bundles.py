"""Bundles of trained networks, with the settings for inference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from actparse.core.errors import TrainingError
from actparse.core.files import copy_file
from actparse.core.progress import Report
from actparse.parser import ParserConfig
from actparse.stages.loading import BUNDLE_FILE
from actparse.training.recipes.registry import BASELINE, OBJECTS, RECIPES, STAGE_1, WITHOUT_DOTS, Recipe
from actparse.training.run_folder import RunFolder, read_json, read_plan, write_json

BUNDLE_FOLDER = "bundle"
# The networks' files contain the settings of the stages: at most 10 persons, the best box of each part, 7 clips whose
# probabilities are averaged, short side 256. Source: PCF, section III-A.
AS_PUBLISHED = ParserConfig(
    stride=5,  # the official guideline: persons and parts are scored in every fifth frame
    segment_seconds=3.0,  # "three seconds or so"
)
SHARED = STAGE_1[:3]  # persons, poses and parts, which all bundles have
OPTIONAL = (WITHOUT_DOTS, OBJECTS)  # bundles have those that are trained
VARIANTS = {"": "bundle", "tsn-rgb": "bundle-tsn-rgb", "tsn-flow": "bundle-tsn-flow"}  # variant -> folder
ENSEMBLE = "ir"  # variant that is used together with ""


def assemble(bundle: Path, files: Mapping[str, Path], **record: Any) -> Path:
    """Copy networks into a bundle's folder, with a file that lists them.

    Args:
        bundle: the folder.
        files: of the networks, by the names that they get.
        record: further JSON values for the list: "name", "metrics", "inference", ...

    Returns:
        The folder.

    Raises:
        OutputError: the folder cannot be written.
    """
    for kind, path in files.items():
        copy_file(path, bundle / f"{kind}.safetensors")
    write_json(bundle / BUNDLE_FILE, {"networks": sorted(files), **record})
    return bundle


def assemble_complete(size: str, out: Path, report: Report) -> list[Path]:
    """Assemble every bundle of size paper whose networks are all in `out`, and return their folders.

    "bundle-ensemble" is "bundle" with ir-CSN-152 in addition to ip-CSN-152, for the kinds that have it.

    Raises:
        TrainingError: the state networks of a bundle have different levels.
        OutputError: a bundle cannot be written.
    """
    recipes = RECIPES[size]
    if not any(recipe.variant == ENSEMBLE for recipe in recipes.values()):
        return []  # the recipe "tiny" assembles the tiny bundle
    stage_1 = {name: name for name in SHARED}
    bundles = {"bundle-baseline": {**stage_1, BASELINE: BASELINE}}
    clip_networks = [r for r in recipes.values() if r.kind not in (*SHARED, *OPTIONAL, BASELINE)]
    for variant, folder in VARIANTS.items():
        bundles[folder] = stage_1 | {r.kind: r.name for r in clip_networks if r.variant == variant}
    folders = []
    for folder, files in bundles.items():
        if not all(RunFolder(out, name).is_finished for name in files.values()):
            continue
        files |= {name: name for name in OPTIONAL if RunFolder(out, name).is_finished}
        folders.append(_assemble(out, folder, files, recipes))
        ensembles = _ensembles(out, recipes) if folder == VARIANTS[""] else {}
        if ensembles:
            members = {name: name for pairs in ensembles.values() for name, _ in pairs}
            folders.append(_assemble(out, "bundle-ensemble", files | members, recipes, ensembles=ensembles))
    for path in folders:
        report(f"{size}: the bundle is in {path}")
    return folders


def _ensembles(out: Path, recipes: Mapping[str, Recipe]) -> dict[str, list[tuple[str, float]]]:
    """Return the two networks and their weights for each kind with a finished ir-CSN."""
    ensembles = {}
    for partner, recipe in recipes.items():
        if recipe.variant == ENSEMBLE and RunFolder(out, partner).is_finished:
            weights = read_plan(RunFolder(out, partner)).hyperparameters.get("ensemble")
            if weights and weights[1] > 0:
                ensembles[recipe.kind] = [(recipe.kind, float(weights[0])), (partner, float(weights[1]))]
    return ensembles


def _assemble(out: Path, folder: str, files: Mapping[str, str], recipes: Mapping[str, Recipe], **record: Any) -> Path:
    metrics = {kind: read_json(RunFolder(out, name).metrics) for kind, name in files.items()}
    states = [name for kind, name in files.items() if kind == recipes[name].kind and recipes[name].group]
    return assemble(
        out / folder,
        {kind: RunFolder(out, name).weights for kind, name in files.items()},
        name=folder.replace("bundle", "paper"),
        metrics=metrics,
        inference=asdict(_inference(out, states)),
        **record,
    )


def _inference(out: Path, states: list[str]) -> ParserConfig:
    """Return the published settings for inference, with the level of the state networks.

    Raises:
        TrainingError: the state networks have different levels.
    """
    records = {name: read_plan(RunFolder(out, name)).hyperparameters for name in states}
    levels = {name: (record["level"], record["segment_seconds"]) for name, record in records.items()}
    if not levels:  # the baseline has none
        return AS_PUBLISHED
    (level, seconds), *others = set(levels.values())
    if others:
        several = ", ".join(f"{name} {level} {seconds:g} s" for name, (level, seconds) in levels.items())
        raise TrainingError(f"{out}: state networks of a bundle must be of one level, got {several}")
    return replace(AS_PUBLISHED, level=level, segment_seconds=seconds)
