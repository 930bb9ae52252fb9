"""From side tables of edges to integer arrays: who trusts whom, and what is known about items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from gnn.sources.side import SideTable

Codes = np.ndarray[Any, np.dtype[np.int32]]


@dataclass(frozen=True, eq=False)
class SocialEdges:
    """Directed edges between users of the interactions."""

    source: Codes
    """[m] position of the user who trusts, follows, befriends."""
    target: Codes
    """[m] position of the other."""
    unknown: int
    """Edges left out because an end has no interaction."""
    loops: int
    """Edges left out because they lead from a user to the same user."""
    coverage: float
    """Share of the users with an edge."""


def social_edges(table: SideTable, user_ids: pl.Series) -> SocialEdges:
    """The edges whose both ends are among ``user_ids``."""
    source, target = (_places(user_ids, table.table[name]) for name in ("user", "friend"))
    there = (source >= 0) & (target >= 0)
    kept = there & (source != target)
    linked = np.zeros(len(user_ids), dtype=bool)
    linked[source[kept]] = linked[target[kept]] = True
    return SocialEdges(source[kept], target[kept], int((~there).sum()), int((there & ~kept).sum()), float(linked.mean()))


@dataclass(frozen=True, eq=False)
class KnowledgeGraph:
    """Facts (head, relation, tail) about entities, some of which are items."""

    head: Codes
    """[m] position in ``entity_ids``."""
    relation: Codes
    """[m] position in ``relation_names``."""
    tail: Codes
    """[m] position in ``entity_ids``."""
    entity_ids: pl.Series
    relation_names: pl.Series
    item_entity: Codes
    """[n_items] position of the item's entity in ``entity_ids``, or -1."""
    coverage: float
    """Share of the items that are entities of a fact."""
    unknown_links: int
    """Links left out because their item has no interaction or their entity no fact."""


def knowledge_graph(triples: SideTable, links: SideTable | None, item_ids: pl.Series) -> KnowledgeGraph:
    """The facts with their links to items; without a table of links, an entity named as an item is that item.

    Of several links of an item, the first that leads to an entity with a fact counts.
    """
    table = triples.table
    entities = pl.concat([table["head"], table["tail"]]).unique(maintain_order=True).alias("")
    relations = table["relation"].unique(maintain_order=True).alias("")
    if links is None:
        item, entity = np.arange(len(item_ids), dtype=np.int32), _places(entities, item_ids)
    else:
        item, entity = _places(item_ids, links.table["item"]), _places(entities, links.table["entity"])
    useful = (item >= 0) & (entity >= 0)
    item_entity = np.full(len(item_ids), -1, dtype=np.int32)
    # Backwards, so that the first link of an item is written last.
    item_entity[item[useful][::-1]] = entity[useful][::-1]
    return KnowledgeGraph(
        head=_places(entities, table["head"]),
        relation=_places(relations, table["relation"]),
        tail=_places(entities, table["tail"]),
        entity_ids=entities,
        relation_names=relations,
        item_entity=item_entity,
        coverage=float((item_entity >= 0).mean()),
        unknown_links=0 if links is None else int((~useful).sum()),
    )


def _places(ids: pl.Series, wanted: pl.Series) -> Codes:
    """The position in ``ids`` of each of ``wanted``, int32, -1 where it has none."""
    known = pl.DataFrame({"id": ids, "place": pl.int_range(len(ids), dtype=pl.Int32, eager=True)})
    return wanted.alias("id").to_frame().join(known, on="id", how="left", maintain_order="left")["place"].fill_null(-1).to_numpy()
