"""What a part mostly does in an action: the cheapest guess of a state, and the one that networks have to beat.

Source: the challenge report of the paper's authors, "the commonest state of that part in the predicted action".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from actparse.data.kinetics_tps import VideoRecord, annotated_persons
from actparse.data.submission import EVALUATED_STRIDE
from actparse.metrics.states import commonest_states

Prior = Mapping[str, Mapping[str, str]]  # action -> part -> state


def prior_states(records: Iterable[VideoRecord]) -> Prior:
    """The commonest state of each part in each action, over all persons of some videos, every fifth frame or rarer.

    Args:
        records: the videos, those that training sees.

    Raises:
        DataError: an annotation cannot be read.
    """
    persons = annotated_persons(records, stride=EVALUATED_STRIDE)
    return commonest_states(
        (action, name, part.state) for action, person in persons for name, part in person.parts.items()
    )
