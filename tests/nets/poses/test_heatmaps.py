from pathlib import Path

import numpy as np
import pytest
import torch

from actparse.core.errors import ConfigError, ShapeError
from actparse.core.vocabulary import KEYPOINT_FLIP
from actparse.nets.poses.heatmaps import (
    DecodeCodec,
    EncodeCodec,
    average_flipped,
    decode,
    encode,
    flip_back,
    heatmap_loss,
)

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize("size", ["64x48", "96x72"])
@pytest.mark.parametrize(
    ("name", "codec", "kernel"),
    [
        ("msra", "standard", 11),
        ("dark_k11", "dark", 11),
        ("dark_k17", "dark", 17),
        ("udp_k11", "udp", 11),
        ("udp_k17", "udp", 17),
    ],
)
def test_decoding_equals_the_reference(size: str, name: str, codec: DecodeCodec, kernel: int) -> None:
    golden = np.load(GOLDEN / f"heatmap_decode_{size}.npz")
    width, height = golden["input_size_wh"].tolist()
    heatmaps = torch.from_numpy(golden["heatmaps"])
    both = torch.stack((heatmaps, heatmaps.flip(0)))
    found = decode(both, input_size=(height, width), codec=codec, blur_kernel=kernel).numpy()
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[0], found[1, ::-1])
    np.testing.assert_array_equal(found[0, :, 2], golden["scores"])
    seen = golden["scores"] > 0
    np.testing.assert_allclose(found[0, seen, :2], golden[f"{name}_keypoints"][seen], rtol=0, atol=1e-3)
    assert (found[0, ~seen, :2] < 0).all()


@pytest.mark.parametrize("codec", ["msra", "unbiased", "udp"])
def test_encoding_equals_the_reference(codec: EncodeCodec) -> None:
    golden = np.load(GOLDEN / "heatmap_encode_64x48.npz")
    heatmaps, weights = encode(
        torch.from_numpy(golden["keypoints"]),
        torch.from_numpy(golden["visible"]),
        input_size=(256, 192),
        heatmap_size=(64, 48),
        sigma=float(golden["sigma"]),
        codec=codec,
    )
    step = int(golden["unbiased_channel_step"]) if codec == "unbiased" else 1
    np.testing.assert_array_equal(weights.numpy(), golden[f"{codec}_weights"])
    np.testing.assert_allclose(heatmaps[0, ::step].numpy(), golden[f"{codec}_heatmaps"], rtol=0, atol=1e-5)


def test_loss_equals_the_reference() -> None:
    golden = np.load(GOLDEN / "heatmap_encode_64x48.npz")
    targets = torch.from_numpy(golden["msra_heatmaps"])[None]
    loss = heatmap_loss(targets * 0.8 + 0.05, targets, torch.from_numpy(golden["msra_weights"]))
    assert loss.item() == pytest.approx(float(golden["mse_loss"]), rel=1e-5)


@pytest.mark.parametrize(
    ("encoding", "decoding", "error"),
    [("msra", "standard", 2.9), ("unbiased", "dark", 0.1), ("udp", "udp", 0.1)],
)
def test_what_is_encoded_is_decoded(encoding: EncodeCodec, decoding: DecodeCodec, error: float) -> None:
    rng = np.random.default_rng(0)
    keypoints = torch.from_numpy(rng.uniform(32, 96, (5, 17, 2)).astype(np.float32))
    heatmaps, _ = encode(keypoints, torch.ones(5, 17), input_size=(128, 128), heatmap_size=(32, 32), codec=encoding)
    found = decode(heatmaps, input_size=(128, 128), codec=decoding)
    keypoints = keypoints * (128 / 127 if decoding == "udp" else 1)  # as `points_to_image` takes them
    assert (found[..., :2] - keypoints).norm(dim=2).max() < error


def test_quarter_step_by_hand() -> None:
    heatmaps = torch.zeros(1, 1, 8, 8)
    heatmaps[0, 0, 4, 3], heatmaps[0, 0, 4, 4], heatmaps[0, 0, 3, 3] = 0.9, 0.5, 0.3
    assert decode(heatmaps, input_size=(32, 32)).flatten().tolist() == pytest.approx([13.0, 15.0, 0.9])


def test_flip_back_by_hand() -> None:
    heatmaps = torch.arange(17 * 3.0).reshape(1, 17, 1, 3)
    back = flip_back(heatmaps, shift=False)
    assert back[0, 1, 0].tolist() == heatmaps[0, KEYPOINT_FLIP[1], 0].tolist()[::-1]
    assert flip_back(heatmaps, shift=True)[0, 0, 0].tolist() == [2, 2, 1]
    assert torch.equal(flip_back(back, shift=False), heatmaps)
    assert torch.equal(average_flipped(back, heatmaps, shift=False), back)


@pytest.mark.parametrize("codec", ["standard", "dark", "udp"])
def test_a_flat_map_and_no_map(codec: DecodeCodec) -> None:
    assert decode(torch.zeros(0, 17, 32, 32), input_size=(128, 128), codec=codec).shape == (0, 17, 3)
    flat = decode(torch.zeros(1, 2, 32, 32), input_size=(128, 128), codec=codec)
    assert (flat[..., :2] < 0).all()
    assert torch.isfinite(decode(torch.ones(1, 2, 32, 32), input_size=(128, 128), codec=codec)).all()


def test_no_keypoints_make_no_maps() -> None:
    heatmaps, weights = encode(torch.zeros(0, 17, 2), torch.zeros(0, 17), input_size=(64, 64), heatmap_size=(16, 16))
    assert heatmaps.shape == (0, 17, 16, 16)
    assert weights.shape == (0, 17)


def test_errors() -> None:
    with pytest.raises(ConfigError, match="codec must be one of standard, dark, udp, got 'msra'"):
        decode(torch.zeros(1, 1, 4, 4), input_size=(16, 16), codec="msra")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="codec must be 'msra', 'unbiased' or 'udp', got 'dark'"):
        encode(
            torch.zeros(1, 1, 2),
            torch.zeros(1, 1),
            input_size=(16, 16),
            heatmap_size=(4, 4),
            codec="dark",  # type: ignore[arg-type]
        )
    with pytest.raises(ConfigError, match="blur_kernel must be odd and at least 1, got 4"):
        decode(torch.zeros(1, 1, 4, 4), input_size=(16, 16), blur_kernel=4)
    with pytest.raises(ShapeError, match="heatmaps must have shape"):
        decode(torch.zeros(1, 4, 4), input_size=(16, 16))
    with pytest.raises(ShapeError, match="visible must have shape"):
        encode(torch.zeros(1, 2, 2), torch.zeros(1, 3), input_size=(16, 16), heatmap_size=(4, 4))
