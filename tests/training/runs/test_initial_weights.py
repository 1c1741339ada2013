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
    fresh = load_initial(net, tmp_path / "a.safetensors", labels={"labels": [["pull_ups"], ["deadlifting"]]})
    assert fresh == ("cls_head.fc_cls.weight", "cls_head.fc_cls.bias")
    assert load_initial(net, tmp_path / "a.safetensors", labels=labels) == ()
    assert torch.equal(net.cls_head.fc_cls.weight, stored.cls_head.fc_cls.weight)


def test_a_new_label_starts_from_the_mean_of_the_stored_rows(tmp_path: Path) -> None:
    config = CsnConfig(num_blocks=(1, 1, 1, 1), widths=(8,) * 4, mid_widths=(4,) * 4, stem_width=8, num_classes=2)
    stored, net = Csn(config), Csn(config)
    torch.nn.init.constant_(stored.cls_head.fc_cls.bias, -5)  # a softmax does not see it, a random row would win
    labels = {"labels": [["lunge"], ["push_up"]]}
    save_network(tmp_path / "a.safetensors", stored, kind="action", settings={}, labels=labels, dtype=torch.float32)
    assert load_initial(net, tmp_path / "a.safetensors", labels={"labels": [["deadlifting"], ["push_up"]]}) == ()
    was, now = stored.cls_head.fc_cls, net.cls_head.fc_cls
    torch.testing.assert_close(now.weight, torch.stack((was.weight.mean(0), was.weight[1])))
    assert now.bias.tolist() == [-5, -5]


def test_labels_that_do_not_fit_the_file_are_an_error(tmp_path: Path) -> None:
    config = CsnConfig(num_blocks=(1, 1, 1, 1), widths=(8,) * 4, mid_widths=(4,) * 4, stem_width=8, num_classes=2)
    labels = {"labels": [["squat"], ["push_up"], ["lunge"]]}
    save_network(tmp_path / "a.safetensors", Csn(config), kind="action", settings={}, labels=labels)
    with pytest.raises(WeightsError, match="cannot start from it: its labels do not fit its layers"):
        load_initial(Csn(config), tmp_path / "a.safetensors", labels={"labels": [["lunge"], ["push_up"]]})
