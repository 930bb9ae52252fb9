from __future__ import annotations


class Conflict(Exception):
    """What was asked does not fit the present state; the message says what state that is and what can be done."""
