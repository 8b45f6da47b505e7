"""Time limits: TERM, then KILL, status 124, and always a record."""

import json

import pytest

from sandbox import run


def test_ends_after_the_time(view, mark):
    result = run(*view, "-t", "300ms", cmd="sleep 30", env=mark.env())
    assert result.status == 124 and 0.25 < result.seconds < 2, result
    assert "timeout" in result.err.lower() or "time" in result.err.lower()


def test_asks_before_it_kills(view, scratch, mark):
    result = run(*view, "-t", "300ms", "-w", scratch, cmd=f"trap 'echo saved > {scratch}/state; exit 7' TERM; sleep 30 & wait", env=mark.env())
    assert result.status == 124 and (scratch / "state").read_text() == "saved\n", result


def test_kills_what_does_not_listen(view, mark):
    result = run(*view, "-t", "200ms", "--kill-after", "300ms", cmd="trap '' TERM; while :; do sleep 1; done", env=mark.env())
    assert result.status == 124 and 0.45 < result.seconds < 2, result


def test_grace_is_two_seconds_by_default(view, mark):
    result = run(*view, "-t", "100ms", cmd="trap '' TERM; while :; do sleep 0.2; done", env=mark.env())
    assert result.status == 124 and 2.0 < result.seconds < 3.5, result


@pytest.mark.parametrize("line", ["kill -STOP $$", "setsid sh -c 'kill -STOP $$' & wait", "trap '' TERM; kill -STOP $$", "(setsid sleep 30 &) ; sleep 30"])
def test_stopped_and_scattered_processes(view, line, mark):
    result = run(*view, "-t", "200ms", "--kill-after", "200ms", cmd=line, env=mark.env())
    assert result.status == 124 and result.seconds < 2, result


def test_in_a_vfork_parent(view, mark, compiled):
    program = compiled("vforker", "#include <unistd.h>\n#include <signal.h>\nint main(){signal(SIGTERM,SIG_IGN);if(!vfork())for(;;)pause();}")
    result = run(*view, "-r", program, "-P", "5", "-t", "200ms", "--kill-after", "100ms", cmd=[program], env=mark.env())
    assert result.status == 124 and result.seconds < 2, result


def test_in_time(view):
    assert run(*view, "-t", "10", cmd="exit 6").status == 6


def test_record(view, scratch, mark):
    run(*view, "-t", "200ms", "--report", scratch / "report", cmd="sleep 30", env=mark.env())
    record = json.loads((scratch / "report").read_text())
    assert record["reason"] == "timeout", record


def test_max_duration(view, mark):
    result = run(*view, "--max-duration", "300ms", cmd="sleep 30", env=mark.env())
    assert result.status == 124 and result.seconds < 4, result


@pytest.mark.parametrize("value, low", [("1", 0.9), ("0.4s", 0.35), ("400ms", 0.35)])
def test_forms(value, low):
    result = run("-t", value, cmd="sleep 30")
    assert result.status == 124 and low < result.seconds < low + 1.5, result


@pytest.mark.parametrize("value", ["0", "", "-1", "1x", "5m1h", "s", "1.5.2s", "99999999999999999999", "11y", "nan", "1 2", "0x10"])
def test_bad_durations(value):
    result = run(f"--timeout={value}", cmd="echo started")
    assert result.status in (2, 125) and not result.out and "timeout" in result.err, result
