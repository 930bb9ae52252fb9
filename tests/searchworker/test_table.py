"""The table of a controller against a dictionary."""

from __future__ import annotations

import random

from searchworker.controllers.table import Table


def test_it_knows_what_a_dictionary_would() -> None:
    draw, table = random.Random(0), Table()
    expected: dict[int, tuple[int, float]] = {}
    for _ in range(500):
        number = draw.choice([draw.getrandbits(64), 2**64 - 1, draw.choice([0, *expected])])
        assert (number in table) == (number in expected)
        if number not in expected and draw.random() < 0.5:
            table.add(number)
            expected[number] = (0, 0.0)
        else:
            expected[number] = (expected.get(number, (0, 0.0))[0] + 1, draw.random())
            table.tell(number, *expected[number])
    back = Table()
    back.load_state_dict(table.state_dict())
    for known in (table, back):
        assert len(known) == len(expected) > 100
        assert {number: known.told(number) for number in expected} == expected
        assert known.told(7) == (0, 0.0), "7 was never entered"
        assert known.count_told() == sum(rungs > 0 for rungs, _ in expected.values())
    number = next(iter(expected))
    back.tell(number, 99, 0.0)
    assert table.told(number) == expected[number], "what was loaded is the other's no longer"
