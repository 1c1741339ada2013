"""Configs of the tiny networks, which train and run on one processor core, and settings of the stages that use them."""

from __future__ import annotations

from dataclasses import replace

from actparse.core.vocabulary import PARTS
from actparse.nets.baseline import BaselineConfig
from actparse.nets.clips.csn import CsnConfig
from actparse.nets.clips.tsn import TsnConfig
from actparse.nets.detectors.yolof import YolofConfig
from actparse.nets.part_regression import PartRegressionConfig
from actparse.nets.poses.hrnet import HrnetConfig, SideBranchConfig
from actparse.nets.resnet import ResNetConfig
from actparse.nets.tracks import TrackConfig
from actparse.stages.actions.baseline import BaselineSettings
from actparse.stages.actions.classifier import ClipConfig
from actparse.stages.actions.clip_inputs import FlowInput
from actparse.stages.actions.tracks import TracksConfig
from actparse.stages.inputs import InputNorm
from actparse.stages.people.objects import ObjectsConfig
from actparse.stages.people.part_fusion import PartFusionConfig
from actparse.stages.people.persons import PersonsConfig
from actparse.stages.people.poses import PosesConfig
from actparse.video.flow import FAST_TVL1

NORM = InputNorm()  # RGB, mean and standard deviation of photographs

PERSONS_NET = YolofConfig(
    backbone=ResNetConfig(
        block="basic",
        num_blocks=(1, 2, 2),
        widths=(32, 64, 96),
        stem_width=16,
        stem_kernel=3,
        stem_pool=False,
        strides=(2, 2, 2),
        dilations=(1, 1, 1),
    ),  # stride 16
    num_classes=1,
    anchor_sizes=(32, 64, 128, 224),
    anchor_offset=0.5,
    encoder_channels=96,
    encoder_mid=48,
    dilations=(1, 2, 3, 4),
    num_cls_convs=1,
    num_reg_convs=2,
    max_center_shift=24.0,
)
PERSONS_STAGE = PersonsConfig(
    short_side=240, long_side=432, min_score=0.15, max_iou=0.5, second_share=0.6, norm=NORM
)  # training shows people up to 240 pixels

# most objects are smaller than a person
OBJECTS_NET = replace(PERSONS_NET, anchor_sizes=(16, 32, 64, 128))  # `num_classes` is set from the training data
OBJECTS_STAGE = ObjectsConfig(short_side=240, long_side=432, min_score=0.15, max_iou=0.5, norm=NORM)

PARTS_NET = replace(
    PERSONS_NET,
    backbone=replace(PERSONS_NET.backbone, strides=(2, 2, 1), dilations=(1, 1, 2)),  # stride 8
    num_classes=len(PARTS),
    anchor_sizes=(10, 20, 40, 80),
    dilations=(1, 2, 4, 6),
    max_center_shift=12.0,
)
PART_REGRESSION_NET = PartRegressionConfig(width=256, num_layers=3, dropout=0.0)
PART_FUSION_STAGE = PartFusionConfig()

CLIPS_NET = CsnConfig(
    num_blocks=(1, 2, 3, 2),
    widths=(48, 96, 256, 512),
    mid_widths=(32, 48, 128, 256),  # multiples of 16: other widths train at half the speed
    temporal_strides=(1, 1, 2, 2),
    stem_width=16,
    stem_kernel=(3, 5, 5),
    stem_stride=(2, 2, 2),
    dropout=0.3,
)  # `num_classes` is set to the number of labels in the training data
CLIPS_STAGE = ClipConfig(
    num_frames=12, frame_stride=1, num_clips=7, rule="legacy", frame_rate=5.0, short_side=72, norm=NORM
)  # 2.4 s, so that several clips fit in a segment of 3 s
TRACK_CLIPS_STAGE = replace(  # a segment of 3 s; frames of SynthTPS are annotated every half second
    CLIPS_STAGE, num_frames=6, frame_rate=2.0, num_clips=1, along_tracks=True
)

TSN_NET = TsnConfig(
    block="basic",
    num_blocks=(1, 1, 2, 2),
    widths=(32, 64, 96, 160),
    mid_widths=(32, 64, 96, 160),
    stem_width=24,
    stem_kernel=5,
    stem_pool=False,
    dropout=0.3,
)
TSN_RGB_STAGE = replace(CLIPS_STAGE, num_frames=3, frame_stride=4)  # three frames over the duration of a clip
TSN_FLOW = FlowInput(num_fields=3, tvl1=FAST_TVL1)
TSN_FLOW_NET = replace(TSN_NET, in_channels=2 * TSN_FLOW.num_fields, strides=(1, 2, 2, 1))  # flow is half as large
TSN_FLOW_STAGE = replace(CLIPS_STAGE, num_frames=3 * TSN_FLOW.run, flow=TSN_FLOW)

POSES_NET = HrnetConfig(
    width=16,
    num_modules=(1, 1, 2),  # two in the last stage, so that the side branch gets the processed coarsest branch
    num_blocks=2,
    stem_width=16,
    layer1_blocks=1,
    layer1_width=16,
    side_branch=SideBranchConfig(sigma=1.5),
)
POSES_STAGE = PosesConfig(
    size=(128, 128), padding=1.25, decoding="dark", blur_kernel=7, max_oks=0.6, min_score=0.15, norm=NORM
)

TRACKS_NET = TrackConfig()  # `num_actions` and `num_states` are set from the training data
TRACKS_STAGE = TracksConfig(action_share=0.4)  # best on the validation videos of the bundle `tiny` and 100 others
# The bundle for real people has no clip networks, and its part scores are low for parts outside the frame.
PEOPLE_TRACKS_STAGE = TracksConfig(action_share=1.0, confidence_floor=0.15, min_part_score=0.1)

BASELINE_NET = BaselineConfig(
    backbone=replace(
        PERSONS_NET.backbone,
        num_blocks=(1, 1, 2, 2),
        widths=(32, 64, 96, 128),
        strides=(2, 2, 2, 1),
        dilations=(1, 1, 1, 2),
    ),  # stride 16
    roi_channels=64,
    roi_size=3,
    width=160,
    dropout=0.3,
)  # `num_actions` and `num_states` are set from the training data
BASELINE_STAGE = BaselineSettings(short_side=240, norm=NORM)
