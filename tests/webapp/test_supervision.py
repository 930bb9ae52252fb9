"""A process of the stack that ends by itself comes back, and one that cannot run ends the stack."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.waiting import wait_for
from webapp import supervision
from webapp.stack import Stack


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(supervision, "FIRST_DELAY", 0.01)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def command(folder: Path, code: str) -> str:
    """A shell command that notes each of its starts in ``folder`` and then runs ``code``."""
    script = folder / "command.py"
    script.write_text(f"import os, sys, time\nopen({str(folder / 'starts')!r}, 'a').write(f'{{os.getpid()}}\\n')\n{code}")
    return f"{sys.executable} {script}"


def starts(folder: Path) -> list[int]:
    notes = folder / "starts"
    return [int(line) for line in notes.read_text().splitlines()] if notes.exists() else []


def test_a_process_that_does_not_stay_ends_the_stack_with_its_status(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    steady = f"{sys.executable} -c 'import time; time.sleep(600)'"
    stack = Stack(os.environ, {"steady": steady, "broken": command(tmp_path, "print('no such port'); sys.exit(3)")})
    assert stack.run() == 3
    assert len(starts(tmp_path)) == 1 + supervision.MOST_RESTARTS
    output = capsys.readouterr().out
    assert "broken ended unexpectedly with status 3 after 0 s; it is started again in 0.01 s." in output
    assert f"was started {supervision.MOST_RESTARTS} times again in vain" in output
    assert output.count("no such port") == len(starts(tmp_path))


def test_a_killed_process_comes_back_without_what_it_left_and_stopping_is_final(tmp_path: Path) -> None:
    child = f"if os.fork() == 0: open({str(tmp_path / 'child')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    stack = Stack(os.environ, {"worker": command(tmp_path, child)})

    def disturb() -> None:
        try:
            wait_for((tmp_path / "child").exists, what="the child of the process")
            orphan = int((tmp_path / "child").read_text())
            os.kill(starts(tmp_path)[0], signal.SIGKILL)
            wait_for(lambda: len(starts(tmp_path)) == 2, what="the restart")
            found.append(not Path(f"/proc/{orphan}").exists() or "Z" in Path(f"/proc/{orphan}/stat").read_text().split()[2])
        finally:
            os.kill(os.getpid(), signal.SIGTERM)

    found: list[bool] = []
    helper = threading.Thread(target=disturb)
    helper.start()
    assert stack.run() == 0
    helper.join()
    assert found == [True], "what the killed process had started lives on"
    assert len(starts(tmp_path)) == 2


def test_a_daemon_that_holds_the_output_open_does_not_keep_its_process_from_coming_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "LAST_WORDS_SECONDS", 0.1)
    daemon = f"if os.fork() == 0: os.setsid(); open({str(tmp_path / 'daemon')!r}, 'a').write(f'{{os.getpid()}}\\n'); time.sleep(60)\n"
    stack = Stack(os.environ, {"leaving": command(tmp_path, daemon + "time.sleep(0.2); sys.exit(6)")})
    began = time.monotonic()
    try:
        assert stack.run() == 6
        assert time.monotonic() - began < 60
        assert len(starts(tmp_path)) == 1 + supervision.MOST_RESTARTS
    finally:
        for line in (tmp_path / "daemon").read_text().splitlines():
            os.kill(int(line), signal.SIGKILL)


def test_a_process_that_ran_for_long_starts_to_count_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "STEADY_SECONDS", 1.0)
    monkeypatch.setattr(supervision, "MOST_RESTARTS", 1)
    notes = tmp_path / "starts"
    script = tmp_path / "flaky.sh"  # a shell starts within a second, also on a busy machine
    script.write_text(f"echo $$ >> {notes}; if [ $(wc -l < {notes}) -le 3 ]; then sleep 1.2; fi; exit 4")
    assert Stack(os.environ, {"flaky": f"sh {script}"}).run() == 4
    assert len(starts(tmp_path)) == 3 + 1, "the restart after the last long run was the only one in vain"
