"""The table of a controller against a dictionary."""

from __future__ import annotations

import random

from searchworker.controllers.table import PAGE, Table


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


def test_a_full_page_changes_only_when_one_of_its_architectures_is_told() -> None:
    table = Table()
    for number in range(2 * PAGE):
        table.add(number)
    before = table.state_dict()
    assert list(before) == ["table.0", "table.1"]
    table.add(2 * PAGE)
    table.tell(PAGE, 1, 0.5)
    after = table.state_dict()
    assert list(after) == ["table.0", "table.1", "table.2"]
    assert [column.tolist() for column in after["table.0"].values()] == [column.tolist() for column in before["table.0"].values()]
    assert after["table.1"]["rewards"][0] == 0.5
    back = Table()
    back.load_state_dict(after)
    assert len(back) == 2 * PAGE + 1
    assert back.told(PAGE) == (1, 0.5)
