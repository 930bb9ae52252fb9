"""One spelling for each network: architectures that would train alike are the same one.

Only equalities that hold whatever the data are used; two networks that merely behave alike stay apart.
"""

from __future__ import annotations

from dataclasses import replace

from gnn.catalogue.choices import NATURAL_SCORER, NOISE_CONTRASTS, SCORED_LOSSES, TEMPERED_LOSSES
from gnn.catalogue.entries import CATALOGUE
from gnn.settings import LayerSettings, Settings
from gnn.space import Architecture, Choice

_EMPTY = LayerSettings("identity")
_SCALE_FREE = ("identity", "relu", "leaky_relu", "prelu")
"""Activations f with f(c x) = c f(x) for every c > 0."""
_DERIVED = ("layers", "scorer", "item_bias", "temperature", "popularity_correction")
_PLAIN = tuple(entry.name for entry in CATALOGUE.values() if entry.per is None and entry.name not in _DERIVED)
"""Decisions of the whole network that :class:`Settings` holds as they were chosen."""


def canonical(architecture: Architecture) -> Architecture:
    """The shortest spelling of the same network, in the order of the catalogue.

    Left out is what is at its default or has no part: a scorer the objective brings anyway, an activation after
    a linear layer, edges where nothing propagates. Beyond that,

    - the sum of the layers is their mean under a cosine, which divides the length out;
    - a residual connection of the first layer is one from the embeddings;
    - an empty layer before the ``last`` does nothing, unless dropout or noise pass through it;
    - the mean of the outputs of empty layers is the last of them;
    - the cosine takes the length off a last layer itself.

    Raises:
        SpaceError: the engine cannot train the architecture.
    """
    return _spell(normal_form(Settings.of(architecture)))


def normal_form(settings: Settings) -> Settings:
    """Equal for settings that train to the same scores."""
    propagates = any(layer != _EMPTY for layer in settings.layers)
    combination = settings.combination
    if combination == "sum" and settings.scorer == "cosine":
        combination = "mean"
    disturbed = settings.message_dropout > 0 or settings.contrastive in NOISE_CONTRASTS
    layers = list(settings.layers)
    if not disturbed and not propagates and combination == "mean":
        combination = "last"
    if not disturbed and combination == "last":
        layers = [layer for layer in layers if layer != _EMPTY] or [_EMPTY]
    # Up to here every layer was empty, so what the next one gets is the embeddings.
    first = next((at for at, layer in enumerate(layers) if layer != _EMPTY), None) if not disturbed else 0
    if first is not None and layers[first].skip == "residual":
        layers[first] = replace(layers[first], skip="initial")
    last = layers[-1]
    if (
        combination == "last"
        and settings.scorer == "cosine"
        and settings.contrastive not in NOISE_CONTRASTS
        and (last.normalisation, last.skip) == ("l2", "none")
        and last.activation in _SCALE_FREE
    ):
        layers[-1] = replace(last, normalisation="none")
    drop = settings.contrastive_drop if propagates else float(CATALOGUE["contrastive_drop"].default)
    return replace(settings, layers=tuple(layers), combination=combination, contrastive_drop=drop)


def _spell(settings: Settings) -> Architecture:
    """The decisions in which settings differ from the defaults."""
    chosen: dict[str, Choice] = {"layers": len(settings.layers)}
    for number, layer in enumerate(settings.layers, 1):
        chosen |= {f"{entry.name}.{number}": getattr(layer, entry.name) for entry in CATALOGUE.values() if entry.per}
    chosen |= {name: getattr(settings, name) for name in _PLAIN}
    chosen["popularity_correction"] = "logq" if settings.corrected else "none"
    if settings.loss in SCORED_LOSSES:
        chosen["item_bias"] = "learned" if settings.item_bias else "none"
        if settings.scorer != NATURAL_SCORER[settings.loss]:
            chosen["scorer"] = settings.scorer
    if settings.loss in TEMPERED_LOSSES:
        chosen["temperature"] = settings.temperature
    order = {name: place for place, name in enumerate(CATALOGUE)}
    kept = {name: choice for name, choice in chosen.items() if name == "scorer" or choice != CATALOGUE[name.partition(".")[0]].default}
    return Architecture.of(dict(sorted(kept.items(), key=lambda pair: order[pair[0].partition(".")[0]])))
