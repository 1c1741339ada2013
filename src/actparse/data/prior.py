"""What a part mostly does in an action: the cheapest guess of a state, and the one that networks have to beat.

Source: the challenge report of the paper's authors, "the commonest state of that part in the predicted action".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from actparse.data.kinetics_tps import VideoRecord, read_frame_truth
from actparse.data.submission import EVALUATED_STRIDE
from actparse.metrics.states import commonest_states

Prior = Mapping[str, Mapping[str, str]]  # action -> part -> state


def prior_states(records: Iterable[VideoRecord]) -> Prior:
    """The commonest state of each part in each action, over all persons in the evaluated frames of some videos.

    Args:
        records: the videos, those that training sees.

    Raises:
        DataError: an annotation cannot be read.
    """
    return commonest_states(row for record in records for row in _annotated_states(record))


def _annotated_states(record: VideoRecord) -> Iterator[tuple[str, str, str]]:
    """(action, part, state) of every annotated part."""
    for path in sorted(record.annotation_dir.glob("img_*.json"))[::EVALUATED_STRIDE]:
        for person in read_frame_truth(path).persons:
            yield from ((record.action, name, part.state) for name, part in person.parts.items())
