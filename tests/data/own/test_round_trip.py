"""What a parse is converted to, read again as labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from actparse.data.own.coco import read_coco
from actparse.data.own.states import read_state_rows
from actparse.export.coco import write_coco
from actparse.export.table_files import CSV_DIALECTS, write_csv
from actparse.export.tables import segments_table
from example_parse import example_parse


def test_coco_gives_persons_parts_and_states_back(tmp_path: Path) -> None:
    parse = example_parse()
    path = tmp_path / "coco.json"
    write_coco(parse, path)
    (video,) = read_coco(path)
    assert video.video == "two people"
    assert sorted(video.frames) == [frame.index for frame in parse.frames if frame.persons]
    for frame in parse.frames:
        truth = {person.identity: person for person in video.frames[frame.index].persons} if frame.persons else {}
        for person in frame.persons:
            found = truth[person.track_id]
            assert found.box == pytest.approx(person.box, abs=0.02)
            states = {part.name: part.state for part in person.parts if part.state is not None}
            assert {name: part.state for name, part in found.parts.items()} == states
            assert set(found.unstated) == {part.name for part in person.parts} - set(states)


@pytest.mark.parametrize("dialect", CSV_DIALECTS)
def test_intervals_of_state_are_rows_of_states(dialect: str, tmp_path: Path) -> None:
    parse = example_parse()
    path = tmp_path / "two people" / "segments.csv"
    path.parent.mkdir()
    write_csv(segments_table(parse), path, dialect=dialect)
    rows = read_state_rows(path)["two people"]
    times = np.array([frame.time_seconds for frame in parse.frames])
    said = {
        (frame, row.track, part): row.state for row in rows for frame in row.frame_range(times) for part in row.parts
    }
    meant = {
        (number, person.track_id, part.name): part.state
        for number, frame in enumerate(parse.frames)
        for person in frame.persons
        for part in person.parts
        if part.state is not None
    }
    assert said == meant
