"""Heat maps of keypoints: encoding of targets, decoding with sub-pixel accuracy, and averaging with mirrored crops.

Pixels of the crop are counted from the centre of the first one, as in the public networks.
Sources: Xiao et al., Simple Baselines, 2018 ("msra", "standard"); Zhang et al., DARK, 2020 ("unbiased", "dark");
Huang et al., The Devil Is in the Details: Unbiased Data Processing, 2020 ("udp").
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from actparse.core.errors import ConfigError, expect_shape
from actparse.core.vocabulary import KEYPOINT_FLIP

EncodeCodec = Literal["msra", "unbiased", "udp"]
DecodeCodec = Literal["standard", "dark", "udp"]
Size = tuple[int, int]  # (height, width)

WINDOW_SIGMAS = 3.0  # sigmas, radius of a Gaussian and largest distance of a keypoint outside the map
ABSENT = -1.0  # cell of a keypoint whose map has no value above 0
VISIBILITY_WEIGHTS = (0.0, 0.6, 1.0)  # in training, of an absent, a hidden and a visible keypoint


def encode(
    keypoints: Tensor,
    visible: Tensor,
    *,
    input_size: Size,
    heatmap_size: Size,
    sigma: float = 2.0,
    codec: EncodeCodec = "msra",
) -> tuple[Tensor, Tensor]:
    """Compute target maps with a Gaussian of height 1 at each keypoint.

    Args:
        keypoints: (N, K, 2) x, y, pixels of the crop.
        visible: (N, K), below 0.5 for a missing keypoint.
        input_size: (H, W) of the crop, pixels.
        heatmap_size: (h, w), cells.
        sigma: cells.
        codec: "msra" centres on a cell, "unbiased" and "udp" between cells.

    Returns:
        Heat maps (N, K, h, w) float32, 0 for keypoints that do not count, and weights (N, K) float32: `visible`, and 0
        for keypoints too far outside.

    Raises:
        ConfigError: the codec is unknown.
        ShapeError: `keypoints` and `visible` do not fit each other.
    """
    if codec not in ("msra", "unbiased", "udp"):
        raise ConfigError(f"codec must be 'msra', 'unbiased' or 'udp', got {codec!r}")
    expect_shape("keypoints", keypoints, (None, None, 2))
    expect_shape("visible", visible, tuple(keypoints.shape[:2]))
    exact = keypoints.float() / _pixels_per_cell(input_size, heatmap_size, codec, keypoints.device)  # (N, K, 2)
    rounded = (exact + 0.5).trunc()  # (N, K, 2)
    middle = exact if codec == "unbiased" else rounded
    reach = WINDOW_SIGMAS * sigma
    near = ((middle - reach < _wh(heatmap_size, exact)) & (middle + reach + 1 >= 0)).all(dim=2)  # (N, K)
    weights = visible.float() * near  # (N, K)
    center = rounded if codec == "msra" else exact
    window = None if codec == "unbiased" else rounded
    across, down = (
        _profile(length, center[..., axis], None if window is None else window[..., axis], sigma)
        for axis, length in enumerate(heatmap_size[::-1])
    )  # (N, K, w), (N, K, h)
    heatmaps = down[..., None] * across[..., None, :]  # (N, K, h, w)
    return heatmaps * (weights >= 0.5)[..., None, None], weights


@torch.no_grad()
def decode(heatmaps: Tensor, *, input_size: Size, codec: DecodeCodec = "standard", blur_kernel: int = 11) -> Tensor:
    """Locate each map's peak with sub-cell accuracy.

    Args:
        heatmaps: (N, K, h, w).
        input_size: (H, W) of the crop, pixels.
        codec: "standard" moves a quarter cell to the higher neighbour; "dark" and "udp" fit a Gaussian to the blurred
            map.
        blur_kernel: cells, odd; for "dark" and "udp".

    Returns:
        (N, K, 3) float32 x, y, pixels of the crop, and the peak's value. A map without a value above 0
        has its peak at cell (-1, -1).

    Raises:
        ConfigError: the codec is unknown, or the kernel even or below 1.
        ShapeError: `heatmaps` is not (N, K, h, w).
    """
    if codec not in _REFINEMENTS:
        raise ConfigError(f"codec must be one of {', '.join(_REFINEMENTS)}, got {codec!r}")
    if blur_kernel < 1 or blur_kernel % 2 == 0:
        raise ConfigError(f"blur_kernel must be odd and at least 1, got {blur_kernel}")
    expect_shape("heatmaps", heatmaps, (None, None, None, None))
    num_rows, num_keypoints, height, width = heatmaps.shape
    if num_rows == 0 or num_keypoints == 0:
        return heatmaps.new_zeros((num_rows, num_keypoints, 3), dtype=torch.float32)
    maps = heatmaps.float().flatten(0, 1)  # (M, h, w), M = N * K
    scores, peaks = maps.flatten(1).max(dim=1)  # (M,), (M,)
    x, y = peaks % width, peaks // width  # (M,), (M,)
    cells = torch.stack((x, y), dim=1) + _REFINEMENTS[codec](maps, x, y, blur_kernel)  # (M, 2)
    cells = torch.where(scores[:, None] > 0, cells, ABSENT)
    if codec == "udp":
        # W, not W - 1: `crops.points_to_image` divides by W
        scale = _wh(input_size, maps) / (_wh((height, width), maps) - 1)  # (2,)
    else:
        scale = _wh(input_size, maps) / _wh((height, width), maps)  # (2,)
    return torch.cat((cells * scale, scores[:, None]), dim=1).reshape(num_rows, num_keypoints, 3)


def flip_back(heatmaps: Tensor, *, shift: bool) -> Tensor:
    """Mirror the heat maps (N, 17, h, w) of mirrored crops back and swap left and right keypoints.

    `shift` moves them one cell to the right, as the standard and DARK networks require, but not UDP's.
    """
    flipped = heatmaps.flip(-1)[:, list(KEYPOINT_FLIP)]
    return torch.cat((flipped[..., :1], flipped[..., :-1]), dim=-1) if shift else flipped


def average_flipped(heatmaps: Tensor, mirrored: Tensor, *, shift: bool) -> Tensor:
    """Return the mean of the heat maps (N, 17, h, w) of crops and those of the mirrored crops."""
    return (heatmaps + flip_back(mirrored, shift=shift)) * 0.5


def heatmap_loss(heatmaps: Tensor, targets: Tensor, weights: Tensor) -> Tensor:
    """Return the mean of weight x squared error () over all cells of maps and targets (N, K, h, w); weights (N, K)."""
    return ((heatmaps.float() - targets) ** 2 * weights[..., None, None]).mean()


def _profile(length: int, center: Tensor, window: Tensor | None, sigma: float) -> Tensor:
    """Return Gaussians (N, K, length) on one axis around centers (N, K), 0 outside windows around cells (N, K)."""
    cells = torch.arange(length, device=center.device)  # (length,)
    profile = torch.exp(-((cells - center[..., None]) ** 2) / (2 * sigma**2))  # (N, K, length)
    return profile if window is None else profile * ((cells - window[..., None]).abs() <= WINDOW_SIGMAS * sigma)


def _pixels_per_cell(input_size: Size, heatmap_size: Size, codec: EncodeCodec, device: torch.device) -> Tensor:
    offset = 1 if codec == "udp" else 0  # UDP measures from the first cell's centre to the last one's
    steps = [(pixels - offset) / (cells - offset) for pixels, cells in zip(input_size, heatmap_size, strict=True)]
    return torch.tensor(steps[::-1], device=device)  # (2,) x, y


def _wh(size: Size, like: Tensor) -> Tensor:
    return like.new_tensor(size[::-1])


def _quarter_step(maps: Tensor, x: Tensor, y: Tensor, blur_kernel: int) -> Tensor:
    """Return a quarter cell (M, 2) to the higher neighbour; 0 at the border, which is one cell wider on one side."""
    height, width = maps.shape[1:]
    around = _around(maps, x, y)  # (M, 5, 5)
    slope = torch.stack((around[:, 2, 3] - around[:, 2, 1], around[:, 3, 2] - around[:, 1, 2]), dim=1)  # (M, 2)
    inside_x = (x > 1) & (x < width - 1) & (y > 0)
    inside_y = (y > 1) & (y < height - 1) & (x > 0)
    return 0.25 * slope.sign() * torch.stack((inside_x, inside_y), dim=1)


def _dark_step(maps: Tensor, x: Tensor, y: Tensor, blur_kernel: int) -> Tensor:
    """Return Newton's step (M, 2) on the blurred map's logarithm, with curvature over two cells; 0 near borders."""
    height, width = maps.shape[1:]
    log = _around(_blur(maps, blur_kernel), x, y).clamp(min=1e-10).log()  # (M, 5, 5)
    dx = (log[:, 2, 3] - log[:, 2, 1]) / 2
    dy = (log[:, 3, 2] - log[:, 1, 2]) / 2
    dxx = (log[:, 2, 4] - 2 * log[:, 2, 2] + log[:, 2, 0]) / 4
    dyy = (log[:, 4, 2] - 2 * log[:, 2, 2] + log[:, 0, 2]) / 4
    dxy = (log[:, 3, 3] - log[:, 1, 3] - log[:, 3, 1] + log[:, 1, 1]) / 4
    inside = (x > 1) & (x < width - 2) & (y > 1) & (y < height - 2)
    usable = inside & (dxx * dyy - dxy**2 != 0)
    return torch.where(usable[:, None], _newton_step(dx, dy, dxx, dyy, dxy), 0.0)


def _udp_step(maps: Tensor, x: Tensor, y: Tensor, blur_kernel: int) -> Tensor:
    """Return Newton's step (M, 2) on the blurred map's logarithm, with curvature over one cell, also at borders."""
    log = _around(_blur(maps, blur_kernel), x, y).clamp(1e-3, 50).log()  # (M, 5, 5)
    center, right, left, below, above = log[:, 2, 2], log[:, 2, 3], log[:, 2, 1], log[:, 3, 2], log[:, 1, 2]
    dx, dy = (right - left) / 2, (below - above) / 2
    dxy = (log[:, 3, 3] - right - below + 2 * center - left - above + log[:, 1, 1]) / 2
    tiny = torch.finfo(torch.float32).eps
    return _newton_step(dx, dy, right - 2 * center + left + tiny, below - 2 * center + above + tiny, dxy)


_REFINEMENTS: dict[str, Callable[[Tensor, Tensor, Tensor, int], Tensor]] = {
    "standard": _quarter_step,
    "dark": _dark_step,
    "udp": _udp_step,
}


def _newton_step(dx: Tensor, dy: Tensor, dxx: Tensor, dyy: Tensor, dxy: Tensor) -> Tensor:
    """Return minus the inverse Hessian times the gradient, (M, 2), from derivatives (M,)."""
    determinant = dxx * dyy - dxy**2
    return torch.stack((dxy * dy - dyy * dx, dxy * dx - dxx * dy), dim=1) / determinant[:, None]


def _around(maps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return the cells (M, 5, 5) around one cell of each map (M, h, w); beyond the border its cells repeat."""
    steps = torch.arange(-2, 3, device=maps.device)  # (5,)
    y_indices = (y[:, None] + steps).clamp(0, maps.shape[1] - 1)[:, :, None]  # (M, 5, 1)
    x_indices = (x[:, None] + steps).clamp(0, maps.shape[2] - 1)[:, None, :]  # (M, 1, 5)
    return maps[torch.arange(len(maps), device=maps.device)[:, None, None], y_indices, x_indices]


def _blur(maps: Tensor, kernel: int) -> Tensor:
    """Blur maps (M, h, w) with a Gaussian, 0 beyond the border, and restore each map's maximum."""
    height, width = maps.shape[1:]
    down, across = (_blur_matrix(length, kernel, maps) for length in (height, width))  # (h, h), (w, w)
    blurred = down @ maps @ across  # (M, h, w)
    return blurred * (maps.amax(dim=(1, 2), keepdim=True) / blurred.amax(dim=(1, 2), keepdim=True))


def _blur_matrix(length: int, kernel: int, like: Tensor) -> Tensor:
    """Return the blur along one axis as a symmetric matrix; on small maps this is faster than a convolution."""
    half = kernel // 2
    sigma = 0.3 * (half - 1) + 0.8  # Source: OpenCV, getGaussianKernel of sigma 0
    taps = torch.exp(-((torch.arange(kernel, dtype=torch.float64) - half) ** 2) / (2 * sigma**2))  # (kernel,)
    cells = torch.arange(length)
    offsets = cells[None] - cells[:, None] + half  # (length, length)
    inside = (offsets >= 0) & (offsets < kernel)
    matrix = (taps / taps.sum())[offsets.clamp(0, kernel - 1)] * inside  # (length, length)
    return matrix.to(like)
