"""Frame numbers in the names of images: only what can be a frame's number is one, and doubt is an error."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from actparse.core.errors import DataError
from actparse.core.words import readable

COUNTER_DIGITS = 4  # a number with this many digits and leading zeros is a counter
SUFFIX_OF_VIDEO = re.compile(r"\.[a-z0-9]{2,4}$", re.IGNORECASE)
SUFFIX = re.compile(r"[._](jpe?g|png|bmp|webp|tiff?)$", re.IGNORECASE)
NO_FRAME = re.compile(  # parts of a name with digits that are no frame's number
    r"""\.rf\.[0-9a-z]+$                                             # the hash that Roboflow appends
    | [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}   # a UUID
    | ^[0-9a-f]{8}-(?=.*\d)                                          # the hash that Label Studio puts in front
    | (?<![0-9a-z])(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{8,}(?![0-9a-z])                          # another hash
    | (?<!\d)(19|20)\d\d([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])                             # a date ...
      ([t_\ -]?([01]\d|2[0-3])[-_.:h]?[0-5]\d[-_.:m]?[0-5]\d)?(?!\d)                               # ... and a time
    | (?<![0-9a-z])\d+\ ?x\ ?\d+(?![0-9a-z])                         # a resolution
    | (?<![0-9a-z])\d+([.,]\d+)?\ ?(p|i|k|fps|hz|khz|ms|s|secs?|min|m|h|mb|px|x|bit|deg|mm|cm|kg)(?![0-9a-z])
    | (?<![0-9a-z])\d+[.,]\d+(?![0-9a-z])                            # seconds
    | (?<![a-z])(cam(era)?|view|take|person|player|subj(ect)?|track|trial|sess(ion)?|id)\d+(?![0-9a-z])
    | (?<![a-z])[vpsc]\d{1,3}(?![0-9a-z])
    | (?<![a-z])(cam(era)?|view|take|person|player|subj(ect)?|track|trial|sess(ion)?|id|sub|clip|vid(eo)?|scene|shot
        |part|set|rep|run|crop|angle|dev(ice)?|gopro|ch|job|task|fold|day|week|copy|ver(sion)?)
      [_\ -]?(?!0\d{3})\d{1,3}(?![0-9a-z])                           # a camera, a person ...
    | \ ?\(\d+\)$                                                    # a copy
    """,
    re.IGNORECASE | re.VERBOSE,
)
FRAME_WORD = re.compile(r"(?<![a-z])(?:frames?|frm)[\s_\-#.]*(\d{1,7})(?![0-9a-z])", re.IGNORECASE)  # more: an id
LONE = re.compile(r"(?<![0-9a-z])\d{1,7}(?![0-9a-z])", re.IGNORECASE)
AFTER_WORD = re.compile(
    r"(?<![a-z])(?:fr?|img|image|im|pic|picture|photo|out|output|thumb|still|snap(?:shot)?|screenshot|cap(?:ture)?)"
    r"(\d{1,7})(?![0-9a-z])|[a-z](0\d{3,6})(?![0-9a-z])",
    re.IGNORECASE,
)


def frame_numbers(files: Mapping[str, str], video: str) -> dict[str, int]:
    """Return the number in the name of each image of one video.

    A number after "frame" counts, else the only lone number, else the one that tells the video's images apart or is
    padded with zeros. Dates, resolutions, hashes, cameras and the video's own name are not frames' numbers.

    Args:
        files: location for messages -> name of the image's file.
        video: name of the video.

    Raises:
        DataError: a name has no number that can be the frame, or several.
    """
    choices = {location: _candidates(file, video) for location, file in files.items()}
    texts = [options for options in choices.values() if len(options) > 1]
    varying: set[int] = set()
    if len({len(options) for options in texts}) == 1 and len(texts) > 1:
        varying = {position for position, values in enumerate(zip(*texts, strict=True)) if len(set(values)) > 1}
    results = {}
    for location, options in choices.items():
        likely = options
        if len(options) > 1:
            counters = {n for n, text in enumerate(options) if len(text) >= COUNTER_DIGITS and text.startswith("0")}
            likely = [
                options[position] for position in varying | (counters if len(counters) == 1 or not varying else set())
            ]
        file = readable(files[location])
        if not options:
            raise DataError(f"{location}: needs a frame_index, or a number in its file_name, got {file!r}")
        if len(likely) != 1:
            got = f"{file!r}, where {' or '.join(options[:4])} may be the frame"
            raise DataError(f"{location}: needs a frame_index, or one number in its file_name, got {got}")
        results[location] = int(likely[0])
    return results


def _candidates(file: str, video: str) -> list[str]:
    """Return the numbers in an image's name that may be the frame's."""
    stem = SUFFIX.sub("", re.sub(r"\.rf\.[0-9a-z]+$", "", PurePosixPath(file).stem, flags=re.IGNORECASE))
    name = PurePosixPath(video).stem if SUFFIX_OF_VIDEO.search(video) else video
    start = re.match(rf"([0-9a-f]{{8}}-)?{re.escape(name)}(?![a-z]|(?<=\d)\d)", stem, re.IGNORECASE) if name else None
    rest = stem[start.end() :] if start else ""
    rest = NO_FRAME.sub(" ", rest if re.search(r"\d", rest) else stem)
    words = FRAME_WORD.findall(rest)
    if words:
        return list(words)
    return LONE.findall(rest) or [first or second for first, second in AFTER_WORD.findall(rest)]


def video_of(file: str, videos: Collection[str]) -> str | None:
    """Return the name of an image's video: a folder in its path, else the start of its name, else its folder.

    Args:
        file: path of the image, with forward slashes.
        videos: names of the videos, without suffix.

    Returns:
        None if the path has no folder and its name does not start with the name of a video.
    """
    path = PurePosixPath(file)
    for folder in reversed(path.parts[:-1]):
        if folder in videos or folder.rpartition(".")[0] in videos:
            return folder
    stem = re.sub(r"^[0-9a-f]{8}-", "", path.name)
    starts = [name for name in videos if re.match(rf"{re.escape(name)}[^0-9A-Za-z]", stem)]
    return max(starts, key=len) if starts else path.parent.name or None
