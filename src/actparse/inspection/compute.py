"""The computing of a parse: multiply-accumulates (MAC) of every network, for one input and for a whole video.

Only convolutions and matrix products are counted, as in the published values; a FLOP count is twice the MACs.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, Literal

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from actparse.core.errors import ConfigError
from actparse.core.text_tables import format_table
from actparse.core.vocabulary import GROUPS, PARTS
from actparse.nets import csn, hrnet, yolof
from actparse.nets.baseline import Baseline, FrameBoxes
from actparse.nets.clips.tsn import Tsn
from actparse.nets.detectors.yolof import YolofConfig
from actparse.stages.actions.classifier import Classifier, ClipConfig, StateRecognizer
from actparse.stages.loading import StageBundle
from actparse.stages.people.part_fusion import PartFusion
from actparse.stages.people.parts import PartDetector
from actparse.stages.people.poses import PosesConfig
from actparse.stages.people.second_looks import TwoSizePersons
from actparse.training.recipes.paper_clips import PaperCsn
from actparse.training.recipes.parts import PaperParts
from actparse.training.recipes.persons import PaperPersons
from actparse.video.flow import small_size
from actparse.video.resizing import fit_size
from actparse.video.segments import expect_segment_seconds, num_segments

TABLE_3_CROP = 224  # pixels; side of the clips that the paper seems to count
PAPER_NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "persons": partial(yolof, 101, 1),
    "poses": partial(hrnet, 48),
    "parts": partial(yolof, 101, len(PARTS)),
    "clips": partial(csn, 152),
}
MAX_SECONDS = 86_400.0  # length of a video: a day
MAX_FRAME_RATE = 10_000.0


@dataclass(frozen=True, kw_only=True)
class VideoShape:
    """The properties of a video and its sampling that determine how often the networks run."""

    seconds: float = 10.0
    frame_rate: float = 30.0  # frames per second
    size: tuple[int, int] = (240, 320)  # (height, width), pixels
    persons_per_frame: float = 2.0
    stride: int = 5  # frames from one frame with detection of persons and parts to the next
    segment_seconds: float = 3.0  # approximate; the video is divided into equal segments
    level: Literal["segment", "frame"] = "segment"  # unit that gets states: segments, or sampled frames with one clip

    def __post_init__(self) -> None:
        for name in ("seconds", "frame_rate", "stride", "segment_seconds"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"video.{name} must be greater than 0, got {getattr(self, name)}")
        if self.seconds > MAX_SECONDS:
            raise ConfigError(f"video.seconds must be at most {MAX_SECONDS:g}, a day, got {self.seconds}")
        if self.frame_rate > MAX_FRAME_RATE:
            raise ConfigError(f"video.frame_rate must be at most {MAX_FRAME_RATE:g}, got {self.frame_rate}")
        expect_segment_seconds(self.segment_seconds, "video.segment_seconds")
        if self.level not in ("segment", "frame"):
            raise ConfigError(f"video.level must be segment or frame, got {self.level!r}")
        if min(self.size) < 1:
            height, width = self.size
            raise ConfigError(f"video.size must be at least 1x1 pixel, got {width}x{height}")
        if not 0 <= self.persons_per_frame < math.inf:  # NaN compares false, so it is rejected too
            raise ConfigError(f"video.persons_per_frame must be at least 0 and finite, got {self.persons_per_frame}")

    @property
    def num_frames(self) -> int:
        """The number of frames in which persons are detected."""
        return -(-max(1, round(self.seconds * self.frame_rate)) // self.stride)

    @property
    def num_segments(self) -> int:
        """The number of segments, which have equal length."""
        return num_segments(self.seconds, self.segment_seconds)

    def num_state_clips(self, of_segment: int) -> int:
        """Return the number of clips that a state network sees, with `of_segment` clips in each segment."""
        return self.num_frames if self.level == "frame" else of_segment * self.num_segments


@dataclass(frozen=True)
class NetworkCost:
    """The computing of one network in a parse."""

    name: str  # "persons", "poses", "parts", "action", "states-head", ...
    input_shape: tuple[int, ...]  # shape of one forward pass, without the batch
    macs: int  # multiply-accumulates of one forward pass
    passes: float  # forward passes for the video

    @property
    def total_macs(self) -> float:
        """The multiply-accumulates for the whole video."""
        return self.macs * self.passes


def forward_macs(net: nn.Module, shape: Sequence[int]) -> int:
    """Count the multiply-accumulates of one forward pass.

    Args:
        net: any network; it is not changed, and as nothing is computed, counting is fast for any size.
        shape: shape of its input, batch first.
    """
    meta_net = copy.deepcopy(net).eval().to("meta")
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        meta_net(torch.empty(*shape, device="meta"))
    return int(counter.get_total_flops()) // 2


def bundle_costs(bundle: StageBundle, video: VideoShape) -> tuple[NetworkCost, ...]:
    """Count the computing of every network of a bundle on a video, in the order of the stages."""
    persons, poses = bundle.persons, bundle.poses
    parts = bundle.parts.detector if isinstance(bundle.parts, PartFusion) else bundle.parts
    boxes = video.num_frames * video.persons_per_frame
    costs = [
        _cost("persons", persons.net, persons.input_shape(video.size), video.num_frames),
        _cost("poses", poses.net, poses.input_shape, boxes * poses.num_passes),
    ]
    if isinstance(persons, TwoSizePersons):
        shape = persons.second.input_shape(video.size)
        costs.insert(1, _cost("persons-second-size", persons.net, shape, video.num_frames))
    if bundle.objects is not None:
        net, shape = bundle.objects.net, bundle.objects.input_shape(video.size)
        costs.append(_cost("objects", net, shape, video.num_frames))
    if isinstance(parts, PartDetector):
        costs.append(_cost("parts", parts.net, (3, parts.config.size, parts.config.size), boxes))
    if bundle.baseline is not None:
        costs += _baseline_costs(bundle.baseline.net, bundle.baseline.settings.resized(video.size), video)
    if bundle.action is not None:
        costs += _clip_costs("action", bundle.action, video, lambda num_clips: num_clips)
    if bundle.states is not None:
        costs += _states_costs(bundle.states, video)
    return tuple(costs)


def states_macs(states: StateRecognizer, video: VideoShape, *, crop: int | None = None) -> float:
    """Count the multiply-accumulates of the state networks on a video, the measure of Table III; a trunk counts once.

    Args:
        states: the networks of all part groups.
        video: the video.
        crop: side of square clips, pixels; None for the actual input size of the networks.
    """
    return sum(cost.total_macs for cost in _states_costs(states, video, crop=crop))


def _cost(name: str, net: nn.Module, shape: tuple[int, ...], passes: float) -> NetworkCost:
    return NetworkCost(name, shape, forward_macs(net, (1, *shape)), passes)


def _clip_costs(
    name: str,
    classifier: Classifier,
    video: VideoShape,
    passes: Callable[[int], float],
    *,
    crop: int | None = None,
    trunks: set[tuple[Any, ...]] | None = None,
) -> list[NetworkCost]:
    """Count the computing of each network of an ensemble; names of the second and later ones end with their position.

    Args:
        name: of the first network.
        classifier: the ensemble, or one network.
        video: the video.
        passes: converts the number of clips in a segment to the number of clips in the video.
        crop: side of square clips, pixels; None for whole frames.
        trunks: those whose features of the same clips have been computed; those of `classifier` are added. For a
            network that uses one of them only the last layer is counted.
    """
    costs, trunks = [], set() if trunks is None else trunks
    for position, (member, _) in enumerate(classifier.members, start=1):
        config = member.config if crop is None else replace(member.config, short_side=crop, crop=crop)
        member_name = name if position == 1 else f"{name} ({position})"
        trunk_key, num_passes = (member.net.backbone, config.sampling, member.reads), passes(config.num_clips)
        if trunk_key in trunks:
            costs.append(_cost(member_name, member.net.cls_head, (member.net.config.widths[-1],), num_passes))
        else:
            shape = clip_shape(config, video.size, frames_first=isinstance(member.net, Tsn))
            costs.append(_cost(member_name, member.net, shape, num_passes))
        trunks.add(trunk_key)
    return costs


def _states_costs(states: StateRecognizer, video: VideoShape, *, crop: int | None = None) -> list[NetworkCost]:
    trunks: set[tuple[Any, ...]] = set()
    tracks = video.persons_per_frame if states.along_tracks else 1

    def passes(num_clips: int) -> float:
        return tracks * video.num_state_clips(num_clips)

    return [
        cost
        for group, classifier in states.classifiers.items()
        for cost in _clip_costs(f"states-{group}", classifier, video, passes, crop=crop, trunks=trunks)
    ]


def _baseline_costs(net: Baseline, size: tuple[int, int], video: VideoShape) -> list[NetworkCost]:
    """Count the computing of the baseline for its frames, and for each person in them; its boxes of objects are not."""
    cpu_net = copy.deepcopy(net).eval().cpu()
    box = torch.tensor([0.0, 0.0, size[1], size[0]])
    macs = []
    for num_persons in (0, 1):  # really computed, as boxes need positions
        parts = box.expand(num_persons, len(PARTS), 4)
        person_frames = torch.zeros(num_persons, dtype=torch.int64)
        boxes = FrameBoxes.without_objects(box.expand(num_persons, 4), parts, person_frames)
        counter = FlopCounterMode(display=False)
        with counter, torch.no_grad():
            cpu_net.frame_features(torch.zeros(1, 3, *size), boxes)
        macs.append(int(counter.get_total_flops()) // 2)
    frame, with_person = macs
    persons = video.num_frames * video.persons_per_frame
    return [
        NetworkCost("baseline", (3, *size), frame, video.num_frames),
        NetworkCost("baseline, person", (1 + len(PARTS), 4), with_person - frame, persons),
    ]


def clip_shape(config: ClipConfig, size: tuple[int, int], *, frames_first: bool = False) -> tuple[int, ...]:
    """Return the shape of a network's input for a clip from a video with frames of `size`.

    Returns:
        (3, T, H, W), with `frames_first` (T, 3, H, W); with flow S stacks of fields (S, 2 * num_fields, h, w).
    """
    crop = config.short_side if config.along_tracks else config.crop
    height, width = (crop,) * 2 if crop else fit_size(size, config.short_side)
    if config.flow is not None:
        small = small_size((height, width), config.flow.tvl1.short_side)
        return config.num_frames // config.flow.run, 2 * config.flow.num_fields, *small
    return (config.num_frames, 3, height, width) if frames_first else (3, config.num_frames, height, width)


def paper_costs(video: VideoShape, *, crop: int | None = None) -> tuple[NetworkCost, ...]:
    """Count the full-size networks on a video: YOLOF-R101, HRNet-W48 at 384x288 with flip test, seven ip-CSN-152.

    Args:
        video: the video.
        crop: side of square clips, pixels; None for the clips that the networks are run on, whole frames. TABLE_3_CROP
            agrees best with the values that the paper prints, see docs/compute.md.
    """
    persons, parts, clips = PaperPersons().stage(), PaperParts().stage(), PaperCsn().stage()
    boxes = video.num_frames * video.persons_per_frame
    clip = clip_shape(clips if crop is None else replace(clips, short_side=crop, crop=crop), video.size)

    def cost(name: str, shape: tuple[int, ...], passes: float) -> NetworkCost:
        network = name if name in PAPER_NETWORKS else "clips"
        return NetworkCost(name, shape, _paper_macs(network, shape), passes)

    return (
        cost("persons", persons.input_shape(video.size, YolofConfig().stride), video.num_frames),
        cost("poses", (3, *PosesConfig().size), 2 * boxes),  # with the flip test
        cost("parts", (3, parts.size, parts.size), boxes),
        cost("action", clip, clips.num_clips),
        *(cost(f"states-{group}", clip, video.num_state_clips(clips.num_clips)) for group in GROUPS),
    )


@cache
def _paper_macs(network: str, shape: tuple[int, ...]) -> int:
    """Count the multiply-accumulates of a full-size network, once for each shape; to build it takes a second."""
    with torch.device("meta"):
        return forward_macs(PAPER_NETWORKS[network](), (1, *shape))


def all_states_macs(costs: Sequence[NetworkCost]) -> float:
    """Return the sum of the multiply-accumulates of the state networks."""
    return sum(cost.total_macs for cost in costs if cost.name.startswith("states-"))


def costs_as_text(costs: Sequence[NetworkCost]) -> str:
    """Format a table for a terminal, in G MAC and T FLOP."""
    rows: list[Sequence[str]] = [("network", "input", "G MAC", "passes", "T MAC", "T FLOP")]
    for cost in costs:
        shape = "x".join(map(str, cost.input_shape))
        rows.append((cost.name, shape, f"{cost.macs / 1e9:.3f}", f"{cost.passes:.1f}", *_in_tera(cost.total_macs)))
    rows.append(("all states", "", "", "", *_in_tera(all_states_macs(costs))))
    rows.append(("all", "", "", "", *_in_tera(sum(cost.total_macs for cost in costs))))
    return format_table(rows)


def _in_tera(macs: float) -> tuple[str, str]:
    """Return T MAC and T FLOP as text."""
    return f"{macs / 1e12:.4f}", f"{2 * macs / 1e12:.4f}"
