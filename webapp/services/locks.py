from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

INGEST = 1
"""First number of the locks taken while a dataset is read; the second is its id."""
TEXTS = 2
"""Of those taken while a language model reads texts; the second is from a hash of both."""
BATCH = 3
"""Of those taken while all users are ranked; the second is the id of the batch."""
SAMPLE = 4
"""Of those taken while a sample becomes a dataset; the second tells the samples apart."""


@contextmanager
def advisory_lock(kind: int, number: int, *, wait: bool = False) -> Iterator[bool]:
    """Be the only one at (kind, number) during the block; while another is, ``wait``, or else give False at once.

    The lock belongs to the database session, so it ends with a killed process.
    """
    with connection.cursor() as cursor:
        if wait:
            cursor.execute("SELECT pg_advisory_lock(%s, %s)", [kind, number])
            got = True
        else:
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [kind, number])
            got = bool(cursor.fetchone()[0])
    try:
        yield got
    finally:
        if got:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [kind, number])
