"""What a person should know about the side tables of a dataset: how much of it they describe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gnn.attributes import features, join
from gnn.interactions import Interactions
from gnn.side_graphs import knowledge_graph, social_edges
from gnn.sources.side import ID, AttributesMapping, SideTable


def describe_side(tables: list[tuple[str, SideTable]], interactions: Interactions) -> list[dict[str, Any]]:
    """For each named table, bounded JSON: rows, coverage (share of the ids with a row or edge) and what fits nothing."""
    links = next((table for _, table in tables if table.mapping.kind == "item_links"), None)
    return [
        {"filename": name, "kind": table.mapping.kind, "rows": len(table)} | _describe(table, links, interactions) for name, table in tables
    ]


@dataclass(frozen=True)
class Described:
    """What the side tables of a dataset say of its users and items."""

    user_width: int
    """Numbers that attributes give for each user; 0 without."""
    item_width: int
    """Those for each item; texts are not among them."""
    item_texts: tuple[str, ...]
    """Attributes of items that are free text, and that some item has."""

    @classmethod
    def by(cls, side: Iterable[Mapping[str, Any]]) -> Described:
        """Read what :func:`describe_side` wrote."""
        widths = {"user_attributes": 0, "item_attributes": 0}
        texts: list[str] = []
        for entry in side:
            if entry["kind"] in widths:
                filled = [attribute for attribute in entry["attributes"] if attribute["coverage"] > 0]
                plain = sum(attribute["type"] != "text" for attribute in filled)
                widths[entry["kind"]] += entry.get("features", plain)  # datasets that were read before did not count them
                if entry["kind"] == "item_attributes":
                    texts += [attribute["name"] for attribute in filled if attribute["type"] == "text"]
        return cls(widths["user_attributes"], widths["item_attributes"], tuple(texts))


def _describe(table: SideTable, links: SideTable | None, interactions: Interactions) -> dict[str, Any]:
    if isinstance(table.mapping, AttributesMapping):
        ids = interactions.item_ids if table.mapping.kind == "item_attributes" else interactions.user_ids
        joined, known = join(table, ids)
        filled = [
            {"name": attribute.name, "type": attribute.type, "coverage": float((joined[str(at)].fill_null("") != "").mean())}  # type: ignore[arg-type]
            for at, attribute in enumerate(table.mapping.attributes)
        ]
        known_rows = int(table.table[ID].is_in(ids.implode()).sum())
        return {
            "coverage": float(known.mean()),
            "unknown": len(table) - known_rows,
            "attributes": filled,
            "features": len(features(table, ids).names),
        }
    if table.mapping.kind == "social":
        edges = social_edges(table, interactions.user_ids)
        return {"coverage": edges.coverage, "edges": len(edges.source), "unknown": edges.unknown, "loops": edges.loops}
    if table.mapping.kind == "triples":
        graph = knowledge_graph(table, links, interactions.item_ids)
        return {
            "coverage": graph.coverage,
            "entities": len(graph.entity_ids),
            "relations": len(graph.relation_names),
            "unknown_links": graph.unknown_links,
        }
    linked = table.table["item"].is_in(interactions.item_ids.implode())
    return {
        "coverage": float(interactions.item_ids.is_in(table.table["item"].implode()).mean()),  # type: ignore[arg-type]
        "unknown": int((~linked).sum()),
    }
