"""From text columns to ids, numbers and times; a field that cannot be read gives its row a reason."""

from __future__ import annotations

import polars as pl

from gnn.sources.mapping import Mapping, Role, TimestampUnit
from gnn.sources.rejects import Reason

BLANKS = " \t"
"""Removed around every field; everything else in an id is kept exactly as written."""

UNITS_PER_SECOND: dict[TimestampUnit, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_FIRST_SECOND, _LAST_SECOND = -62_135_596_800, 253_402_300_799  # the years 1 to 9999

_ISO = (
    r"^(?<year>\d{4})[-/](?<month>\d{1,2})[-/](?<day>\d{1,2})"
    r"(?:[T ](?<hour>\d{1,2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,]\d+)?)?)?"
    r"\s*(?<zone>Z|UTC|[+-]\d{2}(?::?\d{2})?)?$"
)


def number(text: pl.Expr, decimal: str) -> pl.Expr:
    """Float64, null where the text is not a number; NaN and infinities pass."""
    return (text.str.replace(",", ".", literal=True) if decimal == "," else text).cast(pl.Float64, strict=False)


def seconds(text: pl.Expr, unit: TimestampUnit) -> pl.Expr:
    """Int64 seconds since 1970-01-01 UTC, rounded down, null where unreadable. An ISO time without a zone is UTC."""
    value = _iso_seconds(text) if unit == "iso" else _epoch_seconds(text, UNITS_PER_SECOND[unit])
    return pl.when(value.is_between(_FIRST_SECOND, _LAST_SECOND)).then(value)


def _epoch_seconds(text: pl.Expr, per_second: int) -> pl.Expr:
    # Whole numbers stay whole: a nanosecond count does not fit a float.
    whole = text.cast(pl.Int64, strict=False) // per_second
    fraction = (text.cast(pl.Float64, strict=False) / per_second).floor().cast(pl.Int64, strict=False)
    return pl.coalesce(whole, fraction)


def _iso_seconds(text: pl.Expr) -> pl.Expr:
    parts = text.str.extract_groups(_ISO)

    def part(name: str) -> pl.Expr:
        return parts.struct.field(name).fill_null("")

    clock = pl.concat_str(
        [part("year"), part("month"), part("day")]
        + [pl.when(part(name) == "").then(pl.lit("0")).otherwise(part(name)) for name in ("hour", "minute", "second")],
        separator=" ",
    )
    local = clock.str.to_datetime("%Y %m %d %H %M %S", time_unit="ms", strict=False).dt.epoch("s")
    digits = part("zone").str.replace_all(r"[^0-9]", "").str.pad_end(4, "0")
    offset = digits.str.slice(0, 2).cast(pl.Int64, strict=False) * 3600 + digits.str.slice(2, 2).cast(pl.Int64, strict=False) * 60
    return local - pl.when(part("zone").str.starts_with("-")).then(-offset).otherwise(offset)


def parse(table: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """Add ``weight_value``, ``timestamp_value`` (where mapped) and ``reason`` (null for a row that can be used).

    ``table`` has a text column for each mapped role, without surrounding blanks.
    """
    table = table.with_columns(
        *([number(pl.col("weight"), mapping.decimal).cast(pl.Float32).alias("weight_value")] if "weight" in mapping.columns else []),
        *([seconds(pl.col("timestamp"), mapping.timestamp_unit).alias("timestamp_value")] if "timestamp" in mapping.columns else []),
    )
    checks = [(pl.col("user") == "", Reason.MISSING_USER), (pl.col("item") == "", Reason.MISSING_ITEM)]
    if "weight" in mapping.columns:
        checks += [
            (pl.col("weight") == "", Reason.MISSING_WEIGHT),
            (pl.col("weight_value").is_null(), Reason.WEIGHT_NOT_NUMBER),
            (~pl.col("weight_value").is_finite(), Reason.WEIGHT_NOT_FINITE),
        ]
    if "timestamp" in mapping.columns:
        checks += [
            (pl.col("timestamp") == "", Reason.MISSING_TIMESTAMP),
            (pl.col("timestamp_value").is_null(), Reason.TIMESTAMP_NOT_READABLE),
        ]
    return table.with_columns(pl.coalesce(pl.when(failed).then(pl.lit(reason.value)) for failed, reason in checks).alias("reason"))


COLUMN_AT_FAULT: dict[Reason, Role] = {
    Reason.MISSING_USER: "user",
    Reason.MISSING_ITEM: "item",
    Reason.MISSING_WEIGHT: "weight",
    Reason.WEIGHT_NOT_NUMBER: "weight",
    Reason.WEIGHT_NOT_FINITE: "weight",
    Reason.MISSING_TIMESTAMP: "timestamp",
    Reason.TIMESTAMP_NOT_READABLE: "timestamp",
}
"""The role whose field gives a row its reason."""
