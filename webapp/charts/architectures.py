"""An architecture as a drawing: boxes from the embeddings up to the score, and the lines between them."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.translation import gettext as _

from gnn.catalogue import CATALOGUE, LABELS
from gnn.catalogue.choices import NATURAL_SCORER
from gnn.space import Architecture, choice_text

BOX_WIDTH = 230
BOX_HEIGHT = 34
STEP = 54
MARGIN = 8
LANE = 16
"""Between lines that go round the boxes."""


@dataclass(frozen=True)
class Box:
    """A rectangle with a title and a smaller note; ``kind`` picks its colour in the style sheet."""

    y: int
    title: str
    note: str
    kind: str

    @property
    def title_y(self) -> int:
        return self.y + (15 if self.note else 21)

    @property
    def note_y(self) -> int:
        return self.y + 28


@dataclass(frozen=True)
class Drawing:
    """Coordinates are in the units of the view box, y downwards."""

    name: str
    """Starts the ids of its elements: another one for every drawing of a page."""
    width: int
    height: int
    box_width: int
    box_height: int
    left: int
    boxes: list[Box]
    arrows: list[tuple[int, int]]
    """(y from, y to) along the middle of the boxes."""
    skips: list[str]
    """SVG paths of layer outputs that go round to the combination, on the right, and of skip connections, on the left."""
    title: str
    words: str
    """The same for who cannot see it."""

    @property
    def middle(self) -> int:
        return self.left + self.box_width // 2


def draw_architecture(architecture: Architecture, name: str = "drawing") -> Drawing:
    """Lay out the embeddings, each layer, the combination and the score from top to bottom."""
    layers = int(_choice(architecture, "layers"))
    combination = str(_choice(architecture, "combination"))
    skipping = [layer for layer in range(1, layers + 1) if _choice(architecture, f"skip.{layer}") != "none"]
    left = MARGIN + (LANE * len(skipping) + 8 if skipping else 0)
    boxes = [Box(2, _("User and item embeddings"), _input_note(architecture), "input")]
    boxes += [_layer_box(architecture, layer) for layer in range(1, layers + 1)]
    boxes.append(Box(2 + STEP * (layers + 1), LABELS[combination].capitalize(), _("combination"), "join"))
    boxes.append(Box(2 + STEP * (layers + 2), _("Score"), _score_note(architecture), "output"))
    centres = [box.y + BOX_HEIGHT // 2 for box in boxes]
    right = left + BOX_WIDTH
    skips = []
    if combination != "last":
        # The embeddings themselves and all layers but the last, whose output comes straight down.
        for index in range(layers):
            out = right + 18 + LANE * (layers - index)
            skips.append(f"M{right} {centres[index]} H{out} V{centres[-2]} H{right + 4}")
    for place, layer in enumerate(skipping):
        origin = 0 if _choice(architecture, f"skip.{layer}") == "initial" else layer - 1
        skips.append(f"M{left} {centres[origin]} H{left - 4 - LANE * (place + 1)} V{centres[layer]} H{left - 4}")
    return Drawing(
        name=name,
        width=max(right + 10, right + 24 + LANE * layers if combination != "last" else 0),
        height=boxes[-1].y + BOX_HEIGHT + 2,
        box_width=BOX_WIDTH,
        box_height=BOX_HEIGHT,
        left=left,
        boxes=boxes,
        arrows=[(above.y + BOX_HEIGHT, below.y) for above, below in zip(boxes, boxes[1:], strict=False)],
        skips=skips,
        title=_("Architecture of the network"),
        words=_words(architecture, boxes, skipping),
    )


def _choice(architecture: Architecture, name: str) -> int | float | str:
    """What the architecture decides, or the default of the catalogue."""
    return architecture.get(name, CATALOGUE[name.partition(".")[0]].default)


def _input_note(architecture: Architecture) -> str:
    notes = [_("%(size)s numbers each") % {"size": choice_text(_choice(architecture, "node_dim"))}]
    if edge := _choice(architecture, "edge_dim"):
        notes.append(_("%(size)s per edge") % {"size": choice_text(edge)})
    if (inputs := str(_choice(architecture, "inputs"))) != "ids":
        notes.append(LABELS[inputs])
    return ", ".join(notes)


def _layer_box(architecture: Architecture, layer: int) -> Box:
    heads = _choice(architecture, f"heads.{layer}")
    title = LABELS[str(_choice(architecture, f"operator.{layer}"))] + (f" ×{choice_text(heads)}" if heads != 1 else "")
    notes = [_("layer %(number)s") % {"number": layer}]
    for name, plain in (("normalisation", "none"), ("activation", "identity")):
        if (choice := str(_choice(architecture, f"{name}.{layer}"))) != plain:
            notes.append(LABELS[choice])
    return Box(2 + STEP * layer, title, ", ".join(notes), "layer")


def _score_note(architecture: Architecture) -> str:
    loss = str(_choice(architecture, "loss"))
    scorer = str(architecture.get("scorer", NATURAL_SCORER[loss]))
    return _("%(scorer)s, trained by %(loss)s") % {"scorer": LABELS[scorer], "loss": LABELS[loss]}


def _words(architecture: Architecture, boxes: list[Box], skipping: list[int]) -> str:
    words = [_(", then ").join(f"{box.title} ({box.note})" for box in boxes)]
    words += [
        _("Layer %(number)s adds a skip connection %(origin)s")
        % {"number": layer, "origin": LABELS[str(_choice(architecture, f"skip.{layer}"))]}
        for layer in skipping
    ]
    return ". ".join(words) + "."
