from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from actparse.core.errors import ConfigError
from actparse.nets.detectors.yolof import Yolof, YolofConfig
from actparse.nets.resnet import ResNetConfig
from actparse.stages.people.persons import PersonsConfig, YolofPersons
from actparse.video.resizing import fit_size

GOLDEN = Path(__file__).parents[2] / "golden"


def detector(*, stem_pool: bool = False, **settings: float) -> YolofPersons:
    torch.manual_seed(0)
    backbone = ResNetConfig(block="basic", num_blocks=(1, 1, 1, 1), widths=(8,) * 4, stem_width=8, stem_pool=stem_pool)
    config = YolofConfig(backbone=backbone, num_classes=1, encoder_channels=16, encoder_mid=8, prior_score=0.5)
    settings = {"short_side": 64, "long_side": 128, "min_score": 0.0} | settings
    return YolofPersons(Yolof(config).eval(), PersonsConfig(**settings))


@pytest.mark.parametrize("size", [(120, 160), (480, 270), (33, 200)], ids=["wide", "tall", "very wide"])
def test_boxes_come_back_in_the_frame(size: tuple[int, int]) -> None:
    images = [np.random.default_rng(n).integers(0, 255, (*size, 3), dtype=np.uint8) for n in range(3)]
    found = detector().detect(images)
    assert len(found) == 3
    for persons in found:
        assert 0 < len(persons) <= 10
        assert (persons.boxes >= 0).all()
        assert (persons.boxes <= [size[1] + 1e-3, size[0] + 1e-3] * 2).all()
        assert (np.diff(persons.scores) <= 0).all()


def test_a_batch_equals_its_images() -> None:
    images = [np.random.default_rng(n).integers(0, 255, (64, 96, 3), dtype=np.uint8) for n in range(2)]
    together, alone = detector().detect(images), [detector().detect([image])[0] for image in images]
    for a, b in zip(together, alone, strict=True):
        assert np.allclose(a.boxes[:3], b.boxes[:3], atol=1.0)  # bfloat16 where the processor has it


def test_limits() -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    assert len(detector(min_score=1.0).detect([image])[0]) == 0
    assert len(detector(max_persons=2).detect([image])[0]) == 2
    assert detector().detect([]) == []


def test_input_sizes_equal_the_public_ones() -> None:
    for width, height, new_width, new_height, *padded in np.load(GOLDEN / "detector_resize.npz")["table"].tolist():
        assert fit_size((height, width), 800, 1333) == (new_height, new_width)
        assert PersonsConfig().input_shape((height, width), 32) == (3, *padded[::-1])


def test_inputs_equal_the_public_ones() -> None:
    golden = np.load(GOLDEN / "detector_preprocess.npz")
    y, x, c = np.ogrid[: golden["image_hw"][0], : golden["image_hw"][1], :3]
    bgr = np.rint(127.5 + 60 * np.sin(x / 17 + c + float(golden["phase"])) + 60 * np.cos(y / 23 - c)).astype(np.uint8)
    batch, size = detector(stem_pool=True, short_side=800, long_side=1333).inputs(
        [np.ascontiguousarray(bgr[..., ::-1])]
    )
    assert batch.shape == tuple(golden["tensor_shape"])
    assert size == tuple(golden["resized_hw"])
    pixels = batch.numpy()
    np.testing.assert_allclose(pixels[:, :, ::16, ::16], golden["sub"], rtol=0, atol=1.01)
    stats = [pixels.mean(dtype=np.float64), pixels.std(dtype=np.float64), np.abs(pixels).sum(dtype=np.float64)]
    np.testing.assert_allclose(stats, golden["stats"], rtol=1e-3)


def test_a_wrong_field_is_named() -> None:
    with pytest.raises(ConfigError, match=r"persons\.short_side must be 1\.\.long_side"):
        PersonsConfig(short_side=2000)


def test_the_second_search_is_in_smaller_frames() -> None:
    config = PersonsConfig(short_side=240, long_side=432, second_share=0.6)
    second = config.second_config()
    assert (second.short_side, second.long_side, second.second_share) == (144, 259, 0.0)
    with pytest.raises(ConfigError, match=r"persons\.second_share must be at least 0 and less than 1, got 1"):
        PersonsConfig(second_share=1)
