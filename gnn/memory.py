"""How much memory training a network takes, estimated without building it.

Training peaks in the backward pass of a step, when the weights and what the optimiser holds, the outputs that the
layers keep for their gradients, and the scores of the objective exist together. The terms below count these arrays;
what the allocator, short-lived copies and evaluation add is calibrated to the measured growth of the resident set,
which the estimate meets within a factor of two (see tests/gnn/test_memory.py).
"""

from __future__ import annotations

from gnn.catalogue.choices import ATTENTION_OPERATORS, PAIR_LOSSES
from gnn.parameters import parameter_count
from gnn.settings import LayerSettings, Settings

MIB = 2**20
MOST_BUCKETS = 40
"""Kinds of edges a graph has at most: ten weights times four times. See gnn/graph.py."""
FIXED = 16 * MIB
"""What any training adds: the scores that evaluation ranks at a time."""
LISTED_BYTES = 20 * 12 * 8
"""Of a user while lists are judged: 20 places in a dozen arrays of 8 bytes."""

WEIGHT_COPIES = 6
"""Of each weight: itself, its gradient, Adam's two moments, the best so far, and the new best while it is copied."""
ENTRY_BYTES = 20
"""Of an entry of the adjacency: column, value and reverse of 4 bytes, bucket of 8."""
BUILD_BYTES = 24
"""Of an entry from which another adjacency is built: places, columns and reverses of 8 bytes. They are gone by the
backward pass, but what is freed does not all go back to the system."""

KEPT: dict[str, int] = {
    "lightgcn": 0,
    "sgc": 0,
    "lr_gccf": 1,
    "gcn": 1,
    "ngcf": 4,
    "sage": 3,
    "sage_max": 4,
    "gin": 5,
    "gat": 2,
    "gatv2": 4,
    "graph_transformer": 5,
    "identity": 0,
}
"""Arrays [nodes, dim] that an operator keeps for the backward pass, or makes in it, besides its output."""
LOOPED = ("sgc", "lr_gccf", "gcn", "gat", "gatv2")
"""Operators that add a self-loop to every node, in an adjacency of their own."""
ATTENTION_VALUES = 3
"""Values per entry and head: bias or score, attention, and the gradient of one of them at a time."""
HEAD_KEPT = 2
"""Arrays [nodes, dim / heads] per head: a head's part of the projection made contiguous, and its gradient."""
GATE_VALUES = 4
"""Values per entry where edges have gates: gate, product with the normalisation, and the gradients of both."""

TAIL = {"dot": 5, "cosine": 10, "bilinear": 7, "mlp": 8}
"""Arrays [nodes, width] from the layers' outputs to what is multiplied, by scorer: the combination, the scorer's
own, the column of the bias, and the gradients of all."""

SCORES_AT_ONCE = 2**23
USERS_PER_STEP = (16, 512)
PAIRS_PER_STEP = (256, 8192)
SQUARE_PAIRS = 2048
ITEMS_PER_STEP = 2**18
CANDIDATES = 1024
HARD_POOL = 8
MIN_STEPS = 8
CONTRASTED = 1024
"""Sizes of a step, as gnn/objectives.py, gnn/negatives.py and gnn/contrastive.py have them; these load torch."""


def estimate_bytes(
    settings: Settings, n_users: int, n_items: int, n_edges: int, *, n_buckets: int, user_width: int = 0, item_width: int = 0
) -> int:
    """The most memory that building and training a network adds to the process that holds the prepared graph, in bytes.

    Args:
        n_edges: user-item pairs of the training graph; each is two entries of its adjacency.
        n_buckets: kinds of edges, see :class:`gnn.graph.Graph`.
        user_width, item_width: features of each; 0 without.
    """
    n_parameters = parameter_count(settings, n_users, n_items, n_buckets, user_width=user_width, item_width=item_width)
    # The average of the weights, and the weights themselves while it takes their place.
    copies = WEIGHT_COPIES + (2 if settings.averaging else 0)
    n_nodes, n_entries = n_users + n_items, 2 * n_edges
    width = settings.node_dim * (len(settings.layers) + 1 if settings.combination == "concat" else 1)
    return (
        FIXED
        + LISTED_BYTES * n_users
        + 4 * copies * n_parameters
        + _layers(settings, n_nodes, n_entries)
        + 4 * TAIL[settings.scorer] * n_nodes * width
        + _adjacencies(settings, n_nodes, n_entries)
        + _objective(settings, n_users, n_items, n_edges, width)
    )


def _layers(settings: Settings, n_nodes: int, n_entries: int) -> int:
    """What the passes over the graph keep: the step's own, and those of two views."""
    node, passes = 4 * n_nodes * settings.node_dim, 1 + views(settings)
    kept = sum(_layer(layer, settings, n_nodes, n_entries) for layer in settings.layers)
    # The inputs, where they are not the weights themselves: hidden in part, or made of features.
    inputs = 2 * (settings.dropout > 0) + 2 * (settings.inputs != "ids")
    if settings.combination in ("weighted", "attention"):
        # All outputs stacked, and the gradient of that; attention also keeps their product and its tanh.
        inputs += (len(settings.layers) + 1) * (6 if settings.combination == "attention" else 2)
    # The outputs of the step's own pass and their gradients; of a view, those of the combined embeddings.
    outputs = 2 * len(settings.layers) + 2 * views(settings)
    return passes * (kept + inputs * node) + outputs * node


def _layer(layer: LayerSettings, settings: Settings, n_nodes: int, n_entries: int) -> int:
    """What one layer keeps in one pass, besides its output."""
    arrays = KEPT[layer.operator] + 2 * (layer.normalisation != "none") + (layer.activation != "identity") + (layer.skip != "none")
    arrays += 2 * (settings.message_dropout > 0)
    values = 0
    if layer.operator in ATTENTION_OPERATORS:
        arrays += HEAD_KEPT
        values = ATTENTION_VALUES * layer.heads
    elif settings.edge_dim and layer.operator != "identity":
        arrays, values = arrays + 1, GATE_VALUES
    elif layer.operator == "sage_max":
        # The neighbour that each column's maximum comes from.
        values = 2
    return 4 * (arrays * n_nodes * settings.node_dim + values * n_entries)


def views(settings: Settings) -> int:
    """Passes of a step besides its own."""
    return 2 if settings.contrastive in ("sgl", "simgcl") else 0


def _adjacencies(settings: Settings, n_nodes: int, n_entries: int) -> int:
    """Those of a step besides the prepared one, and the building of the last of them."""
    looped = any(layer.operator in LOOPED for layer in settings.layers)
    drawn = (settings.edge_dropout > 0) + 2 * (settings.contrastive == "sgl")
    held = drawn * n_entries + looped * (1 + drawn) * (n_entries + n_nodes)
    return ENTRY_BYTES * held + (BUILD_BYTES * n_entries if held else 0)


def _objective(settings: Settings, n_users: int, n_items: int, n_edges: int, width: int) -> int:
    """The scores of a step and what is computed from them, besides what the objective knows of each edge."""
    contrasted = 0
    if settings.contrastive != "none":
        # Two sides, whose cosines are computed, divided and exponentiated.
        contrasted = 4 * 3 * (min(n_users, CONTRASTED) ** 2 + min(n_items, CONTRASTED) ** 2)
    if settings.l2:
        contrasted += 4 * (n_users + n_items) * settings.node_dim
    if settings.loss == "softmax":
        users = step_size(n_users, USERS_PER_STEP, MIN_STEPS)
        columns, items = n_items, 2
        if settings.sampled_items:
            columns = min(n_items, settings.sampled_items + users * n_edges // n_users)
        if settings.sampled_items or settings.popularity_offset:
            items += 2
        # Scores and their gradient share an array; the gradient of the items comes whole and once more scaled.
        return contrasted + 4 * min(users * columns, max(SCORES_AT_ONCE, columns)) + 4 * items * columns * width
    pairs = step_size(n_edges, PAIRS_PER_STEP, 2 * MIN_STEPS)
    if settings.loss in PAIR_LOSSES:
        looked_at = settings.negative_count * (HARD_POOL if settings.negatives == "hard" else 1)
        pairs = min(pairs, max(1, ITEMS_PER_STEP // looked_at))
        # Codes of 8 bytes and scores with what the loss makes of them; of each edge, three codes to draw by and two to shuffle.
        # Each part's gradient is as large as the embeddings.
        return contrasted + 4 * 2 * (n_users + n_items) * width + 48 * pairs * (1 + looked_at) + 40 * n_edges
    pairs = min(pairs, SQUARE_PAIRS)
    others = pairs if settings.loss == "directau" or settings.candidates == "in_batch" else CANDIDATES
    # Scores, masked, exponentiated, and their gradients; DirectAU keeps those of users and of items.
    return contrasted + 4 * 7 * pairs * others + 24 * n_edges


def step_size(total: int, limits: tuple[int, int], steps: int) -> int:
    """Of ``total`` users or pairs, what one step of an epoch of about ``steps`` takes, within ``limits``."""
    return min(max(total // steps, limits[0]), limits[1])
