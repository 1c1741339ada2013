"""The mean of two networks' weights, if one was trained from the other; it is often more robust on new kinds of data.

Source: Wortsman et al., Robust fine-tuning of zero-shot models, 2022.
"""

from __future__ import annotations

from pathlib import Path

import torch

from actparse.core.errors import ConfigError, WeightsError
from actparse.weights.bundle import load_network, save_network

LABELLED = {  # layers whose rows are labels, by the name of the labels in a file
    "labels": ("cls_head.fc_cls.",),
    "actions": ("action.1.", "action_embed."),
    "states": ("states.",),
}


def average_to_file(start: Path, tuned: Path, out: Path, *, share: float = 0.5) -> tuple[str, ...]:
    """Write the mean of two networks of one architecture; settings and labels are those of the tuned network.

    Args:
        start: the network that training started from.
        tuned: the network after training.
        out: the file to write, in float16.
        share: weight of the tuned network in each mean, 0..1.

    Returns:
        The names of the tensors that are copied from the tuned network, because their labels or shapes differ.

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
    start_state = first.net.state_dict()
    differing = [layers for key, layers in LABELLED.items() if first.labels.get(key) != second.labels.get(key)]
    merged, copied = {}, []
    for name, value in second.net.state_dict().items():
        other = start_state.get(name)
        has_same_labels = not any(name.startswith(layers) for layers in differing)
        if has_same_labels and other is not None and other.shape == value.shape and value.is_floating_point():
            merged[name] = torch.lerp(other, value, share)
        else:
            merged[name] = value
            copied.append(name)
    second.net.load_state_dict(merged)
    origin = {"start": first.sha256, "tuned": second.sha256, "share": share}
    metrics = {"averaged": origin, "tuned": second.metrics}
    save_network(out, second.net, kind=second.kind, settings=second.settings, labels=second.labels, metrics=metrics)
    return tuple(name for name in copied if not name.endswith("num_batches_tracked"))
