from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

INGEST = 1
"""First number of the locks taken while a dataset is read; the second is its id."""


@contextmanager
def advisory_lock(kind: int, number: int) -> Iterator[bool]:
    """Try to be the only one at (kind, number) during the block; gives False, without waiting, when another is.

    The lock belongs to the database session, so it ends with a killed process.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [kind, number])
        got = bool(cursor.fetchone()[0])
    try:
        yield got
    finally:
        if got:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [kind, number])
