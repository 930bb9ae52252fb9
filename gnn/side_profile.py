"""What a person should know about the side tables of a dataset: how much of it they describe."""

from __future__ import annotations

from typing import Any

from gnn.attributes import join
from gnn.interactions import Interactions
from gnn.side_graphs import knowledge_graph, social_edges
from gnn.sources.side import ID, AttributesMapping, SideTable


def describe_side(tables: list[tuple[str, SideTable]], interactions: Interactions) -> list[dict[str, Any]]:
    """For each named table, bounded JSON: rows, coverage (share of the ids with a row or edge) and what fits nothing."""
    links = next((table for _, table in tables if table.mapping.kind == "item_links"), None)
    return [
        {"filename": name, "kind": table.mapping.kind, "rows": len(table)} | _describe(table, links, interactions) for name, table in tables
    ]


def _describe(table: SideTable, links: SideTable | None, interactions: Interactions) -> dict[str, Any]:
    if isinstance(table.mapping, AttributesMapping):
        ids = interactions.item_ids if table.mapping.kind == "item_attributes" else interactions.user_ids
        joined, known = join(table, ids)
        filled = [
            {"name": attribute.name, "type": attribute.type, "coverage": float((joined[str(at)].fill_null("") != "").mean())}  # type: ignore[arg-type]
            for at, attribute in enumerate(table.mapping.attributes)
        ]
        known_rows = int(table.table[ID].is_in(ids.implode()).sum())
        return {"coverage": float(known.mean()), "unknown": len(table) - known_rows, "attributes": filled}
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
