"""The recipes of both sizes by name: what each trains, with which hyperparameters, and after which others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import GROUPS
from actparse.training.recipes import tiny
from actparse.training.recipes.baseline import PaperBaseline, TinyBaseline
from actparse.training.recipes.hyperparameters import Hyperparameters, OneCycle, changed
from actparse.training.recipes.paper_clips import (
    IR_WEIGHTS,
    PaperClips,
    PaperCsn,
    PaperIrCsn,
    PaperTsnFlow,
    PaperTsnRgb,
)
from actparse.training.recipes.part_regression import TinyPartRegression
from actparse.training.recipes.parts import PaperParts, PeopleParts, TinyParts
from actparse.training.recipes.persons import PaperPersons, TinyPersons
from actparse.training.recipes.poses import PaperPoses, TinyPoses
from actparse.training.recipes.tiny_clips import RenderedClips, TinyClips
from actparse.training.recipes.tracks import TinyTracks

PERSONS, POSES, PARTS, WITHOUT_DOTS = STAGE_1 = "persons", "poses", "parts", "parts-without-dots"
ACTION, TRACKS, BASELINE = "action", "tracks", "baseline"


@dataclass(frozen=True)
class Recipe:
    """One recipe: the training of a network or, without hyperparameters, of a whole bundle."""

    description: str
    hyperparameters: Hyperparameters | None
    kind: str  # of the network, the name of its file in a bundle: "persons", "action", "states-arm", ...
    _: KW_ONLY
    group: str | None = None  # part group of a state network
    variant: str = ""  # of several networks of one kind: "tsn-rgb", "ir", "people", ...
    needs: tuple[str, ...] = ()  # recipes whose weights must exist in the run's folder
    initial: str = ""  # name of the file, in a folder given as --init, that the network starts from; "": the recipe's
    steps: int | None = None  # default number of optimiser steps; None: as many as the hyperparameters' epochs
    samples_per_second: float = 0.0  # measured on one processor core, to estimate the time of a tiny run

    @property
    def minutes(self) -> float:
        """Return how many minutes the default number of steps takes on one core."""
        assert isinstance(self.hyperparameters, OneCycle)
        return (self.steps or 0) * self.hyperparameters.batch_size / self.samples_per_second / 60


def _tiny(description: str, hyperparameters: OneCycle, kind: str, *, steps: int, speed: float, **more: Any) -> Recipe:
    """Return a recipe of size tiny; `speed` is in samples per second."""
    return Recipe(
        description=description,
        hyperparameters=hyperparameters,
        kind=kind,
        steps=steps,
        samples_per_second=speed,
        **more,
    )


BUNDLE_RECIPES: dict[str, Recipe] = {  # the networks of the bundle that the recipe "tiny" trains
    PERSONS: _tiny("person detector: tiny YOLOF on frames", TinyPersons(), PERSONS, steps=10_000, speed=43),
    POSES: _tiny("pose network: tiny HRNet on rendered person crops", TinyPoses(), POSES, steps=25_000, speed=88),
    PARTS: _tiny(
        "part detector: tiny YOLOF on person crops with the pose drawn on them",
        TinyParts(),
        PARTS,
        steps=12_500,
        speed=40,
        needs=(POSES,),
    ),
    WITHOUT_DOTS: _tiny(
        "part detector without the pose, for comparison",
        TinyParts(dots=False),
        WITHOUT_DOTS,
        steps=12_500,
        speed=40,
        needs=(POSES,),
    ),
    TRACKS: _tiny(
        "network on keypoints: the action, and the states of each person",
        TinyTracks(),
        TRACKS,
        steps=4_000,
        speed=1_500,
        needs=(POSES,),
    ),
    ACTION: _tiny("action network: tiny ip-CSN on clips", TinyClips(), ACTION, steps=12_500, speed=68),
    **{
        f"states-{group}": _tiny(
            f"state network of the part group {group}, from the action network's weights",
            TinyClips(),
            f"states-{group}",
            steps=2_500,
            speed=68,
            group=group,
        )
        for group in GROUPS
    },
}
TINY: dict[str, Recipe] = {
    **BUNDLE_RECIPES,
    # for Table I; the runs of networks for the action also save initial state networks
    "action-tsn-rgb": _tiny(
        "action network for comparison: tiny TSN on frames",
        TinyClips(net_config=tiny.TSN_NET, stage_config=tiny.TSN_RGB_STAGE),
        ACTION,
        steps=12_500,
        speed=68,
        variant="tsn-rgb",
    ),
    "action-tsn-flow": _tiny(
        "action network for comparison: tiny TSN on TV-L1 flow",
        TinyClips(net_config=tiny.TSN_FLOW_NET, stage_config=tiny.TSN_FLOW_STAGE),
        ACTION,
        steps=12_500,
        speed=42,
        variant="tsn-flow",
    ),
    "action-pretrained": _tiny(
        "tiny ip-CSN on rendered clips only, for `--init` of action, as the paper uses IG-65M's weights",
        RenderedClips(),
        ACTION,
        steps=120_000,
        speed=68,
        variant="pretrained",
    ),
    BASELINE: _tiny(
        "official baseline: tiny ResNet, RoIAlign on persons and parts, fused with TSN on frames",
        TinyBaseline(),
        BASELINE,
        steps=2_500,
        speed=7,  # of three frames each, with float32
    ),
    # for the bundle for real people; there, a run's poses.safetensors is MoveNet
    "parts-people": _tiny(
        "part detector for real people: rendered person crops of the varied look, dots of the run's poses",
        PeopleParts(),
        PARTS,
        steps=6_000,
        speed=40,
        variant="people",
        needs=(POSES,),
    ),
    "part-regression": _tiny(
        "network from keypoints to part boxes, on the same persons, half of them with true keypoints",
        TinyPartRegression(),
        "part-regression",
        steps=6_000,
        speed=20_000,
        variant="people",
        needs=(POSES,),
    ),
    "tracks-people": _tiny(
        "network on keypoints for real people: as tracks, with a lower limit of the keypoints' confidence",
        TinyTracks(stage_config=tiny.PEOPLE_TRACKS_STAGE),
        TRACKS,
        steps=8_000,
        speed=1_500,
        variant="people",
        needs=(POSES,),
    ),
    "tiny": Recipe("the whole tiny bundle: all of its networks, two at a time", None, kind="bundle"),
}


def _paper_clips(network: str, hyperparameters: PaperClips, initial: str, variant: str = "") -> dict[str, Recipe]:
    """Return the recipes of a clip network, for the action and for each part group."""
    infix = f"{variant}-" if variant else ""
    action = Recipe(f"{network} for the action of a video", hyperparameters, ACTION, variant=variant, initial=initial)
    recipes = {f"action-{infix}".removesuffix("-"): action}
    for group in GROUPS:
        if isinstance(hyperparameters, PaperIrCsn):
            hyperparameters = replace(hyperparameters, ensemble=IR_WEIGHTS[group])
        recipes[f"states-{infix}{group}"] = replace(
            action,
            description=f"{network} for the states of the group {group}",
            hyperparameters=hyperparameters,
            kind=f"states-{group}",
            group=group,
        )
    return recipes


PAPER: dict[str, Recipe] = {
    PERSONS: Recipe("person detector: YOLOF-R101 on frames, from COCO", PaperPersons(), PERSONS, initial="yolof"),
    POSES: Recipe("pose network: HRNet-w48 from COCO, nothing is trained", PaperPoses(), POSES, initial="hrnet"),
    PARTS: Recipe(
        "part detector: YOLOF-R101 on person crops with the pose", PaperParts(), PARTS, needs=(POSES,), initial="yolof"
    ),
    WITHOUT_DOTS: Recipe(
        "part detector without the pose", PaperParts(dots=False), WITHOUT_DOTS, needs=(POSES,), initial="yolof"
    ),
    **_paper_clips("ip-CSN-152 from IG-65M", PaperCsn(), "csn"),
    BASELINE: Recipe("official baseline: ResNet-50 with RoIAlign, and TSN", PaperBaseline(), BASELINE, initial="tsn"),
    **_paper_clips("ir-CSN-152 from Sports-1M, to go with ip-CSN-152,", PaperIrCsn(), "csn-ir", "ir"),
    **_paper_clips("TSN-R50 on frames", PaperTsnRgb(), "tsn", "tsn-rgb"),
    **_paper_clips("TSN-R50 on flow", PaperTsnFlow(), "tsn", "tsn-flow"),
}
RECIPES: dict[str, dict[str, Recipe]] = {"tiny": TINY, "paper": PAPER}


def recipe_of(name: str, size: str, changes: Mapping[str, str] | None = None) -> Recipe:
    """Return a recipe with some of its hyperparameters changed.

    Raises:
        ConfigError: no recipe of this size has the name, or a change is invalid for it.
    """
    recipes = RECIPES[size]
    if name not in recipes:
        raise ConfigError(f"train: RECIPE at size {size} must be one of {', '.join(recipes)}, got {name!r}")
    recipe = recipes[name]
    if not changes:
        return recipe
    if recipe.hyperparameters is None:
        raise ConfigError(f"train: {name} has no hyperparameters to change, got {', '.join(changes)}")
    return replace(recipe, hyperparameters=changed(recipe.hyperparameters, changes))
