"""What is shown of a live run, on a terminal, in a log, and to programs."""

import io
import json
import re

import pytest

from tau.cli.displays import EventsDisplay, PlainDisplay, Throughput
from tau.cli.live import LiveDisplay
from unit.cli.looks import HALF, NONE, RUN, look


class Terminal(io.StringIO):
    """A stream that a person watches."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def test_a_log_gets_a_line_every_few_seconds() -> None:
    stream = io.StringIO()
    with PlainDisplay(stream) as display:
        display.started(RUN, resumed=False, total=100)
        for second in range(21):
            display.progress(look(float(second), second * 2, splits=(HALF, NONE)))

    first, *lines = stream.getvalue().splitlines()
    assert first == "started run-1: openai/gpt-4o-mini, evaluate, 100 rollouts"
    assert [line.partition(":")[0] for line in lines] == ["5.0 s", "10 s", "15 s", "20 s"]
    assert lines[0] == (
        "5.0 s: 10/100 done · 8 in flight · optimize 0.500 (0.250 to 0.750) · 10 calls of 500 · "
        "100 tokens · $0.01 of $2.00 · 2/s · about 45 s left"
    )


def test_a_log_does_not_repeat_what_has_not_changed() -> None:
    stream = io.StringIO()
    with PlainDisplay(stream) as display:
        for second in range(0, 60):
            display.progress(look(float(second), 10))

    assert len(stream.getvalue().splitlines()) == 1


def test_what_it_waits_for_and_what_failed_is_said() -> None:
    stream = io.StringIO()
    with PlainDisplay(stream) as display:
        display.started(RUN, resumed=True, total=None)
        display.progress(
            look(6.0, 10, failures={"server": 1, "rate_limit": 2}, waiting_for="a rate limit")
        )

    assert stream.getvalue().startswith("going on with run-1")
    assert "failed: rate_limit 2, server 1" in stream.getvalue()
    assert "waiting for a rate limit" in stream.getvalue()


def test_programs_get_every_look_as_an_event() -> None:
    stream = io.StringIO()
    with EventsDisplay(stream) as display:
        display.started(RUN, resumed=False, total=100)
        display.progress(look(1.0, 10, splits=(HALF,)))
        display.notice("two\nlines")

    started, progress, notice = map(json.loads, stream.getvalue().splitlines())
    assert (started["event"], started["total_rollouts"]) == ("started", 100)
    assert (progress["event"], progress["settled"], progress["in_flight"]) == ("progress", 10, 8)
    assert progress["splits"][0]["mean"] == 0.5
    assert notice == {"event": "notice", "text": "two\nlines"}


def test_a_terminal_gets_one_block_and_notices_above_it(terminal: Terminal) -> None:
    with LiveDisplay(terminal) as display:
        display.started(RUN, resumed=True, total=100)
        display.progress(look(1.0, 10, splits=(HALF, NONE), limit_now=4))
        display.notice("[bold]stopping[/bold] \x1b[31m")
        display.progress(look(2.0, 20, splits=(HALF, NONE), waiting_for="\x1b]0;owned\x07"))

    shown = terminal.getvalue()
    for text in ("goes on", "10/100", " 20%", "10/s", "about 8.0 s left", "0.500 (0.250 to 0.750)",
                 "50 scored, 2 unscored, 3 failed", "at most 4 at a time now"):  # fmt: skip
        assert text in shown, text
    assert "[bold]stopping[/bold] \\x1b[31m" in shown
    assert "\\x1b]0;owned\\x07" in shown
    assert "\x1b]0" not in shown


@pytest.mark.parametrize("width", [20, 40, 62, 100, 200])
def test_no_line_of_the_block_is_wider_than_the_terminal(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    with LiveDisplay(terminal) as display:
        display.progress(
            look(1.0, 10, splits=(HALF, NONE), failures={"server": 3}, waiting_for="w" * 300)
        )
        drawn = terminal.getvalue()

    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn).splitlines()
    assert lines
    assert max(map(len, lines)) <= width


def test_a_line_stays_only_where_no_report_follows(terminal: Terminal) -> None:
    with LiveDisplay(terminal) as display:
        display.progress(look(1.0, 10))
    finished = terminal.getvalue()
    terminal.truncate(0)
    failing = LiveDisplay(terminal)
    failing.progress(look(1.0, 10))
    failing.close(failed=True)

    assert "10/100 done" not in finished
    assert "10/100 done" in terminal.getvalue()


def test_the_pace_is_that_of_the_last_while() -> None:
    pace = Throughput()
    pace.watch(look(0.0, 0))
    assert (pace.per_s, pace.left_s(look(0.0, 0))) == (None, None)

    for second in range(1, 41):
        pace.watch(look(float(second), min(second, 20) + max(0, second - 20) * 3))

    assert pace.per_s == pytest.approx(3.0, rel=0.05)
    assert pace.left_s(look(40.0, 70)) == pytest.approx(10.0, rel=0.05)


def test_a_standstill_has_no_pace() -> None:
    pace = Throughput()
    for second in range(40):
        pace.watch(look(float(second), 10))

    assert (pace.per_s, pace.left_s(look(40.0, 10))) == (None, None)
