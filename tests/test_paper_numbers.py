"""Every number of the paper beside the value that the code uses.

A row is a sentence of the paper, or the recipe that supplies what the paper leaves open, with where it stands, the
number in it and the code's value. YOLOF, CSN, TSN and HRNet are the public recipes of these networks; "report" is
the authors' challenge report; the others are sections and tables of the paper.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest

from actparse.core.vocabulary import GROUPS, KEYPOINTS, PARTS
from actparse.data.division import HELD_OUT, IN_ALL
from actparse.nets.clips.csn import CsnConfig
from actparse.nets.detectors.yolof import YolofConfig
from actparse.parser import ParserConfig
from actparse.reproduce.methods import boxes_of_table_2, table_1, table_3
from actparse.training.recipes.paper_clips import IR_WEIGHTS, WARM_UP_COUNT, PaperCsn, PaperIrCsn
from actparse.training.recipes.parts import PaperParts
from actparse.training.recipes.persons import PaperPersons
from actparse.training.recipes.poses import PaperPoses
from actparse.training.recipes.registry import recipe_of
from actparse.training.task import StepRule, TaskSettings
from actparse.video.flow import DEFAULT_TVL1

Row = tuple[str, str, object, object]  # where it stands, its words, its number, the code's value

PERSONS: Any = recipe_of("persons", "paper").hyperparameters
PARTS_RECIPE: Any = recipe_of("parts", "paper").hyperparameters
POSES: Any = recipe_of("poses", "paper").hyperparameters
ACTION: Any = recipe_of("action", "paper").hyperparameters
STATES: dict[str, Any] = {group: recipe_of(f"states-{group}", "paper").hyperparameters for group in GROUPS}
TSN_RGB: Any = recipe_of("action-tsn-rgb", "paper").hyperparameters
TSN_FLOW: Any = recipe_of("action-tsn-flow", "paper").hyperparameters
CLIP_NETWORKS = {"action": ACTION, **{f"states-{group}": recipe for group, recipe in STATES.items()}}


def step_rule(settings: TaskSettings) -> StepRule:
    assert settings.step_rule is not None
    return settings.step_rule


def detector_rows(name: str, recipe: PaperPersons | PaperParts, num_classes: int) -> Iterator[Row]:
    """Yield what the paper says of both detectors."""
    settings, where = recipe.settings(), "III-A, training"
    net: YolofConfig = recipe.yolof(num_classes)
    yield "III-A, detector", f"{name}: a ResNet-101 backbone", (3, 4, 23, 3), net.backbone.num_blocks
    yield "III-A, detector", f"{name}: on keyframes", 5, recipe.frame_stride
    yield where, f"{name}: using SGD", "sgd", settings.optimizer
    yield where, f"{name}: a mini-batch of six on four V100 GPUs", 6 * 4, settings.batch_size
    yield where, f"{name}: train it for 24 epochs", 24, step_rule(settings).epochs
    yield where, f"{name}: a base learning rate of 0.01", 0.01, settings.learning_rate
    yield where, f"{name}: decreased by a factor of 10", 0.1, step_rule(settings).gamma
    yield where, f"{name}: at epoch 16 and 22", (16, 22), step_rule(settings).milestones
    yield (
        where,
        f"{name}: warm-up for 1800 iterations",
        1800,
        step_rule(settings).warmup_iterations,
    )
    yield where, f"{name}: weight decay of 1e-4", 1e-4, settings.weight_decay
    yield where, f"{name}: Nesterov momentum of 0.9", (True, 0.9), (settings.nesterov, settings.momentum)
    yield "YOLOF", f"{name}: warm-up from 1/1800", 1 / 1800, step_rule(settings).warmup_start
    yield "YOLOF", f"{name}: a third of the rate for the backbone", {"backbone.": 1 / 3}, settings.rate_factors
    yield (
        "YOLOF",
        f"{name}: frozen stem, first stage, batch norms",
        (1, True),
        (net.backbone.frozen_stages, net.backbone.freeze_batch_norm),
    )
    yield (
        "YOLOF",
        f"{name}: half of the images mirrored, half shifted by up to 32 pixels",
        (0.5, 0.5, 32),
        (recipe.mirror_share, recipe.shift_share, recipe.max_shift),
    )


def stage_1_rows() -> Iterator[Row]:
    """Yield what the paper says of persons, poses and parts."""
    persons, parts, poses = PERSONS.stage(), PARTS_RECIPE.stage(), POSES.stage()
    yield from detector_rows("persons", PERSONS, 1)
    yield from detector_rows("parts", PARTS_RECIPE, len(PARTS))
    yield "III-A, dataset", "10 body parts", 10, PARTS_RECIPE.net().num_classes
    yield "III-A, inference", "the top-10 results from the person detector", 10, persons.max_persons
    yield "YOLOF", "frames of 800 pixels, at most 1333", (800, 1333), (persons.short_side, persons.long_side)
    yield "YOLOF", "test: score 0.05, IoU 0.6", (0.05, 0.6), (persons.min_score, persons.max_iou)
    yield "II-B", "dots of different colours and radius", len(KEYPOINTS), len(set(parts.dots.colors))
    yield "II-B", "more than one radius", True, len(set(parts.dots.radii)) > 1
    yield "ours", "part crops of 800 pixels without padding", (800, 1.0), (parts.size, parts.padding)
    yield "II-B", "until all possible human keypoints are included", True, PARTS_RECIPE.grow
    yield "III-A, pose", "HRNet-w48", 48, POSES.width
    yield "HRNet", "crops of 384 x 288", (384, 288), poses.size
    yield "III-A, pose", "without any fine-tuning", True, isinstance(POSES, PaperPoses)
    yield (
        "ours",
        "keypoints count from 0.25",
        (0.25, 0.25),
        (
            PARTS_RECIPE.min_confidence,
            ParserConfig().min_keypoint_confidence,
        ),
    )


def clip_rows(name: str, recipe: PaperCsn) -> Iterator[Row]:
    """Yield what the paper says of the networks for the action and the states."""
    settings, net, stage = recipe.settings(), recipe.net(24), recipe.stage()
    assert isinstance(net, CsnConfig)
    where, csn = "III-A, training", "III-A, network"
    yield csn, f"{name}: CSN-152: 3 convolutions a block, stem, classifier", 152, 3 * sum(net.num_blocks) + 2
    yield csn, f"{name}: blocks of ResNet-152", (3, 8, 36, 3), net.num_blocks
    yield csn, f"{name}: ip-CSN", "ip", net.bottleneck
    yield csn, f"{name}: pre-trained on IG-65M", "ig65m", recipe.pretraining
    yield csn, f"{name}: sampling 32 x 2 in training", (32, 2), (recipe.num_frames, recipe.frame_stride)
    yield csn, f"{name}: sampling 32 x 2 at test", (32, 2), (stage.num_frames, stage.frame_stride)
    yield csn, f"{name}: freeze the batch norms", True, net.freeze_batch_norm
    yield where, f"{name}: using SGD", "sgd", settings.optimizer
    yield where, f"{name}: a mini-batch of four on four V100 GPUs", 4 * 4, settings.batch_size
    yield where, f"{name}: for 58 epochs", 58, step_rule(settings).epochs
    yield where, f"{name}: a base learning rate of 8e-5", 8e-5, settings.learning_rate
    yield where, f"{name}: decreased by a factor of 10", 0.1, step_rule(settings).gamma
    yield where, f"{name}: at epoch 32 and 48", (32, 48), step_rule(settings).milestones
    yield where, f"{name}: warm-up of 16, read as epochs", 16, step_rule(settings).warmup_epochs
    yield where, f"{name}: weight decay of 1e-4", 1e-4, settings.weight_decay
    yield where, f"{name}: Nesterov momentum of 0.9", (True, 0.9), (settings.nesterov, settings.momentum)
    yield "III-A, inference", f"{name}: seven clips for each segment", 7, stage.num_clips
    yield (
        "III-A, inference",
        f"{name}: the shorter side to 256 pixels",
        (256, None),
        (
            stage.short_side,
            stage.crop,
        ),
    )
    yield "CSN", f"{name}: gradients clipped at 40", 40, settings.max_gradient_norm
    yield "CSN", f"{name}: warm-up from a tenth", 0.1, step_rule(settings).warmup_start
    yield "CSN", f"{name}: dropout", 0.5, net.dropout
    yield "CSN", f"{name}: crops of 224 out of 256", (224, 256), (recipe.crop_size, recipe.train_short_side)


def other_rows() -> Iterator[Row]:
    """Yield segments, the two other kinds of network, the split and the ensemble."""
    iterations = step_rule(dataclasses.replace(ACTION, warmup="16-iterations").settings())
    yield "III-A, training", "the first 16 iterations, read as such", 16, iterations.warmup_iterations
    yield "III-A, training", "warm-up of 16", 16, WARM_UP_COUNT
    yield "II-A", "segments that last three seconds or so", 3.0, ParserConfig().segment_seconds
    yield "II-A", "training segments of three seconds", {3.0}, {s.segment_seconds for s in STATES.values()}
    yield "II-A", "six segment-level pseudo labels", 6, len(STATES)
    yield (
        "report",
        "right hand none, left hand none",
        {"joint"},
        {s.pairs for s in STATES.values()},
    )
    yield "II-C", "a label for the segment, not for frames", {"segment"}, {s.level for s in STATES.values()}
    yield "Kinetics-TPS", "every fifth frame is scored", 5, ParserConfig().stride
    yield (
        "Table I",
        "TSN-Res50",
        {(3, 4, 6, 3)},
        {recipe.net(24).num_blocks for recipe in (TSN_RGB, TSN_FLOW)},
    )
    yield "TSN", "1x1x3 on RGB", (1, 1, 3), (TSN_RGB.num_frames, TSN_RGB.frame_stride, TSN_RGB.num_segments)
    yield (
        "TSN",
        "5x1x3 on flow, two channels each",
        (5, 3, 10),
        (
            TSN_FLOW.num_frames,
            TSN_FLOW.num_segments,
            TSN_FLOW.net(24).in_channels,
        ),
    )
    for name, tsn, rate in (("RGB", TSN_RGB, 0.01), ("flow", TSN_FLOW, 0.005)):
        yield "TSN", f"rate on {name} scaled from 256 samples to 16", rate / 16, tsn.settings().learning_rate
    yield (
        "ours",
        "a mirrored clip's label is mirrored",
        {"sides"},
        {network.mirror for network in CLIP_NETWORKS.values()},
    )
    yield (
        "TSN",
        "on RGB rate 0.01 at 256, 100 epochs, steps at 40 and 80",
        (0.01, 100, (40, 80)),
        (
            TSN_RGB.reference_rate,
            TSN_RGB.reference_epochs,
            TSN_RGB.reference_milestones,
        ),
    )
    yield (
        "TSN",
        "on flow rate 0.005 at 256, 110 epochs, steps at 70 and 100",
        (0.005, 110, (70, 100)),
        (
            TSN_FLOW.reference_rate,
            TSN_FLOW.reference_epochs,
            TSN_FLOW.reference_milestones,
        ),
    )
    yield (
        "III-B",
        "TV-L1, with the constants of its authors' program in OpenCV",
        (0.25, 0.15, 0.3, 5, 5),
        (
            DEFAULT_TVL1.tau,
            DEFAULT_TVL1.lambda_,
            DEFAULT_TVL1.theta,
            DEFAULT_TVL1.num_scales,
            DEFAULT_TVL1.num_warps,
        ),
    )
    yield "III-A, dataset", "3,809 training videos", 3809, IN_ALL
    yield "report", "3,000 for training and 809 for validation", 3000, IN_ALL - HELD_OUT
    ensemble: Any = recipe_of("action-ir", "paper").hyperparameters
    assert isinstance(ensemble, PaperIrCsn)
    yield "report", "ip-CSN and ir-CSN for the action, 7 to 1", (7.0, 1.0), ensemble.ensemble
    yield "report", "ir-CSN from Sports-1M", ("ir", "sports1m"), (ensemble.bottleneck, ensemble.pretraining)
    weights = {
        "head": (1.413, 1.0),
        "arm": (1.0, 0.0),
        "hand": (1.314, 1.0),
        "hip": (1.906, 1.0),
        "leg": (3.515, 1.0),
        "foot": (1.576, 1.0),
    }
    for group, pair in weights.items():
        yield "report", f"weights of the two networks for {group}", pair, IR_WEIGHTS[group]


def table_rows() -> Iterator[Row]:
    """Yield the paper's tables, and what its text says of them."""
    one = {method.folder: method.paper for method in table_1("tiny")}
    entry = table_1("paper")[-1].paper
    two, three = boxes_of_table_2(), {method.name: method.paper for method in table_3("tiny")}
    yield "Table I", "the baseline's ROC score", {"roc_score": 29.79}, one["baseline"]
    for name, accuracy, score in (("tsn-rgb", 74.03, 49.23), ("tsn-flow", 83.48, 54.33), ("csn", 96.46, 60.89)):
        expected = {"video_accuracy": accuracy, "roc_score": score}
        yield "Table I", f"accuracy and ROC score of {name}", expected, one[name]
    yield "report", "accuracy and ROC score", {"video_accuracy": 96.78, "roc_score": 61.37}, entry
    gains = (("tsn-rgb", "baseline", 19.44), ("tsn-flow", "tsn-rgb", 5.1), ("csn", "tsn-flow", 6.56))
    for name, reference, gain in (*gains, ("csn", "baseline", 31.10)):
        yield (
            "III-B",
            f"ROC score of {name} above {reference}",
            gain,
            round(one[name]["roc_score"] - one[reference]["roc_score"], 2),
        )
    boxes = {
        "persons": (74.60, 93.40),
        "persons, pose": (74.80, 93.80),
        "parts": (36.40, 53.10),
        "parts, pose": (57.10, 79.70),
    }
    for name, (ap, ap50) in boxes.items():
        yield "Table II", f"AP and AP50 of {name}", {"ap": ap, "ap50": ap50}, two[name]
    accuracies = {
        "frame": (92.46, 68.11, 68.50, 84.19, 66.27, 65.47),
        "segment, 3 s": (92.46, 68.07, 68.43, 84.14, 66.14, 65.36),
        "segment, 10 s": (92.44, 67.69, 68.10, 83.99, 65.59, 65.02),
    }
    for name, values in accuracies.items():
        for group, value in zip(GROUPS, values, strict=True):
            yield "Table III", f"accuracy of {group}, {name}", value, three[name][group]
    for name, teraflops in (("frame", 36.12), ("segment, 3 s", 11.50), ("segment, 10 s", 3.482)):
        share = round(100 * teraflops / 36.12, 3)
        yield (
            "Table III",
            f"{teraflops} TFLOPs, {name}",
            share,
            round(three[name]["compute_share"], 3),
        )
    yield (
        "III-C",
        "the computation decreases about 68.16 %",
        68.16,
        round(100 - three["segment, 3 s"]["compute_share"], 2),
    )
    for name, seconds in (("segment, 3 s", 3.0), ("segment, 10 s", 10.0)):
        lengths = {method.name: method.config.segment_seconds for method in table_3("paper")}
        yield "Table III", f"duration of {name}", seconds, lengths[name]


ROWS = [
    *stage_1_rows(),
    *(row for name, recipe in CLIP_NETWORKS.items() for row in clip_rows(name, recipe)),
    *other_rows(),
    *table_rows(),
]


@pytest.mark.parametrize(("number", "value"), [pytest.param(row[2], row[3], id=f"{row[0]}: {row[1]}") for row in ROWS])
def test_number_is_that_of_the_paper(number: object, value: object) -> None:
    assert value == number
