from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from actparse.core.errors import WeightsError
from actparse.nets.clips.csn import Csn, CsnConfig
from actparse.stages.actions.classifier import ClipConfig
from actparse.stages.loading import load_bundle
from actparse.stages.people.dots import DotsConfig
from actparse.stages.people.parts import PartsConfig
from actparse.weights.bundle import config_from_dict, config_to_dict, load_network, save_network


def small_csn() -> Csn:
    torch.manual_seed(0)
    config = CsnConfig(num_classes=3, num_blocks=(1, 1, 1, 1), widths=(8,) * 4, mid_widths=(4,) * 4, stem_width=4)
    return Csn(config).eval()


@pytest.mark.parametrize(
    "config",
    [
        PartsConfig(),
        PartsConfig(dots=None),
        PartsConfig(dots=DotsConfig(min_confidence=0.4)),
        ClipConfig(frame_rate=10.0),
    ],
    ids=["nested", "optional left out", "optional given", "number or none"],
)
def test_configs_survive_json(config: PartsConfig | ClipConfig) -> None:
    assert config_from_dict(type(config), config_to_dict(config)) == config


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"num_frame": 4}, "settings: unknown field 'num_frame'; known are"),
        ({"num_frames": 0}, "settings: clip.num_frames must be at least 1, got 0"),
        ({"norm": {"means": []}}, r"settings\.norm: unknown field 'means'"),
    ],
)
def test_wrong_settings_are_named(raw: dict[str, object], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        config_from_dict(ClipConfig, raw, name="settings")


def test_a_network_survives_its_file(tmp_path: Path) -> None:
    net, path = small_csn(), tmp_path / "action.safetensors"
    settings = config_to_dict(ClipConfig(num_frames=4))
    save_network(path, net, kind="action", settings=settings, labels={"labels": [["a"]]}, dtype=torch.float32)
    file = load_network(path)
    clips = torch.randn(1, 3, 4, 32, 32, generator=torch.Generator().manual_seed(1))
    assert torch.equal(file.net(clips), net(clips))
    assert (file.kind, file.settings, file.labels) == ("action", settings, {"labels": [["a"]]})
    assert not file.net.training
    assert [p.name for p in tmp_path.iterdir()] == ["action.safetensors"]


def test_half_precision_halves_the_file(tmp_path: Path) -> None:
    sizes = []
    for dtype in (torch.float32, torch.float16):
        save_network(tmp_path / "net.safetensors", small_csn(), kind="action", settings={}, dtype=dtype)
        sizes.append((tmp_path / "net.safetensors").stat().st_size)
        assert next(load_network(tmp_path / "net.safetensors").net.parameters()).dtype == torch.float32
    assert sizes[1] < sizes[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "no such weights file"), (b"", "needs a safetensors file"), (b"\xff" * 400, "needs a safetensors file")],
    ids=["missing", "empty", "noise"],
)
def test_a_broken_file_is_named(tmp_path: Path, content: bytes | None, message: str) -> None:
    path = tmp_path / "action.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(WeightsError, match=f"action.safetensors: {message}"):
        load_network(path)


def test_a_file_of_another_program_is_named(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="needs an actparse header"):
        load_network(tmp_path / "other.safetensors")


def test_an_unknown_bundle_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="needs a bundled name"):
        load_bundle(tmp_path / "nothing")
