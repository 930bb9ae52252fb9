from __future__ import annotations

from django.db import connection


def commit_without_waiting() -> None:
    """Let the current transaction commit before it is on disk, which takes longer than all else in a short one.

    If the database server is killed, it may lose such transactions of its last moments (at most three times
    ``wal_writer_delay``, 0.6 s), but never one without all that came after it: what remains is a state that was. So this is for
    what happens again by itself: a claim, a lease, a point of a curve, a round of a search. Results wait for the disk.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit TO off")
