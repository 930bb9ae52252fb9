"""Side tables: what is read, how it joins the interactions, and the numbers that come of it, by hand."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import polars as pl
import pytest

from gnn.attributes import MAX_LEVELS, features, features_of, texts_of
from gnn.errors import DataError
from gnn.graph import build_graph
from gnn.side_graphs import knowledge_graph, social_edges
from gnn.sources import detect
from gnn.sources.kinds import Kind
from gnn.sources.rejects import Reason
from gnn.sources.side import AttributesMapping, SideTable, read_side, side_mapping
from gnn.sources.side_guess import guess_side_mapping
from tests.gnn.toy import random_interactions

MOVIES = """movieId,title,year,genres,price,plot
m1,Alpha Movie,1999,Drama|Comedy,1.5,one long text about this film
m2,Beta Movie,2001,Drama,2.5,another long text about that film
,Gamma,2001,Drama,1,x
m1,Alpha again,1998,War,9,y
m9,Never Seen Film,2001,War | Drama,,third long text about no film
m3,Delta Movie,1999,,3.5,
"""


def read_text(text: str, kind: Kind, filename: str = "f.csv", **changes: Any) -> SideTable:
    mapping = guess_side_mapping(detect(io.BytesIO(text.encode()), filename), kind)
    return read_side(io.BytesIO(text.encode()), side_mapping(mapping.to_json() | changes), filename)[0]


def test_rows_without_id_or_with_a_known_one_are_rejected_and_counted() -> None:
    detected = detect(io.BytesIO(MOVIES.encode()), "movies.csv")
    assert detected.kind.kind == "item_attributes"
    mapping = guess_side_mapping(detected, "item_attributes")
    assert isinstance(mapping, AttributesMapping)
    types = {attribute.name: attribute.type for attribute in mapping.attributes}
    assert types == {"title": "categorical", "year": "categorical", "genres": "multi", "price": "numeric", "plot": "text"}
    log = io.BytesIO()
    table, rejects = read_side(io.BytesIO(MOVIES.encode()), mapping, "movies.csv", rejected=log)
    assert rejects.counts == {Reason.MISSING_ID: 1, Reason.REPEATED: 1}
    assert (rejects.rows_read, rejects.rows_kept, len(table)) == (6, 4, 4)
    assert rejects.examples[Reason.REPEATED][0].line == 5
    assert log.getvalue().decode().splitlines()[1:] == ["4,movieId,missing id,", "5,movieId,what an earlier row says already,m1"]
    file = io.BytesIO()
    table.to_parquet(file)
    file.seek(0)
    assert SideTable.from_parquet(file, mapping).table.equals(table.table)


def test_features_by_hand() -> None:
    mapping = guess_side_mapping(detect(io.BytesIO(MOVIES.encode()), "movies.csv"), "item_attributes").to_json()
    mapping["attributes"] = [attribute for attribute in mapping["attributes"] if attribute["name"] in ("year", "genres", "price")]
    table, _ = read_side(io.BytesIO(MOVIES.encode()), side_mapping(mapping), "movies.csv")
    found = features(table, pl.Series(["m3", "m1", "unknown", "m2"]))
    assert found.names == ("year=1999", "year=2001", "genres=Drama", "genres=Comedy", "price", "price=missing")
    deviation = np.std([3.5, 1.5, 2.5])
    expected = [
        [1, 0, 0, 0, 1 / deviation, 0],
        [1, 0, 1, 1, -1 / deviation, 0],
        [0, 0, 0, 0, 0, 1],
        [0, 1, 1, 0, 0, 0],
    ]
    np.testing.assert_allclose(found.matrix, expected, rtol=1e-6)
    assert found.matrix.dtype == np.float32
    assert (found.coverage, found.unknown) == (0.75, 1)


def test_rare_values_share_a_column() -> None:
    rows = "".join(f"i{at},v{at % (MAX_LEVELS + 6)}\n" for at in range(2 * (MAX_LEVELS + 6))) + "i999,v0\n"
    mapping = {"kind": "item_attributes", "has_header": False, "id": 0, "attributes": [{"column": 1, "name": "v", "type": "categorical"}]}
    table, _ = read_side(io.BytesIO(rows.encode()), side_mapping(mapping), "v.csv")
    found = features(table, table.table["id"])
    assert found.matrix.shape == (len(table), MAX_LEVELS + 1)
    assert found.names[0] == "v=v0" and found.names[-1] == "v=other"
    assert found.matrix.sum() == len(table) and found.matrix[:, -1].sum() == 12


def test_a_constant_number_is_zero_and_far_ones_are_clipped() -> None:
    rows = "".join(f"i{at},7,{1000 if at == 99 else at % 2}\n" for at in range(100))
    numeric = [{"column": at, "name": f"n{at}", "type": "numeric"} for at in (1, 2)]
    mapping = {"kind": "item_attributes", "has_header": False, "id": 0, "attributes": numeric}
    table, _ = read_side(io.BytesIO(rows.encode()), side_mapping(mapping), "n.csv")
    matrix = features(table, table.table["id"]).matrix
    assert not matrix[:, 0].any() and matrix[99, 1] == 5


def test_several_tables_stand_side_by_side() -> None:
    colours = read_text("item_id,colour\na,red\nb,blue\nc,red\n", "item_attributes")
    sizes = read_text("item_id,size\nb,1.5\na,2.5\n", "item_attributes")
    nothing = read_text("item_id,colour\nx,red\ny,blue\n", "item_attributes")
    found = features_of([colours, nothing, sizes], pl.Series(["a", "b"]))
    assert found is not None and found.tolist() == [[0, 1, 1], [1, 0, -1]]
    assert features_of([nothing], pl.Series(["a", "b"])) is None
    assert features_of([], pl.Series(["a", "b"])) is None


def test_texts_of_all_tables_are_joined_to_the_ids() -> None:
    film = read_text(MOVIES, "item_attributes", "movies.csv")
    more = read_text("item_id,review\nm3, what a long and slow film \nm2,as bad as it can be\nm5,\n", "item_attributes")
    found = texts_of([film, more], pl.Series(["m2", "zzz", "m3"]))
    assert found == ["another long text about that film\nas bad as it can be", "", "what a long and slow film"]
    for tables in ([film], []):
        with pytest.raises(DataError, match="No text describes any of these ids"):
            texts_of(tables, pl.Series(["zzz", "m3"]))


def test_features_fit_the_graph() -> None:
    interactions = random_interactions()
    rows = "id,colour,size\n" + "".join(f"{name},{'red' if at % 2 else 'blue'},{at}.5\n" for at, name in enumerate(interactions.item_ids))
    matrix = features(read_text(rows, "item_attributes"), interactions.item_ids).matrix
    graph = build_graph(interactions, np.arange(len(interactions)), item_features=matrix)
    assert graph.item_features is not None and graph.item_features.shape == matrix.shape


def test_social_edges_need_both_ends() -> None:
    table = read_text("a,b\nb,a\na,a\na,z\nb,c\na,b\n", "social")
    edges = social_edges(table, pl.Series(["c", "a", "b", "d"]))
    assert list(zip(edges.source.tolist(), edges.target.tolist(), strict=True)) == [(1, 2), (2, 1), (2, 0)]
    assert (edges.unknown, edges.loops, edges.coverage) == (1, 1, 0.75)


def test_knowledge_is_linked_to_items() -> None:
    triples = read_text("e1,by,e2\ne3,by,e2\ne1,in,e4\n", "triples")
    links = read_text("x,e1\ny,e3\nz,e9\nx,e3\nq,e4\n", "item_links")
    graph = knowledge_graph(triples, links, pl.Series(["y", "x", "z"]))
    assert graph.entity_ids.to_list() == ["e1", "e3", "e2", "e4"] and graph.relation_names.to_list() == ["by", "in"]
    assert list(zip(graph.head.tolist(), graph.relation.tolist(), graph.tail.tolist(), strict=True)) == [(0, 0, 2), (1, 0, 2), (0, 1, 3)]
    assert graph.item_entity.tolist() == [1, 0, -1]
    assert (graph.coverage, graph.unknown_links) == (pytest.approx(2 / 3), 2)
    assert knowledge_graph(triples, None, pl.Series(["e4", "no"])).item_entity.tolist() == [3, -1]


@pytest.mark.parametrize(
    ("filename", "text", "kind"),
    [
        ("ml.item", "item_id:token\tclass:token_seq\na\tb c\n", "item_attributes"),
        ("ml.user", "user_id:token\tage:float\na\t3\n", "user_attributes"),
        ("ml.net", "source_id:token\ttarget_id:token\na\tb\n", "social"),
        ("ml.kg", "head_id:token\trelation_id:token\ttail_id:token\na\tb\tc\n", "triples"),
        ("ml.link", "item_id:token\tentity_id:token\na\tb\n", "item_links"),
    ],
)
def test_recbole_side_files_are_known(filename: str, text: str, kind: Kind) -> None:
    detected = detect(io.BytesIO(text.encode()), filename)
    assert detected.kind.kind == kind
    mapping = guess_side_mapping(detected, kind)
    if filename == "ml.item":
        assert isinstance(mapping, AttributesMapping)
        assert (mapping.attributes[0].name, mapping.attributes[0].type, mapping.attributes[0].separator) == ("class", "multi", " ")


def test_mappings_check_themselves() -> None:
    for document, message in (
        ({"kind": "social", "columns": {"user": 0}}, "choose one column each for user, friend"),
        ({"kind": "social", "columns": {"user": 0, "friend": 0}}, "cannot be both user and friend"),
        ({"kind": "item_attributes", "id": 0, "attributes": []}, "attributes"),
        ({"kind": "planets"}, "kind"),
        (None, "Column mapping"),
    ):
        with pytest.raises(DataError, match=message):
            side_mapping(document)
