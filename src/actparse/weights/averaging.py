"""The mean of two networks' weights, if one was trained from the other; it is often more robust on new kinds of data.

Source: Wortsman et al., Robust fine-tuning of zero-shot models, 2022.
"""

from __future__ import annotations

from pathlib import Path

import torch

from actparse.core.errors import ConfigError, WeightsError
from actparse.weights.bundle import load_network, save_network
from actparse.weights.label_rows import with_shared_track_rows

CLASSIFIERS = ("cls_head.fc_cls.", "action.1.", "action_embed.", "states.")  # layers whose rows are labels


def average_to_file(start: Path, tuned: Path, out: Path, *, share: float = 0.5) -> tuple[str, ...]:
    """Write the mean of two networks of one architecture; settings and labels are those of the tuned network.

    Of networks on tracks with other labels, the rows of the labels that both know are averaged.

    Args:
        start: the network that training started from.
        tuned: the network after training.
        out: the file to write, in float16.
        share: weight of the tuned network in each mean, 0..1.

    Returns:
        The names of the tensors that hold copies from the tuned network, because their labels or shapes differ.

    Raises:
        ConfigError: `share` is out of range.
        WeightsError: a file is missing or damaged, or the networks have different architectures.
        OutputError: the file cannot be written.
    """
    if not 0 <= share <= 1:
        raise ConfigError(f"share must be 0..1, got {share}")
    first, second = load_network(start), load_network(tuned)
    if type(first.net) is not type(second.net):
        kinds = f"{type(second.net).__name__} and {type(first.net).__name__}"
        raise WeightsError(f"{start}: needs a network of the architecture of {tuned}, got {kinds}")
    tuned_state, start_state = second.net.state_dict(), first.net.state_dict()
    copied = []
    if first.labels != second.labels:
        shared = with_shared_track_rows(tuned_state, start_state, second.labels, first.labels)
        for name, value in tuned_state.items():
            if name.startswith(CLASSIFIERS) and not torch.equal(rows := shared.get(name, value), start_state[name]):
                start_state[name] = rows  # a row that only the tuned network knows is averaged with itself
                copied.append(name)
    merged = {}
    for name, value in tuned_state.items():
        other = start_state.get(name)
        if other is not None and other.shape == value.shape and value.is_floating_point():
            merged[name] = torch.lerp(other, value, share)
        else:
            merged[name] = value
            copied.append(name)
    second.net.load_state_dict(merged)
    origin = {"start": first.sha256, "tuned": second.sha256, "share": share}
    metrics = {"averaged": origin, "tuned": second.metrics}
    save_network(out, second.net, kind=second.kind, settings=second.settings, labels=second.labels, metrics=metrics)
    return tuple(name for name in copied if not name.endswith("num_batches_tracked"))
