"""The methods in Tables I and III: their trainings, the networks that they parse with, and the paper's values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Literal

from actparse.core.vocabulary import GROUPS
from actparse.data.prior import Prior
from actparse.inspection.compute import TABLE_3_CROP
from actparse.parser import ParserConfig
from actparse.reproduce.evaluation import TRUE_DOTS, Variant
from actparse.stages.together.integrate import with_prior_states
from actparse.training.recipes.paper_clips import IR_WEIGHTS
from actparse.training.run_folder import RunFolder

Size = Literal["tiny", "paper"]


@dataclass(frozen=True)
class SizeRules:
    """How the tables train and compare the networks of a size."""

    states_with_action: bool  # the training for the action also makes the state networks; no recipes of their own
    in_parallel: bool  # trainings run side by side, each on one processor core
    has_ensemble: bool  # Table I also has the authors' challenge entry
    crop: int | None  # pixels of crops in which computing is counted too, as in the paper; None: only whole frames


RULES: dict[Size, SizeRules] = {
    "tiny": SizeRules(states_with_action=True, in_parallel=True, has_ensemble=False, crop=None),
    "paper": SizeRules(states_with_action=False, in_parallel=False, has_ensemble=True, crop=TABLE_3_CROP),
}
AS_IN_PCF = ParserConfig(use_tracks=False)
IP_CSN = "PCF, ip-CSN"


@dataclass(frozen=True)
class Training:
    """A recipe with changes to its hyperparameters."""

    recipe: str
    changes: Mapping[str, str] = field(default_factory=dict)
    start: Start | None = None
    home: str | None = None  # folder of the method whose run contains it; None: of the method that lists it
    starts_from_persons: bool = False  # whether the tiny network starts from the detector of persons, if it fits

    @property
    def sees_rendered_clips(self) -> bool:
        """Whether it trains on rendered clips: a network pre-trained on them needs them in fine-tuning, or forgets."""
        return self == PRETRAINED.training or self.start == PRETRAINED


@dataclass(frozen=True)
class Start:
    """The training whose network initialises another one."""

    folder: str  # folder of its run
    training: Training
    is_shared: bool = False  # one run for all seeds, like public weights; otherwise the folder is below the seed's
    learning_rate: float | None = None  # rate of a training that starts from it; None for the recipe's rate


# For tiny networks: rendered clips replace IG-65M, and all rows of Table III start from Table I's network. Networks
# initialised from these are trained at an eighth of the recipe's rate.
PRETRAINED = Start("pretrained", Training("action-pretrained"), is_shared=True, learning_rate=3e-4)
FINE_TUNED = Start("csn", Training("action", start=PRETRAINED), learning_rate=3e-4)


@dataclass(frozen=True, kw_only=True)
class Method:
    """One row of a table."""

    name: str  # as printed in the table
    folder: str  # folder of its run below a seed's; methods of two tables with the same folder share their networks
    trainings: tuple[Training, ...]
    stage_2: Mapping[str, str]  # kind of network -> the recipe that trains it
    config: ParserConfig = AS_IN_PCF
    paper: Mapping[str, float]  # the paper's values, percent
    bundle: str = "bundle"  # the folder, in the run, of the bundle of full-size trainings

    def networks(self, run: Path) -> dict[str, Path]:
        """Return the file of each network of stage 2, below the run's folder."""
        files = {}
        for kind, recipe in self.stage_2.items():
            folder = RunFolder(run, recipe)
            is_beside = kind.startswith("states-") and recipe.startswith("action")  # a tiny action recipe trains both
            files[kind] = folder.start_of(kind) if is_beside else folder.weights
        return files


def table_1(size: Size) -> tuple[Method, ...]:
    """Return the methods of Table I: the official baseline, and PCF with three kinds of video networks."""
    baseline = Method(
        name="baseline",
        folder="baseline",
        trainings=(Training("baseline"),),
        stage_2={"baseline": "baseline"},
        paper={"roc_score": 29.79},
        bundle="bundle-baseline",
    )
    rows = (
        ("PCF, TSN on frames", "tsn-rgb", {"video_accuracy": 74.03, "roc_score": 49.23}),
        ("PCF, TSN on flow", "tsn-flow", {"video_accuracy": 83.48, "roc_score": 54.33}),
        (IP_CSN, "csn", {"video_accuracy": 96.46, "roc_score": 60.89}),
    )
    pcf = (
        Method(
            name=name,
            folder=network,
            trainings=_trainings(size, network, start=PRETRAINED if network == "csn" else None),
            stage_2=_stage_2(size, network),
            paper=values,
            bundle=f"bundle-{network}".removesuffix("-csn"),
        )
        for name, network, values in rows
    )
    return baseline, *pcf, *((_ensemble(),) if RULES[size].has_ensemble else ())


def _ensemble() -> Method:
    """Return the ensemble of ip-CSN and ir-CSN, the authors' challenge entry.

    Its values are from the authors' challenge report, not from the paper.
    """
    recipes = ("action-ir", *(f"states-ir-{group}" for group in GROUPS if IR_WEIGHTS[group][1] > 0))
    return Method(
        name="PCF, ip-CSN and ir-CSN",
        folder="csn",
        trainings=(*_trainings("paper", "csn"), *map(Training, recipes)),
        stage_2=_stage_2("paper", "csn"),
        paper={"video_accuracy": 96.78, "roc_score": 61.37},
        bundle="bundle-ensemble",
    )


def with_object_detector(baseline: Method) -> Method:
    """Return the baseline with the boxes of objects, for which a detector is trained too, from that of persons."""
    objects = Training("objects", starts_from_persons=True)
    stage_2 = {"objects": "objects", **baseline.stage_2}
    return replace(baseline, trainings=(objects, *baseline.trainings), stage_2=stage_2)


def variants_of_table_1(prior: Prior) -> dict[str, Variant]:
    """Return the variants of ip-CSN: the evaluation report's simple reference, and states without the action.

    Args:
        prior: the most common states of the training videos.
    """
    return {
        f"{IP_CSN}, commonest states of the action": Variant(
            IP_CSN,
            lambda parser, observed: with_prior_states(parser.integrate(observed), prior),
            rests_on=sha256(repr(sorted(prior.items())).encode()).hexdigest(),
        ),
        f"{IP_CSN}, states without the action's word": Variant(
            IP_CSN, lambda parser, observed: parser.integrate(observed, condition_on_action=False)
        ),
    }


def boxes_of_table_2() -> dict[str, dict[str, float]]:
    """Return the paper's values for the boxes of persons and parts, without and with the pose, percent."""
    return {
        "persons": {"ap": 74.60, "ap50": 93.40},
        "persons, pose": {"ap": 74.80, "ap50": 93.80},
        "parts": {"ap": 36.40, "ap50": 53.10},
        "parts, pose": {"ap": 57.10, "ap50": 79.70},
        TRUE_DOTS: {},
    }


def table_3(size: Size) -> tuple[Method, ...]:
    """Return the methods of Table III: ip-CSN on single frames, on segments of three seconds and of ten."""
    rows: tuple[tuple[str, str, dict[str, str], tuple[float, ...], float], ...] = (
        ("frame", "frame", {"level": "frame"}, (92.46, 68.11, 68.50, 84.19, 66.27, 65.47), 36.12),
        ("segment, 3 s", "segment-3", {"segment_seconds": "3"}, (92.46, 68.07, 68.43, 84.14, 66.14, 65.36), 11.50),
        ("segment, 10 s", "segment-10", {"segment_seconds": "10"}, (92.44, 67.69, 68.10, 83.99, 65.59, 65.02), 3.482),
    )
    frame_teraflops = rows[0][-1]
    return tuple(
        Method(
            name=name,
            folder=folder if RULES[size].states_with_action or folder != "segment-3" else "csn",  # that of Table I
            trainings=_trainings(size, "csn", changes, start=FINE_TUNED),
            stage_2=_stage_2(size, "csn"),
            config=_level(changes),
            paper={**dict(zip(GROUPS, accuracies, strict=True)), "compute_share": 100 * teraflops / frame_teraflops},
        )
        for name, folder, changes, accuracies, teraflops in rows
    )


def _trainings(
    size: Size, network: str, changes: Mapping[str, str] | None = None, *, start: Start | None = None
) -> tuple[Training, ...]:
    """Return the trainings of a network for the action and, at full size, of one for each part group.

    The tiny recipe for the action also writes the networks of the part groups. `start` is for the tiny network;
    full-size networks start from public weights.
    """
    action, *states = dict.fromkeys(_stage_2(size, network).values())
    if RULES[size].states_with_action:
        return (Training(action, changes or {}, start),)
    whole_videos = Training(action, home=network)  # an action has no level: the rows of Table III share it
    return whole_videos, *(Training(recipe, changes or {}) for recipe in states)


def _stage_2(size: Size, network: str) -> dict[str, str]:
    """Map each kind of video network to its recipe, for "csn", "tsn-rgb" or "tsn-flow"."""
    prefix = "" if network == "csn" else f"{network}-"
    action = f"action-{prefix}".removesuffix("-")
    states = {f"states-{g}": action if RULES[size].states_with_action else f"states-{prefix}{g}" for g in GROUPS}
    return {"action": action, **states}


def _level(changes: Mapping[str, str]) -> ParserConfig:
    """Return the parser config of a row in Table III.

    Only the group's network determines its states, as in the paper's ablation.
    """
    return ParserConfig(
        use_tracks=False,
        condition_on_action=False,
        level="frame" if changes.get("level") == "frame" else "segment",
        segment_seconds=float(changes.get("segment_seconds", AS_IN_PCF.segment_seconds)),
    )
