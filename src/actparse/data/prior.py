"""Most common state of each part in each action: the simplest prediction of a state, a baseline for networks.

Source: the challenge report of the paper's authors, "the commonest state of that part in the predicted action".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from actparse.data.kinetics_tps import VideoRecord, annotated_persons
from actparse.data.submission import EVALUATED_STRIDE
from actparse.metrics.states import commonest_states

Prior = Mapping[str, Mapping[str, str]]  # action -> part -> state


def prior_states(records: Iterable[VideoRecord]) -> Prior:
    """Return the most common state of each part in each action, over all persons in every fifth frame of some videos.

    Videos annotated more rarely than every fifth frame count with all their annotated frames.

    Args:
        records: the training videos.

    Raises:
        DataError: an annotation cannot be read.
    """
    persons = annotated_persons(records, stride=EVALUATED_STRIDE)
    return commonest_states(
        (action, name, part.state) for action, person in persons for name, part in person.parts.items()
    )
