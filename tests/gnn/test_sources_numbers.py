"""Decimal signs and thousands: seen from a column as a whole, told where it does not show, and read to the digit."""

from __future__ import annotations

import csv
import io
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnn.attributes import features
from gnn.errors import DataError
from gnn.sources import Detected, Mapping, Rejects, detect, read
from gnn.sources.fields import number
from gnn.sources.mapping import NUMBER_FORMS
from gnn.sources.number_forms import written
from gnn.sources.rejects import Reason
from gnn.sources.side import read_side
from gnn.sources.side_guess import guess_side_mapping


def table(weights: list[str], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(["user", "item", "plays"])
    writer.writerows([f"u{at % 5}", f"i{at}", weight] for at, weight in enumerate(weights))
    return text.getvalue().encode()


def look_and_read(content: bytes, **said: Any) -> tuple[Detected, list[float], Rejects]:
    detected = detect(io.BytesIO(content), "plays.csv")
    mapping = detected.mapping({"user": 0, "item": 1, "weight": 2}, **said)
    interactions, rejects = read(io.BytesIO(content), Mapping.from_json(mapping.to_json()), "plays.csv")
    assert interactions.weight is not None
    return detected, interactions.weight.tolist(), rejects


@pytest.mark.parametrize(
    ("weights", "numbers"),
    [
        (["1,234.5", "987", "12"], [1234.5, 987, 12]),
        (["1.234,5", "987", "12,25"], [1234.5, 987, 12.25]),
        (["1 234", "987", "1 234 567"], [1234, 987, 1234567]),
        (["1\u00a0234,5", "12\u202f345", "9,5"], [1234.5, 12345, 9.5]),
        (["1\u2009234.5", "9.5"], [1234.5, 9.5]),
        (["1'234.50", "12’345.75", "7"], [1234.5, 12345.75, 7]),
        (["1,234,567", "12"], [1234567, 12]),
        (["1.234.567", "12"], [1234567, 12]),
        (["12,34,567.5", "-1,234.5"], [1234567.5, -1234.5]),
        (["1,234", "12.50"], [1234, 12.5]),  # the dot divides no thousands, so the comma does
        (["1.234", "12,50"], [1234, 12.5]),
        (["1,234.5", "0.25", "2e3"], [1234.5, 0.25, 2000]),
        # No thousands:
        (["3,5", "4,25"], [3.5, 4.25]),
        (["3,5", "1,234"], [3.5, 1.234]),
        (["0,125", "0,250"], [0.125, 0.25]),
        (["0.125", "3.250"], [0.125, 3.25]),
        (["1234,567", "5"], [1234.567, 5]),
        ([*["1.234"] * 200, "3,5"], [*[1.234] * 200, 3.5]),  # one odd value is dirt
    ],
)  # fmt: skip
def test_the_form_of_numbers_is_seen_from_the_column(weights: list[str], numbers: list[float]) -> None:
    detected, found, rejects = look_and_read(table(weights, ";"))
    assert found == pytest.approx(numbers, rel=1e-6) and rejects.total == 0
    assert not detected.problems
    assert detected.columns[2].is_number
    assert (detected.columns[2].low, detected.columns[2].high) == (min(numbers), max(numbers))
    assert look_and_read(table(weights))[1] == found  # quoted where need be


@pytest.mark.parametrize(
    ("weights", "delimiter", "read_so", "otherwise", "form"),
    [
        (["1,234", "987", "12,000"], ",", [1.234, 987, 12], [1234, 987, 12000], "1,234.5"),
        (["1.234", "987", "12.000"], ";", [1.234, 987, 12], [1234, 987, 12000], "1.234,5"),
    ],
)
def test_where_it_does_not_show_the_decimal_sign_is_kept_and_the_choice_told(
    weights: list[str], delimiter: str, read_so: list[float], otherwise: list[float], form: Any
) -> None:
    detected, found, _ = look_and_read(table(weights, delimiter))
    assert found == pytest.approx(read_so)
    sign = "comma" if "," in weights[0] else "dot"
    assert detected.problems == (
        f"In column 'plays' the {sign} of numbers such as {weights[0]} may be the decimal sign or divide thousands. "
        "It is taken for the decimal sign. Choose how numbers are written if it is not.",
    )
    assert look_and_read(table(weights, delimiter), numbers=form)[1] == otherwise


def test_fractions_of_three_digits_with_a_dot_are_told_of_only_where_files_avoid_the_comma() -> None:
    assert not detect(io.BytesIO(table(["1.234", "2.500"])), "plays.csv").problems


@pytest.mark.parametrize("odd", ["1,23", "1,2345", ",234", "1,234,5", "12,34.5", "1,234.5.6", "1,,234", "1 234"])
def test_a_sign_elsewhere_than_between_thousands_makes_no_number(odd: str) -> None:
    _, found, rejects = look_and_read(table([*["1,234.5"] * 20, odd]), numbers="1,234.5")
    assert found == [1234.5] * 20
    assert rejects.counts == {Reason.WEIGHT_NOT_NUMBER: 1} and rejects.examples[Reason.WEIGHT_NOT_NUMBER][0].text == odd


@pytest.mark.parametrize("odd", ["1.23", "0.25", "1.2345", "1.234.5"])
def test_a_dot_between_thousands_is_no_decimal_sign(odd: str) -> None:
    _, found, rejects = look_and_read(table([*["1.234,5"] * 20, odd], ";"), numbers="1.234,5")
    assert found == [1234.5] * 20 and rejects.counts == {Reason.WEIGHT_NOT_NUMBER: 1}


def test_a_column_named_like_a_weight_or_a_time_that_is_none_is_told() -> None:
    rows = "".join(f"u{at % 5};i{at};{'NULL' if at % 9 == 4 else at % 5};{45000 + at}\n" for at in range(40))
    detected = detect(io.BytesIO(f"user;item;rating;date\n{rows}".encode()), "plays.csv")
    assert set(detected.guesses) == {"user", "item"}
    advice = "It is left out unless you choose it, and then rows with such values are rejected."
    assert detected.problems == (
        f"Column 'rating' is named like a weight, but 'NULL' in it is no number. {advice}",
        f"Column 'date' is named like a time, but '45000' in it is no time in a known form. {advice}",
    )
    one = detect(io.BytesIO(f"user;item;rating;score\n{rows}".encode()), "plays.csv")
    assert "weight" in one.guesses and not one.problems  # another column is the weight
    assert not detect(io.BytesIO(b"title,rating\nA film,PG\nAnother,R\n" * 5), "films.csv").problems


def test_each_column_has_a_form_of_its_own() -> None:
    rows = "".join(f'u{at % 5};i{at};"{1000 + at:,}.5";0,{at + 1:03};{1 + at}\n' for at in range(20))
    content = f"user;item;plays;propensity;position\n{rows}".encode()
    mapping = detect(io.BytesIO(content), "plays.csv").mapping()
    assert (mapping.decimal, mapping.thousands) == (",", {"weight": ","})
    interactions, rejects = read(io.BytesIO(content), mapping, "plays.csv")
    assert rejects.total == 0 and interactions.weight is not None and interactions.propensity is not None
    assert interactions.weight.tolist() == [1000.5 + at for at in range(20)]
    assert interactions.propensity.tolist() == pytest.approx([(at + 1) / 1000 for at in range(20)])


def test_numbers_of_attributes_have_thousands_too() -> None:
    ids = pl.Series([f"i{at}" for at in range(30)])

    def price_of(form: str) -> list[float]:
        content = ("item,price,pages\n" + "".join(f'i{at},"{1000 * at + 500.5:{form}}",{at % 3}\n' for at in range(30))).encode()
        mapping = guess_side_mapping(detect(io.BytesIO(content), "items.csv"), "item_attributes")
        side, rejects = read_side(io.BytesIO(content), mapping, "items.csv")
        assert rejects.total == 0
        found = features(side, ids)
        return found.matrix[:, found.names.index("price")].tolist()  # type: ignore[no-any-return]

    assert price_of(",.2f") == price_of(".2f") and len(set(price_of(".2f"))) == 30


def test_mappings_of_before_are_read_as_before() -> None:
    old = {"columns": {"user": 0, "item": 1, "weight": 2}, "decimal": ","}
    assert Mapping.from_json(old).thousands == {}
    with pytest.raises(DataError, match="thousands"):
        Mapping.from_json(old | {"thousands": {"weight": "x"}})


@settings(max_examples=200, deadline=None)
@given(values=st.lists(st.integers(-(10**12), 10**12), min_size=1, max_size=8), form=st.sampled_from(sorted(NUMBER_FORMS)))
def test_what_is_written_in_a_form_is_read_back_in_it(values: list[int], form: Any) -> None:
    decimal, thousands = NUMBER_FORMS[form]
    texts = [f"{value / 100:,.2f}".replace(",", "T").replace(".", decimal).replace("T", thousands) for value in values]
    assert number(pl.Series(texts), decimal, thousands).to_list() == pytest.approx([value / 100 for value in values])
    assert number(pl.Series(texts), *written(pl.Series(texts))[:2]).to_list() == pytest.approx([value / 100 for value in values])
