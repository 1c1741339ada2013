from __future__ import annotations

import numpy as np
import pytest
import torch

from actparse.core.errors import ConfigError
from actparse.nets.detectors.yolof import Yolof, YolofConfig
from actparse.nets.resnet import ResNetConfig
from actparse.stages.people.persons import PersonsConfig, YolofPersons, resize


def detector(**settings: float) -> YolofPersons:
    torch.manual_seed(0)
    backbone = ResNetConfig(block="basic", num_blocks=(1, 1, 1, 1), widths=(8,) * 4, stem_width=8, stem_pool=False)
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


def test_resizing() -> None:
    image = np.zeros((40, 60, 3), np.uint8)
    assert resize(image, (60, 40)) is image
    assert resize(image, (20, 10)).shape == (10, 20, 3)


def test_a_wrong_field_is_named() -> None:
    with pytest.raises(ConfigError, match=r"persons\.short_side must be 1\.\.long_side"):
        PersonsConfig(short_side=2000)
