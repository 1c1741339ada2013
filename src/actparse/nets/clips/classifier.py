"""The last layer of the video networks."""

from __future__ import annotations

from torch import Tensor, nn


class ClassifierHead(nn.Module):
    """Dropout and one linear layer, named `fc_cls`."""

    def __init__(self, in_width: int, num_classes: int, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.fc_cls = nn.Linear(in_width, num_classes)
        nn.init.normal_(self.fc_cls.weight, std=0.01)
        nn.init.zeros_(self.fc_cls.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        """Map features (N, C) to logits (N, num_classes)."""
        logits: Tensor = self.fc_cls(self.dropout(pooled))  # (N, num_classes)
        return logits
