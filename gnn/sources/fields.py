"""From text columns to numbers, times and labels; a field that cannot be read gives its row a reason."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from gnn.sources.mapping import Decimal, Mapping, Role, Thousands, TimestampUnit
from gnn.sources.rejects import Reason

BLANKS = " \t"
"""Removed around every field; everything else in an id is kept exactly as written."""

UNITS_PER_SECOND: dict[TimestampUnit, int] = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
TRUTHS: dict[str, float] = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
FIRST_SECOND, LAST_SECOND = -62_135_596_800, 253_402_300_799  # the years 1 to 9999

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = (
    r"(?:[T, ]\s*(?<hour>\d{1,2}):(?<minute>\d{2})(?::(?<second>\d{2})(?:[.,]\d+)?)?\s*(?<half>[AaPp][Mm])?)?"
    r"\s*(?<zone>Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?)?$"
)
_NAMED_MONTH = r"(?<month>[A-Za-z]{3})[a-z]*\.?"
_FORMS: dict[TimestampUnit, tuple[str, ...]] = {
    "iso": (
        r"^(?<year>\d{4})[-/.](?<month>\d{1,2})[-/.](?<day>\d{1,2})" + _CLOCK,
        r"^(?<year>\d{4})(?<month>\d{2})(?<day>\d{2})(?:[T ]?(?<hour>\d{2}):?(?<minute>\d{2}):?(?<second>\d{2})?)?"
        r"(?<half>)(?<zone>Z|[+-]\d{2}:?\d{2})?$",
        # Names of months leave no doubt: 7 Feb 2011; Feb 7, 2011; Mon Feb 07 12:00:00 +0000 2011.
        r"^(?:[A-Za-z]{3,9},? )?(?<day>\d{1,2})[- ]" + _NAMED_MONTH + r"[-, ]\s*(?<year>\d{4})" + _CLOCK,
        r"^(?:[A-Za-z]{3,9},? )?" + _NAMED_MONTH + r" (?<day>\d{1,2}),? (?<year>\d{4})" + _CLOCK,
        r"^[A-Za-z]{3} " + _NAMED_MONTH + r" +(?<day>\d{1,2}) (?<hour>\d{2}):(?<minute>\d{2}):(?<second>\d{2})(?<half>) "
        r"(?:(?<zone>[+-]\d{4}|UTC|GMT) )?(?<year>\d{4})$",
    ),
    "dmy": (r"^(?<day>\d{1,2})[-/. ](?<month>\d{1,2})[-/. ](?<year>\d{4}|\d{2})" + _CLOCK,),
    "mdy": (r"^(?<month>\d{1,2})[-/. ](?<day>\d{1,2})[-/. ](?<year>\d{4}|\d{2})" + _CLOCK,),
}
_QUICK_FORMS = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ")
"""Read without a regular expression, which is ten times faster."""


GROUPS: dict[Thousands, tuple[str, str]] = {
    ",": (",", r"^[+-]?\d{1,3}(?:,\d{2,3})*,\d{3}(?:\.\d*)?$"),  # two digits in between: lakhs and crores
    ".": (r"\.", r"^[+-]?\d{1,3}(?:\.\d{3})+(?:,\d*)?$"),
    " ": ("[ \u00a0\u2009\u202f]", "^[+-]?\\d{1,3}(?:[ \u00a0\u2009\u202f]\\d{3})+(?:[.,]\\d*)?$"),
    "'": ("['’]", r"^[+-]?\d{1,3}(?:['’]\d{3})+(?:[.,]\d*)?$"),
}
"""The sign between thousands and the numbers that have it where it belongs."""


def number(text: pl.Series, decimal: Decimal, thousands: Thousands = "") -> pl.Series:
    """Float64, null where the text is not a number; NaN and infinities pass. A sign between other digits than thousands is none."""
    if thousands:
        sign, grouped = GROUPS[thousands]
        whole = text.str.contains(grouped)
        odd = text.str.contains(sign) & ~whole
        text = text.zip_with(~whole, text.str.replace_all(sign, "")).set(odd, None)
        decimal = "," if thousands == "." else "." if thousands == "," else decimal
    return (text.str.replace(",", ".", literal=True) if decimal == "," else text).cast(pl.Float64, strict=False)


def seconds(text: pl.Series, unit: TimestampUnit) -> pl.Series:
    """Int64 seconds since 1970-01-01 UTC, rounded down, null where unreadable. A date without a zone is UTC."""
    value = _epoch_seconds(text, UNITS_PER_SECOND[unit]) if unit in UNITS_PER_SECOND else _calendar_seconds(text, unit)
    return value.set(~value.is_between(FIRST_SECOND, LAST_SECOND), None)


def _epoch_seconds(text: pl.Series, per_second: int) -> pl.Series:
    # Whole numbers stay whole: a nanosecond count does not fit a float.
    whole = text.cast(pl.Int64, strict=False)
    if per_second > 1:
        whole = whole // per_second
    if not whole.null_count():
        return whole
    fraction = (text.cast(pl.Float64, strict=False) / per_second).floor().cast(pl.Int64, strict=False)
    return whole.zip_with(whole.is_not_null(), fraction)


def _calendar_seconds(text: pl.Series, unit: TimestampUnit) -> pl.Series:
    value = pl.Series(text.name, [None], dtype=pl.Int64).new_from_index(0, len(text))
    if unit == "iso" and len(text):
        for form in _QUICK_FORMS:
            value = text.str.to_datetime(form, time_unit="ms", strict=False, exact=True).dt.epoch("s")
            if value.null_count() < len(text):
                break
    for form in _FORMS[unit]:
        left = value.is_null()
        if not left.any():
            break
        value = value.scatter(left.arg_true(), _by_form(text.filter(left), form))
    return value


def _by_form(text: pl.Series, form: str) -> pl.Series:
    parts = text.str.extract_groups(form)

    def part(name: str) -> pl.Expr:
        return pl.col(name).fill_null("")

    def whole(name: str) -> pl.Expr:
        return part(name).cast(pl.Int64, strict=False).fill_null(0)

    month = part("month").str.to_lowercase().replace({name: str(at) for at, name in enumerate(_MONTHS, start=1)})
    # Two digits are the years 1969 to 2068, as POSIX has it.
    century = pl.when(whole("year") < 69).then(pl.lit("20")).otherwise(pl.lit("19"))
    year = pl.when(part("year").str.len_chars() == 2).then(pl.concat_str([century, part("year")])).otherwise(part("year"))
    half = part("half").str.to_lowercase()
    # 12 AM is midnight and 12 PM is noon.
    hour = pl.when(half == "").then(whole("hour")).otherwise(whole("hour") % 12 + pl.when(half == "pm").then(12).otherwise(0))
    hour = pl.when((half != "") & ~whole("hour").is_between(1, 12)).then(99).otherwise(hour)
    clock = pl.concat_str(
        [year, month, part("day"), hour.cast(pl.String), whole("minute").cast(pl.String), whole("second").cast(pl.String)],
        separator=" ",
    )
    local = clock.str.to_datetime("%Y %m %d %H %M %S", time_unit="ms", strict=False).dt.epoch("s")
    digits = part("zone").str.replace_all(r"[^0-9]", "").str.pad_end(4, "0")
    offset = digits.str.slice(0, 2).cast(pl.Int64, strict=False) * 3600 + digits.str.slice(2, 2).cast(pl.Int64, strict=False) * 60
    return parts.struct.unnest().select(local - pl.when(part("zone").str.starts_with("-")).then(-offset).otherwise(offset)).to_series()


def _label(text: pl.Series) -> pl.Series:
    value = text.cast(pl.Float32, strict=False)
    if value.null_count():
        worded = text.str.to_lowercase().replace_strict(TRUTHS, default=None, return_dtype=pl.Float32)
        value = value.zip_with(value.is_not_null(), worded)
    return value.set(~value.is_between(0, 1), None)


def _propensity(value: pl.Series) -> pl.Series:
    value = value.cast(pl.Float32)
    return value.set(~((value > 0) & (value <= 1)), None)


def _position(value: pl.Series) -> pl.Series:
    return value.set(value != value.floor(), None).cast(pl.Int32, strict=False)


def parse(table: pl.DataFrame, mapping: Mapping) -> pl.DataFrame:
    """Replace text by values (``user``, ``item``, ``behaviour`` and ``domain`` stay text) and add ``reason``, null where all is well.

    The text of the numbers stays as ``<role>_text``. ``table`` has a text column for each mapped role, without surrounding blanks.
    """

    def as_number(text: pl.Series, role: Role) -> pl.Series:
        return number(text, mapping.decimal, mapping.thousands.get(role, ""))

    reason = pl.Series("reason", [None], dtype=pl.String).new_from_index(0, len(table))
    read: dict[Role, Callable[[pl.Series], pl.Series]] = {
        "weight": lambda text: as_number(text, "weight").cast(pl.Float32),
        "timestamp": lambda text: seconds(text, mapping.timestamp_unit),
        "label": _label,
        "propensity": lambda text: _propensity(as_number(text, "propensity")),
        "position": lambda text: _position(as_number(text, "position")),
    }
    for role, missing, unreadable, infinite in _CHECKS:
        if role not in table.columns:
            continue
        text = table[role]
        failures = [(text == "", missing)] if missing else []
        if role in read:
            value = read[role](text).alias(role)
            failures += [(value.is_null(), unreadable)] if unreadable else []
            failures += [(~value.is_finite(), infinite)] if infinite else []
            table = table.with_columns(value, text.alias(f"{role}_text"))
        for failed, why in failures:
            if failed.any():
                reason = reason.set((failed & reason.is_null()).fill_null(False), why.value)
    return table.with_columns(reason)


_CHECKS: tuple[tuple[Role, Reason | None, Reason | None, Reason | None], ...] = (
    ("user", Reason.MISSING_USER, None, None),
    ("item", Reason.MISSING_ITEM, None, None),
    ("weight", Reason.MISSING_WEIGHT, Reason.WEIGHT_NOT_NUMBER, Reason.WEIGHT_NOT_FINITE),
    ("timestamp", Reason.MISSING_TIMESTAMP, Reason.TIMESTAMP_NOT_READABLE, None),
    ("label", None, Reason.LABEL_NOT_READABLE, None),
    ("behaviour", Reason.MISSING_BEHAVIOUR, None, None),
    ("domain", Reason.MISSING_DOMAIN, None, None),
    ("propensity", None, Reason.PROPENSITY_NOT_READABLE, None),
    ("position", None, Reason.POSITION_NOT_READABLE, None),
)
"""For each role: the reasons of a field that is empty, that cannot be read, that is infinite or not a number."""

COLUMN_AT_FAULT: dict[Reason, Role] = {reason: role for role, *reasons in _CHECKS for reason in reasons if reason}
"""The role whose field gives a row its reason."""
