"""The recipes of both sizes by name: what each trains, with which hyperparameters, and after which others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import GROUPS
from actparse.training.recipes import tiny
from actparse.training.recipes.baseline import PaperBaseline, TinyBaseline
from actparse.training.recipes.hyperparameters import Hyperparameters, OneCycle, changed
from actparse.training.recipes.objects import PaperObjects, TinyObjects
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
ACTION, TRACKS, BASELINE, OBJECTS = "action", "tracks", "baseline", "objects"
VARIANTS = ("tsn-rgb", "tsn-flow", "ir", "pretrained", "people", "along-tracks")


@dataclass(frozen=True)
class Recipe:
    """One recipe: the training of a network or, without hyperparameters, of a whole bundle."""

    name: str  # the network's kind and variant: "persons", "action-tsn-rgb", "states-ir-arm", ...
    description: str
    hyperparameters: Hyperparameters | None
    steps: int | None = None  # default number of optimiser steps; None: as many as the hyperparameters' epochs
    samples_per_second: float = 0.0  # measured on one processor core, to estimate the time of a tiny run
    _: KW_ONLY
    initial: str = ""  # name of the file, in a folder given as --init, that the network starts from; "": the recipe's

    @property
    def variant(self) -> str:
        """The part of the name that distinguishes several networks of one kind; "" if there is none."""
        return next((variant for variant in VARIANTS if f"-{variant}" in self.name), "")

    @property
    def kind(self) -> str:
        """The name of the network's file in a bundle: "persons", "action", "states-arm", ..."""
        return self.name.replace(f"-{self.variant}", "") if self.variant else self.name

    @property
    def group(self) -> str | None:
        """The part group of a state network; None for other networks."""
        return self.kind.removeprefix("states-") if self.kind.startswith("states-") else None

    @property
    def needs(self) -> tuple[str, ...]:
        """The recipes whose weights must exist in the run's folder."""
        return () if self.hyperparameters is None else self.hyperparameters.needs

    @property
    def minutes(self) -> float:
        """Return how many minutes the default number of steps takes on one core."""
        assert isinstance(self.hyperparameters, OneCycle)
        return (self.steps or 0) * self.hyperparameters.batch_size / self.samples_per_second / 60


def _by_name(*recipes: Recipe) -> dict[str, Recipe]:
    return {recipe.name: recipe for recipe in recipes}


TSN_RGB = TinyClips(net_config=tiny.TSN_NET, stage_config=tiny.TSN_RGB_STAGE)
TSN_FLOW = TinyClips(net_config=tiny.TSN_FLOW_NET, stage_config=tiny.TSN_FLOW_STAGE)
ALONG_TRACKS = TinyClips(stage_config=tiny.TRACK_CLIPS_STAGE)
BUNDLE_RECIPES = _by_name(  # the networks of the bundle that the recipe "tiny" trains
    Recipe(PERSONS, "person detector: tiny YOLOF on frames", TinyPersons(), 10_000, 43),
    Recipe(POSES, "pose network: tiny HRNet on rendered persons", TinyPoses(), 25_000, 88),
    Recipe(PARTS, "part detector: tiny YOLOF on person crops with the pose drawn on them", TinyParts(), 12_500, 40),
    Recipe(WITHOUT_DOTS, "part detector without the pose, for comparison", TinyParts(dots=False), 12_500, 40),
    Recipe(TRACKS, "network on keypoints: the action, and the states of each person", TinyTracks(), 4_000, 1_500),
    Recipe(ACTION, "action network: tiny ip-CSN on clips", TinyClips(), 12_500, 44),
    *(
        Recipe(
            f"states-{group}",
            f"state network of the part group {group}, from the action network's weights",
            TinyClips(),
            2_500,
            44,
        )
        for group in GROUPS
    ),
)
TINY = BUNDLE_RECIPES | _by_name(
    # for Table I; the runs of networks for the action also save initial state networks
    Recipe("action-tsn-rgb", "action network for comparison: tiny TSN on frames", TSN_RGB, 12_500, 32),
    Recipe("action-tsn-flow", "action network for comparison: tiny TSN on TV-L1 flow", TSN_FLOW, 12_500, 42),
    Recipe(
        "action-pretrained",
        "tiny ip-CSN on rendered clips only, for `--init` of action, as the paper uses IG-65M's weights",
        RenderedClips(),
        120_000,
        44,
    ),
    *(
        Recipe(
            f"states-along-tracks-{group}",
            f"states of the part group {group} for each person, on clips cut out along the tracks; a variant",
            ALONG_TRACKS,
            2_500,
            44,
        )
        for group in GROUPS
    ),
    Recipe(OBJECTS, "object detector for the baseline: tiny YOLOF on frames", TinyObjects(), 10_000, 43),
    Recipe(  # its samples have three frames each, and it computes with float32
        BASELINE,
        "official baseline: tiny ResNet, RoIAlign on persons, parts and objects, fused with TSN on frames",
        TinyBaseline(),
        2_500,
        7,
    ),
    # for the bundle for real people; there, a run's poses.safetensors is MoveNet
    Recipe(
        "parts-people",
        "part detector for real people: rendered person crops, dots of the run's poses",
        PeopleParts(),
        6_000,
        40,
    ),
    Recipe(
        "part-regression",
        "network from keypoints to part boxes, on the same persons, half of them with true keypoints",
        TinyPartRegression(),
        6_000,
        20_000,
    ),
    Recipe(
        "tracks-people",
        "network on keypoints for real people: as tracks, with a lower limit of the keypoints' confidence",
        TinyTracks(stage_config=tiny.PEOPLE_TRACKS_STAGE),
        8_000,
        1_500,
    ),
    Recipe("tiny", "the whole tiny bundle: all of its networks, two at a time", None),
)


def _paper_clips(network: str, hyperparameters: PaperClips, initial: str, variant: str = "") -> list[Recipe]:
    """Return the recipes of a clip network, for the action and for each part group."""
    infix = f"-{variant}" if variant else ""
    action = Recipe(f"action{infix}", f"{network} for the action of a video", hyperparameters, initial=initial)
    recipes = [action]
    for group in GROUPS:
        if isinstance(hyperparameters, PaperIrCsn):
            hyperparameters = replace(hyperparameters, ensemble=IR_WEIGHTS[group])
        description = f"{network} for the states of the group {group}"
        name = f"states{infix}-{group}"
        recipes.append(replace(action, name=name, description=description, hyperparameters=hyperparameters))
    return recipes


PAPER = _by_name(
    Recipe(PERSONS, "person detector: YOLOF-R101 on frames, from COCO", PaperPersons(), initial="yolof"),
    Recipe(POSES, "pose network: HRNet-w48 from COCO, nothing is trained", PaperPoses(), initial="hrnet"),
    Recipe(PARTS, "part detector: YOLOF-R101 on person crops with the pose", PaperParts(), initial="yolof"),
    Recipe(WITHOUT_DOTS, "part detector without the pose", PaperParts(dots=False), initial="yolof"),
    *_paper_clips("ip-CSN-152 from IG-65M", PaperCsn(), "csn"),
    Recipe(OBJECTS, "object detector for the baseline: YOLOF-R101 on frames", PaperObjects(), initial="yolof"),
    Recipe(BASELINE, "official baseline: ResNet-50 with RoIAlign, and TSN", PaperBaseline(), initial="tsn"),
    *_paper_clips("ir-CSN-152 from Sports-1M, to go with ip-CSN-152,", PaperIrCsn(), "csn-ir", "ir"),
    *_paper_clips("TSN-R50 on frames", PaperTsnRgb(), "tsn", "tsn-rgb"),
    *_paper_clips("TSN-R50 on flow", PaperTsnFlow(), "tsn", "tsn-flow"),
)
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
