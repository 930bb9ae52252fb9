"""An architecture as a drawing: boxes from the embeddings up to the score, and the lines between them."""

from __future__ import annotations

from dataclasses import dataclass

from gnn.catalogue import CATALOGUE, LABELS
from gnn.space import Architecture, choice_text

BOX_WIDTH = 214
BOX_HEIGHT = 34
STEP = 54
LEFT = 8


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

    width: int
    height: int
    box_width: int
    box_height: int
    left: int
    boxes: list[Box]
    arrows: list[tuple[int, int]]
    """(y from, y to) along the middle of the boxes."""
    skips: list[str]
    """SVG paths of layer outputs that go round to the combination."""
    words: str

    @property
    def middle(self) -> int:
        return self.left + self.box_width // 2


def draw_architecture(architecture: Architecture) -> Drawing:
    """Lay out the embeddings, each layer, the combination and the score from top to bottom."""
    layers = int(architecture.get("layers", CATALOGUE["layers"].default))
    combination = str(architecture.get("combination", CATALOGUE["combination"].default))
    size = choice_text(architecture.get("node_dim", CATALOGUE["node_dim"].default))
    edge = architecture.get("edge_dim", CATALOGUE["edge_dim"].default)
    boxes = [Box(2, "User and item embeddings", f"{size} numbers each" + (f", {choice_text(edge)} per edge" if edge else ""), "input")]
    for layer in range(1, layers + 1):
        operator = LABELS[str(architecture.get(f"operator.{layer}", CATALOGUE["operator"].default))]
        activation = str(architecture.get(f"activation.{layer}", "identity"))
        note = f"layer {layer}" + (f", {LABELS[activation]}" if activation != "identity" else "")
        boxes.append(Box(2 + STEP * layer, operator, note, "layer"))
    boxes.append(Box(2 + STEP * (layers + 1), LABELS[combination].capitalize(), "combination", "join"))
    boxes.append(Box(2 + STEP * (layers + 2), "Score", "user · item", "output"))
    right = LEFT + BOX_WIDTH
    skips = []
    if combination != "last":
        end = boxes[-2].y + BOX_HEIGHT // 2
        # The embeddings themselves and all layers but the last, whose output comes straight down.
        for index, box in enumerate(boxes[:layers]):
            start = box.y + BOX_HEIGHT // 2
            out = right + 18 + 16 * (layers - index)
            skips.append(f"M{right} {start} H{out} V{end} H{right + 4}")
    return Drawing(
        width=max(right + 10, right + 24 + 16 * layers if skips else 0),
        height=boxes[-1].y + BOX_HEIGHT + 2,
        box_width=BOX_WIDTH,
        box_height=BOX_HEIGHT,
        left=LEFT,
        boxes=boxes,
        arrows=[(above.y + BOX_HEIGHT, below.y) for above, below in zip(boxes, boxes[1:], strict=False)],
        skips=skips,
        words=", then ".join(f"{box.title} ({box.note})" for box in boxes),
    )
