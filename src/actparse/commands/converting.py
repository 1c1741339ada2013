"""The command "convert"."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from actparse.commands.options import Json, exit_code, print_json

# The names of export.formats, repeated here so that --help does not import it.
Form = Literal["segments", "frames", "parts", "coco", "coco-keypoints", "openpose", "cvat", "rerun"]
TableFormat = Literal["csv", "parquet"]
CsvDialect = Annotated[
    Literal["excel", "excel-de"],
    Parameter(help="excel-de: semicolons and decimal commas, for spreadsheets in German, French, Spanish, ..."),
]


def convert(
    source: Path,
    *,
    to: Annotated[Form, Parameter(metavar="FORM", show_choices=False)],
    table_format: Annotated[TableFormat, Parameter(name="--format")] = "csv",
    csv_dialect: CsvDialect = "excel",
    out: Path | None = None,
    min_confidence: Annotated[float, Parameter(metavar="C")] = 0.25,
    video: Annotated[Path | None, Parameter(metavar="MP4")] = None,
    json: Json = False,
) -> int:
    """Convert parses to tables, annotation files, or a viewer's format.

    Write the formats of other programs, next to each parse.json or below OUT.

      segments        state intervals of each part, with start and end
      frames          one row per person and frame: box, keypoints, joint angles
      parts           one row per body part and frame: box, state
      coco            COCO JSON of persons and parts, and a file of results
      coco-keypoints  COCO JSON of poses, and a file of results
      openpose        a folder of OpenPose's JSON, BODY_25
      cvat            CVAT for video 1.1, and the labels of its task
      rerun           a recording for the Rerun viewer

    Exit codes: 0 done; 1 some parses of several could not be written; 2 wrong input or option; 130 interrupted.

    Args:
        source: a parse.json, or a folder of parses
        to: one of the formats above
        table_format: file type of segments, frames and parts
        out: a folder; for a single parse also the file itself
        min_confidence: keypoints with a lower confidence count as invisible
        video: video to include in the recording of a single parse (rerun)

    Examples:
      actparse convert parses --to segments
      actparse convert parses --to frames --format parquet --out tables
      actparse convert parses/video/parse.json --to cvat --out video.xml
    """
    from actparse.app.conversion import convert as convert_parses
    from actparse.export.formats import ExportConfig

    config = ExportConfig(
        table_format=table_format, csv_dialect=csv_dialect, min_confidence=min_confidence, video=video
    )
    outcomes = []
    for outcome in convert_parses(source, to, out=out, config=config):
        outcomes.append(outcome)
        if outcome.error is not None:
            print(f"actparse: {outcome.error}", file=sys.stderr)
        elif not json:
            print(f"{outcome.name}: {', '.join(map(str, outcome.files))}")
    if json:
        print_json([{"name": o.name, "files": list(map(str, o.files)), "error": o.error} for o in outcomes])
    return exit_code([outcome.error for outcome in outcomes])
