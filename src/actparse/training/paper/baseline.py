"""Recipe "baseline" at full size: the official baseline of Kinetics-TPS, ResNet-50 with RoIAlign and an MLP, and TSN.

Its only public description says: "ResNet-50", "RoIAlign on person, part and object boxes", "an MLP refines each part's
feature for its state", "pooled over parts and persons", "fused with TSN for the action"; about 80 % video accuracy, ROC
score 29.79. Its training is not described. TSN below is the public recipe (mmaction2, 1x1x3, RGB); "ours" marks a value
without any source. No object detector is described, so objects are not detected.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from actparse.core.errors import ConfigError
from actparse.core.vocabulary import PARTS
from actparse.nets.baseline import BaselineConfig, Pooling
from actparse.nets.resnet import resnet_config
from actparse.stages.actions.baseline import BaselineSettings
from actparse.training.paper.readings import expect_ranges
from actparse.training.task import StepRule, TaskSettings

REFERENCE_BATCH = 256  # TSN: 32 on each of 8 GPUs


@dataclass(frozen=True, kw_only=True)
class BaselineNumbers:
    """Hyperparameters of the baseline: network, training and input."""

    depth: int = 50  # "ResNet-50"
    roi_channels: int = 256  # ours
    roi_size: int = 7  # ours; as in Faster R-CNN
    sampling_ratio: int = 2  # ours; samples of a cell along each axis
    width: int = 1024  # ours; width of the MLP
    num_layers: int = 2  # ours; layers of the MLP
    pooling: Pooling = "mean"  # ours; "pooled over parts and persons" does not name the operation
    dropout: float = 0.4  # TSN
    states_weight: float = 1.0  # ours; weight of the states' loss; the action's loss has weight 1
    batch_size: int = REFERENCE_BATCH  # TSN; videos
    learning_rate: float = 0.01  # TSN, at 256; scaled to the batch
    epochs: int = 100  # TSN; an epoch sees each video once
    milestones: tuple[int, ...] = (40, 80)  # TSN
    gamma: float = 0.1  # TSN
    momentum: float = 0.9  # TSN
    nesterov: bool = False  # TSN; the paper's "for all models" does not include the baseline
    weight_decay: float = 1e-4  # TSN
    max_gradient_norm: float = 40.0  # TSN
    num_segments: int = 3  # TSN: frames of a video in one training sample
    train_size: tuple[int, int] = (256, 340)  # (height, width); TSN stored the frames of Kinetics in this size
    zoom: tuple[float, float] = (1.0, 1.5)  # TSN crops 1 to 0.66 of a frame's side; boxes move with the pixels
    max_shift: float = 0.08  # ours; fraction of the frame's sides
    mirror_share: float = 0.5  # TSN; left and right are exchanged in parts and states
    frame_stride: int = 5  # the evaluator scores every fifth frame
    test_short_side: int = 256  # TSN
    test_frames: int = 8  # ours; frames of one forward pass
    split_seed: int = 0  # division into 3,000 training and 809 held-out videos if the dataset has no split val; ours

    def __post_init__(self) -> None:
        counts = (
            "batch_size",
            "epochs",
            "milestones",
            "num_segments",
            "frame_stride",
            "test_short_side",
            "test_frames",
        )
        expect_ranges(
            self,
            at_least_1=(*counts, "train_size"),
            at_least_0=("states_weight", "weight_decay"),
            above_0=("learning_rate", "gamma", "max_gradient_norm", "zoom"),
            below_1=("momentum",),
            shares=("max_shift", "mirror_share"),
        )
        if self.zoom[0] > self.zoom[1]:
            raise ConfigError(f"train: zoom must be two numbers, the smaller first, got {self.zoom}")
        self.settings(), self.net(1, (1,) * len(PARTS))  # check the remaining fields

    def settings(self) -> TaskSettings:
        """Return the settings for the training loop."""
        return TaskSettings(
            batch_size=self.batch_size,
            learning_rate=self.learning_rate * self.batch_size / REFERENCE_BATCH,
            weight_decay=self.weight_decay,
            max_gradient_norm=self.max_gradient_norm,
            optimizer="sgd",
            momentum=self.momentum,
            nesterov=self.nesterov,
            undecayed="nothing",
            step_rule=StepRule(epochs=self.epochs, milestones=self.milestones, gamma=self.gamma),
        )

    def net(self, num_actions: int, num_states: tuple[int, ...]) -> BaselineConfig:
        """Return the network's config; `num_states` has one entry for each of the ten parts."""
        assert len(num_states) == len(PARTS)
        config = BaselineConfig(
            num_actions=num_actions,
            num_states=num_states,
            roi_channels=self.roi_channels,
            roi_size=self.roi_size,
            sampling_ratio=self.sampling_ratio,
            width=self.width,
            num_layers=self.num_layers,
            pooling=self.pooling,
            dropout=self.dropout,
        )
        return replace(config, backbone=resnet_config(self.depth))

    def stage(self) -> BaselineSettings:
        """Return the settings of the trained network."""
        return BaselineSettings(short_side=self.test_short_side, max_frames=self.test_frames)
