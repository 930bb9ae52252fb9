from __future__ import annotations

import threading

from searchworker.heartbeat import Heartbeat


def test_it_renews_while_the_block_runs_and_not_after() -> None:
    beats = 0
    enough = threading.Event()

    def renew() -> bool:
        nonlocal beats
        beats += 1
        if beats == 3:
            enough.set()
        return True

    with Heartbeat(renew, interval=0.01, on_error=lambda error: None):
        assert enough.wait(10)
    assert not any(thread.name == "heartbeat" for thread in threading.enumerate())


def test_it_stops_when_the_lease_is_no_longer_ours() -> None:
    calls: list[None] = []

    def renew() -> bool:
        calls.append(None)
        return False

    with Heartbeat(renew, interval=0.001, on_error=lambda error: None) as heartbeat:
        heartbeat._thread.join(10)
    assert len(calls) == 1


def test_a_failing_renewal_is_reported_and_tried_again() -> None:
    errors: list[Exception] = []
    again = threading.Event()

    def renew() -> bool:
        if len(errors) < 2:
            raise ConnectionError("the database restarts")
        again.set()
        return True

    with Heartbeat(renew, interval=0.001, on_error=errors.append):
        assert again.wait(10)
    assert [str(error) for error in errors] == ["the database restarts"] * 2
