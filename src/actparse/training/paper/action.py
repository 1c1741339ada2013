"""Recipe "action" at full size: ip-CSN-152 on 32 x 2 frames of a whole video, initialised from IG-65M.

"action-ir" is ir-CSN-152 from Sports-1M, which the authors' challenge entry combines with it. CSN below is the public
recipe that fine-tunes CSN from IG-65M with frozen batch norms (mmaction2 0.x, 58 epochs).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from actparse.nets.clips.csn import Bottleneck, CsnConfig
from actparse.stages.actions.classifier import ClipConfig
from actparse.stages.inputs import InputNorm
from actparse.training.paper.readings import (
    BatchReading,
    Crop,
    Mirror,
    Pretraining,
    WarmUp,
    expect_ranges,
    samples_of_step,
)
from actparse.training.task import StepRule, TaskSettings

WARM_UP_COUNT = 16  # epochs or iterations
NORMS = {  # input norms of the public checkpoints. Source: VMZ's constants, in mmaction2's configs of CSN
    "ig65m": InputNorm(),
    "sports1m": InputNorm(mean=(110.2008, 100.63983, 95.99475), std=(58.14765, 56.46975, 55.332195)),
}


@dataclass(frozen=True, kw_only=True)
class ClipNumbers:
    """Hyperparameters of a video network's training and input; the defaults are those of ip-CSN-152."""

    batch_size: int = 4  # "a mini-batch of four on four V100 GPUs"
    num_gpus: int = 4
    # 4 on each GPU: linear scaling of CSN's 1.25e-4 at 24 gives 8.3e-5 at 16, the paper's rate, but 2.1e-5 at 4.
    batch: BatchReading = "per-gpu"
    epochs: int = 58
    learning_rate: float = 8e-5
    milestones: tuple[int, ...] = (32, 48)
    gamma: float = 0.1  # "decreased by a factor of 10"
    # "The first 16 iterations": CSN's setting is called warmup_iters=16 but counts epochs (warmup_by_epoch), and the
    # rate changes at every iteration; programs of 2022 and later change it once an epoch.
    warmup: WarmUp = "16-epochs-by-iteration"
    warmup_start: float = 0.1  # CSN; not in the paper
    momentum: float = 0.9
    nesterov: bool = True  # "by default ... for all models"; CSN has none
    weight_decay: float = 1e-4  # CSN: on every parameter that is trained
    max_gradient_norm: float = 40.0  # CSN; not in the paper
    dropout: float = 0.5  # CSN; not in the paper
    num_frames: int = 32  # "32 x 2"
    frame_stride: int = 2
    train_short_side: int = 256  # CSN: before the crop
    crop: Crop = "random-resized"  # CSN
    crop_size: int = 224  # CSN
    # CSN's pipeline mirrors half of the clips and does not change labels; "sides" also exchanges the sides in a paired
    # group's label if the result is one of the training labels, and "off" never mirrors. The paper does not discuss it.
    mirror: Mirror = "plain"
    num_clips: int = 7  # "the number of sampling clips as seven"
    test_short_side: int = 256  # "the shorter side ... to 256"; crops are not mentioned: the whole frame
    split_seed: int = 0  # division into 3,000 training and 809 held-out videos if the dataset has no split val; ours

    def __post_init__(self) -> None:
        clip_fields = ("num_frames", "frame_stride", "num_clips", "train_short_side", "crop_size", "test_short_side")
        expect_ranges(
            self,
            at_least_1=("batch_size", "num_gpus", "epochs", "milestones", *clip_fields),
            at_least_0=("weight_decay",),
            above_0=("learning_rate", "gamma", "max_gradient_norm"),
            below_1=("momentum", "dropout"),
            shares=("warmup_start",),
        )
        self.settings(), self.stage()  # check the remaining fields

    def settings(self) -> TaskSettings:
        """Return the settings for the training loop."""
        in_epochs = self.warmup != "16-iterations"
        return TaskSettings(
            batch_size=samples_of_step(self.batch, self.batch_size, self.num_gpus),
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            max_gradient_norm=self.max_gradient_norm,
            optimizer="sgd",
            momentum=self.momentum,
            nesterov=self.nesterov,
            undecayed="nothing",
            step_rule=StepRule(
                epochs=self.epochs,
                milestones=self.milestones,
                gamma=self.gamma,
                warmup_iterations=0 if in_epochs else WARM_UP_COUNT,
                warmup_epochs=WARM_UP_COUNT if in_epochs else 0,
                warmup_by_epoch=self.warmup == "16-epochs-by-epoch",
                warmup_start=self.warmup_start,
            ),
        )

    def stage(self) -> ClipConfig:
        """Return the settings of the trained network; the probabilities of the clips are averaged."""
        return ClipConfig(
            num_frames=self.num_frames,
            frame_stride=self.frame_stride,
            num_clips=self.num_clips,
            short_side=self.test_short_side,
        )


@dataclass(frozen=True, kw_only=True)
class CsnNumbers(ClipNumbers):
    """Hyperparameters of ip-CSN-152; the network for the action sees whole videos."""

    depth_blocks: tuple[int, int, int, int] = (3, 8, 36, 3)  # "ip-CSN-152"
    bottleneck: Bottleneck = "ip"
    pretraining: Pretraining = "ig65m"  # data of the initial file, which determines mean and deviation
    freeze_batch_norm: bool = True  # "we freeze the Batch Normalization (BN) layers in the backbone"

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_ranges(self, at_least_1=("depth_blocks",))

    def net(self, num_classes: int) -> CsnConfig:
        """Return the network's config."""
        return CsnConfig(
            num_classes=num_classes,
            num_blocks=self.depth_blocks,
            bottleneck=self.bottleneck,
            dropout=self.dropout,
            freeze_batch_norm=self.freeze_batch_norm,
        )

    def stage(self) -> ClipConfig:
        """Return the settings of the trained network; frames are normalised as in its pretraining."""
        return replace(super().stage(), norm=NORMS[self.pretraining])


@dataclass(frozen=True, kw_only=True)
class CsnIrNumbers(CsnNumbers):
    """Hyperparameters of ir-CSN-152 for the action of whole videos, used with ip-CSN-152 and trained like it."""

    bottleneck: Bottleneck = "ir"
    pretraining: Pretraining = "sports1m"
    # Weights of the two networks, ip first. Source: the authors' challenge report, which does not specify whether
    # logits are summed, or probabilities, as for clips.
    ensemble: tuple[float, float] | None = (7.0, 1.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_ranges(self, at_least_0=("ensemble",))
