"""Signals sent to sandlock reach the command; the second one ends it."""

import signal
import subprocess
import time

import pytest

from sandbox import SANDLOCK, SYSTEM

FORWARDED = ["INT", "TERM", "HUP", "QUIT", "USR1", "USR2", "WINCH"]


def start(view, line, mark, *options):
    child = subprocess.Popen([SANDLOCK, "run", *SYSTEM, *view, "-P", "50", *options, "--", "/bin/sh", "-c", line], env=mark.env(),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "up\n"
    return child


def finish(child, seconds=10):
    try:
        out, err = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        raise
    return child.returncode, out, err


@pytest.mark.parametrize("name", FORWARDED)
def test_forwarded(view, mark, name):
    # No fork while the signal comes: with a limit that is a trapped call, which a signal can interrupt (docs/limits.md).
    child = start(view, f"trap 'echo got; exit 30' {name}; sleep 10 & echo up; wait", mark)
    child.send_signal(getattr(signal, "SIG" + name))
    assert finish(child)[:2] == (30, "got\n")


@pytest.mark.parametrize("name, status", [("INT", 130), ("TERM", 143), ("HUP", 129), ("QUIT", 131)])
def test_default_action(view, mark, name, status):
    child = start(view, "echo up; exec sleep 30", mark)
    time.sleep(0.2)  # bash ignores SIGQUIT until it has exec'ed
    child.send_signal(getattr(signal, "SIG" + name))
    returned, _, err = finish(child)
    assert returned in (status, 128 - status), (returned, err)


def test_reaches_the_whole_group(view, mark):
    child = start(view, "(trap 'echo child; exit' USR1; while :; do sleep 0.05; done) & trap ':' USR1; sleep 0.1; echo up; wait; wait; exit 0", mark)
    child.send_signal(signal.SIGUSR1)
    assert finish(child)[1] == "child\n"


@pytest.mark.parametrize("name, status", [("INT", 130), ("TERM", 143)])
def test_second_one_kills(view, mark, name, status):
    child = start(view, "trap '' INT TERM; echo up; while :; do sleep 0.1; done", mark)
    child.send_signal(getattr(signal, "SIG" + name))
    time.sleep(0.3)
    assert child.poll() is None
    child.send_signal(getattr(signal, "SIG" + name))
    began = time.monotonic()
    assert finish(child)[0] == status
    assert time.monotonic() - began < 1.5
    assert mark.leftovers(0.2) == []


def test_slow_second_one_does_not(view, mark):
    child = start(view, "n=0; trap 'n=$((n+1)); [ $n = 2 ] && exit 33' INT; echo up; while :; do sleep 0.1; done", mark, "--kill-after", "30")
    child.send_signal(signal.SIGINT)
    time.sleep(2.3)
    child.send_signal(signal.SIGINT)
    assert finish(child)[0] == 33


def test_one_that_is_ignored_is_final_after_the_grace(view, mark):
    """Away from a terminal a request to end is one: the time of --kill-after, then the end."""
    child = start(view, "trap '' TERM; echo up; while :; do sleep 0.1; done", mark, "--kill-after", "400ms")
    child.send_signal(signal.SIGTERM)
    assert finish(child, 3)[0] == 143


def test_signal_during_the_start(view, mark):
    for delay in (0, 0.0005, 0.001, 0.002, 0.004):
        child = subprocess.Popen([SANDLOCK, "run", *SYSTEM, *view, "--", "/bin/sleep", "30"], env=mark.env(),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(delay)
        child.send_signal(signal.SIGTERM)
        assert finish(child)[0] in (-15, 143)
        assert mark.leftovers(0.2) == []


def test_stop_and_continue(view, mark):
    from sandbox import state, wait_for
    child = start(view, "echo up; for i in $(seq 30); do sleep 0.05; done; exit 11", mark)
    child.send_signal(signal.SIGTSTP)
    time.sleep(0.2)
    child.send_signal(signal.SIGCONT)
    wait_for(lambda: state(child.pid) != "T", 2)
    assert finish(child)[0] == 11
