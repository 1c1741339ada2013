"""A log for TensorBoard: loss terms, learning rate and held-out metrics by step."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from actparse.training.loop.callbacks import Watched
from actparse.training.options import TrainOptions


class TensorBoardLog(Callback):
    """Writes the losses and the rate of every `every_steps`th step, and held-out metrics.

    When a run resumes, the steps after its checkpoint are removed.
    """

    def __init__(self, folder: Path, every_steps: int) -> None:
        self.folder, self.every_steps = folder, every_steps
        self.writer: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Open the log."""
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(self.folder), purge_step=trainer.global_step + 1)

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *args: Any) -> None:
        """Write the values of this step if they are due."""
        assert isinstance(pl_module, Watched)
        step = trainer.global_step
        for name, value in pl_module.last_figures.items():
            self.writer.add_scalar(f"held_out/{name}", value, step)
        if step % self.every_steps and step != trainer.max_steps:
            return
        for term, value in pl_module.last_losses.items():
            self.writer.add_scalar(f"loss/{term}", value, step)
        self.writer.add_scalar("learning_rate", pl_module.learning_rate, step)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Close the log."""
        self.writer.close()


def tensorboard_callbacks(folder: Path, options: TrainOptions) -> list[Callback]:
    """Return the callback of the log; if TensorBoard is not installed, report that and return none."""
    try:
        import torch.utils.tensorboard  # noqa: F401
    except ImportError:
        options.report("no log for TensorBoard: it is not installed (pip install 'actparse[train]')")
        return []
    return [TensorBoardLog(folder, options.log_every)]
