"""The rows of Tables I and III: what each method trains, which networks it parses with, and what the paper printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Literal

from actparse.core.vocabulary import GROUPS
from actparse.data.prior import Prior
from actparse.parser import ParserConfig
from actparse.reproduce.evaluation import TRUE_DOTS, Variant
from actparse.stages.together.integrate import with_prior_states
from actparse.training.paper.states import IR_WEIGHTS
from actparse.training.runs import RunFolder

Size = Literal["tiny", "paper"]
AS_IN_PCF = ParserConfig(use_tracks=False)
IP_CSN = "PCF, ip-CSN"


@dataclass(frozen=True)
class Training:
    """A recipe, with numbers that differ from its own."""

    recipe: str
    changes: Mapping[str, str] = field(default_factory=dict)
    start: Start | None = None
    home: str | None = None  # folder of the method whose run it is in; None: the method's that has it

    @property
    def sees_rendered_clips(self) -> bool:
        """Whether it trains on them: what starts from them is fine-tuned among them, or it would forget."""
        return self == PRETRAINED.training or self.start == PRETRAINED


@dataclass(frozen=True)
class Start:
    """The training whose network another one starts from."""

    folder: str  # of its run
    training: Training
    is_shared: bool = False  # one for all seeds, as public weights are; else the folder is below the seed's
    learning_rate: float | None = None  # of what starts from it; None is the recipe's own


# of tiny networks: rendered clips stand for IG-65M, and Table I's network for what all rows of Table III share
# what starts from them is trained at an eighth of the recipe's rate
PRETRAINED = Start("pretrained", Training("action-pretrained"), is_shared=True, learning_rate=3e-4)
FINE_TUNED = Start("csn", Training("action", start=PRETRAINED), learning_rate=3e-4)


@dataclass(frozen=True, kw_only=True)
class Method:
    """One row of a table."""

    name: str  # as the table prints it
    folder: str  # of its run, below the folder of a seed; methods of two tables that share it share their networks
    trainings: tuple[Training, ...]
    stage_2: Mapping[str, str]  # kind of network -> the recipe that leaves it
    config: ParserConfig = AS_IN_PCF
    paper: Mapping[str, float]  # what the paper printed, percent
    bundle: str = "bundle"  # the folder that full-size trainings leave in the run

    def networks(self, run: Path) -> dict[str, Path]:
        """The file of each network of stage 2, below the run's folder."""
        return {kind: _file(RunFolder(run, recipe), kind) for kind, recipe in self.stage_2.items()}


def _file(run: RunFolder, kind: str) -> Path:
    """What a recipe left: its own network, or one of a part group, which a tiny action recipe leaves beside it."""
    is_beside = kind.startswith("states-") and run.name.startswith("action")
    return run.start_of(kind) if is_beside else run.weights


def table_1(size: Size) -> tuple[Method, ...]:
    """The official baseline, and PCF with three kinds of video networks."""
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
            paper=figures,
            bundle=f"bundle-{network}".removesuffix("-csn"),
        )
        for name, network, figures in rows
    )
    return baseline, *pcf, *((_ensemble(),) if size == "paper" else ())


def _ensemble() -> Method:
    """ir-CSN beside ip-CSN, its authors' challenge entry; the figures are their report's, not the paper's."""
    recipes = ("action-ir", *(f"states-ir-{group}" for group in GROUPS if IR_WEIGHTS[group][1] > 0))
    return Method(
        name="PCF, ip-CSN and ir-CSN",
        folder="csn",
        trainings=(*_trainings("paper", "csn"), *map(Training, recipes)),
        stage_2=_stage_2("paper", "csn"),
        paper={"video_accuracy": 96.78, "roc_score": 61.37},
        bundle="bundle-ensemble",
    )


def variants_of_table_1(prior: Prior) -> dict[str, Variant]:
    """What ip-CSN's networks say, put together in other ways: the report's cheap reference, and without the action.

    Args:
        prior: the commonest states that training sees.
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
    """What the paper printed of the boxes of persons and parts, without the pose and with it, percent."""
    return {
        "persons": {"ap": 74.60, "ap50": 93.40},
        "persons, pose": {"ap": 74.80, "ap50": 93.80},
        "parts": {"ap": 36.40, "ap50": 53.10},
        "parts, pose": {"ap": 57.10, "ap50": 79.70},
        TRUE_DOTS: {},
    }


def table_3(size: Size) -> tuple[Method, ...]:
    """ip-CSN on single frames, on segments of three seconds and of ten."""
    rows: tuple[tuple[str, str, dict[str, str], tuple[float, ...], float], ...] = (
        ("frame", "frame", {"level": "frame"}, (92.46, 68.11, 68.50, 84.19, 66.27, 65.47), 36.12),
        ("segment, 3 s", "segment-3", {"segment_seconds": "3"}, (92.46, 68.07, 68.43, 84.14, 66.14, 65.36), 11.50),
        ("segment, 10 s", "segment-10", {"segment_seconds": "10"}, (92.44, 67.69, 68.10, 83.99, 65.59, 65.02), 3.482),
    )
    of_frames = rows[0][-1]  # TFLOPs
    return tuple(
        Method(
            name=name,
            folder="csn" if size == "paper" and folder == "segment-3" else folder,  # Table I's own
            trainings=_trainings(size, "csn", changes, start=FINE_TUNED),
            stage_2=_stage_2(size, "csn"),
            config=_level(changes),
            paper={**dict(zip(GROUPS, figures, strict=True)), "compute_share": 100 * teraflops / of_frames},
        )
        for name, folder, changes, figures, teraflops in rows
    )


def _trainings(
    size: Size, network: str, changes: Mapping[str, str] | None = None, *, start: Start | None = None
) -> tuple[Training, ...]:
    """A network for the action and, at full size, one for each part group; a tiny one leaves those beside it.

    `start` is that of the tiny one; full-size networks start from public weights.
    """
    action, *states = dict.fromkeys(_stage_2(size, network).values())
    if size == "tiny":
        return (Training(action, changes or {}, start),)
    whole_videos = Training(action, home=network)  # an action knows no level: the rows of Table III share it
    return whole_videos, *(Training(recipe, changes or {}) for recipe in states)


def _stage_2(size: Size, network: str) -> dict[str, str]:
    """Kind -> recipe of the video networks "csn", "tsn-rgb" or "tsn-flow"."""
    prefix = "" if network == "csn" else f"{network}-"
    action = f"action-{prefix}".removesuffix("-")
    of_groups = {f"states-{g}": action if size == "tiny" else f"states-{prefix}{g}" for g in GROUPS}
    return {"action": action, **of_groups}


def _level(changes: Mapping[str, str]) -> ParserConfig:
    """How a row of Table III parses; the group's network alone decides on its states, as in the paper's ablation."""
    return ParserConfig(
        use_tracks=False,
        condition_on_action=False,
        level="frame" if changes.get("level") == "frame" else "segment",
        segment_seconds=float(changes.get("segment_seconds", AS_IN_PCF.segment_seconds)),
    )
