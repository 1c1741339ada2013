"""The mean of two networks: shared tensors are averaged, rows of labels that one lacks stay the tuned network's."""

from pathlib import Path

import pytest
import torch

from actparse.cli import main
from actparse.core.errors import ConfigError, WeightsError
from actparse.nets.poses.hrnet import Hrnet, HrnetConfig
from actparse.nets.tracks import TrackConfig, TrackNet
from actparse.weights.averaging import average_to_file
from actparse.weights.bundle import load_network, save_network

CONFIG = TrackConfig(num_actions=2, num_states=(2,) * 10, num_instants=5, width=8, dilations=(1,))


def tracks_file(path: Path, seed: int, *, states: tuple[str, str] = ("bend", "none")) -> Path:
    torch.manual_seed(seed)
    labels = {"actions": ["lunge", "push_up"], "states": [list(states)] * 10}
    save_network(path, TrackNet(CONFIG), kind="tracks", settings={}, labels=labels)
    return path


def test_shared_tensors_are_averaged(tmp_path: Path) -> None:
    start, tuned = tracks_file(tmp_path / "a.safetensors", 0), tracks_file(tmp_path / "b.safetensors", 1)
    out = tmp_path / "out.safetensors"
    assert main(["weights", "average", str(start), str(tuned), "--out", str(out), "--share", "0.25"]) == 0
    a, b, mean = (load_network(path).net.state_dict() for path in (start, tuned, out))
    for name, value in mean.items():
        if value.is_floating_point():
            torch.testing.assert_close(value, 0.75 * a[name] + 0.25 * b[name], atol=2e-3, rtol=2e-3)


def test_rows_of_other_labels_are_the_tuned_networks(tmp_path: Path) -> None:
    start = tracks_file(tmp_path / "a.safetensors", 0)
    tuned = tracks_file(tmp_path / "b.safetensors", 1, states=("hold", "none"))
    kept = average_to_file(start, tuned, tmp_path / "out.safetensors")
    assert kept == ("states.weight", "states.bias")
    mean = load_network(tmp_path / "out.safetensors")
    a, b, m = (load_network(p).net.state_dict()["states.weight"] for p in (start, tuned, tmp_path / "out.safetensors"))
    assert torch.equal(m[::2], b[::2])  # "hold", which the first network does not know
    torch.testing.assert_close(m[1::2], (a[1::2] + b[1::2]) / 2, atol=2e-3, rtol=2e-3)
    assert mean.labels["states"][0] == ["hold", "none"]


def test_what_cannot_be_averaged_is_named(tmp_path: Path) -> None:
    start = tracks_file(tmp_path / "a.safetensors", 0)
    with pytest.raises(ConfigError, match=r"share must be 0\.\.1, got 2"):
        average_to_file(start, start, tmp_path / "out.safetensors", share=2)
    config = HrnetConfig(width=8, num_modules=(1, 1, 1), num_blocks=1, stem_width=8, layer1_blocks=1, layer1_width=8)
    save_network(tmp_path / "poses.safetensors", Hrnet(config), kind="poses", settings={})
    with pytest.raises(WeightsError, match=r"needs a network of the architecture of .*, got TrackNet and Hrnet"):
        average_to_file(tmp_path / "poses.safetensors", start, tmp_path / "out.safetensors")
    assert not (tmp_path / "out.safetensors").exists()
