"""Initial weights: what has to match, and what stays random."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from actparse.core.errors import WeightsError
from actparse.nets.clips.csn import Csn, CsnConfig
from actparse.training.recipes import tiny
from actparse.training.runs.initial_weights import load_initial
from actparse.weights.bundle import save_network


def test_another_backbone_cannot_be_started_from(tmp_path: Path) -> None:
    small = CsnConfig(num_blocks=(1, 1, 1, 1), widths=(8,) * 4, mid_widths=(4,) * 4, stem_width=8)
    save_network(tmp_path / "a.safetensors", Csn(small), kind="action", settings={})
    with pytest.raises(WeightsError, match="cannot start from it: backbone"):
        load_initial(Csn(tiny.CLIPS_NET), tmp_path / "a.safetensors")


def test_a_classifier_of_other_labels_stays_fresh(tmp_path: Path) -> None:
    config = CsnConfig(num_blocks=(1, 1, 1, 1), widths=(8,) * 4, mid_widths=(4,) * 4, stem_width=8, num_classes=2)
    stored, net = Csn(config), Csn(config)
    labels = {"labels": [["lunge"], ["push_up"]]}
    save_network(tmp_path / "a.safetensors", stored, kind="action", settings={}, labels=labels, dtype=torch.float32)
    fresh = load_initial(net, tmp_path / "a.safetensors", labels={"labels": [["lunge"], ["deadlifting"]]})
    assert fresh == ("cls_head.fc_cls.weight", "cls_head.fc_cls.bias")
    assert load_initial(net, tmp_path / "a.safetensors", labels=labels) == ()
    assert torch.equal(net.cls_head.fc_cls.weight, stored.cls_head.fc_cls.weight)
