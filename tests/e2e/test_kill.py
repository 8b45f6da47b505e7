"""Killing sandlock itself, at any moment: nothing of the sandbox survives it."""

import os
import random
import signal
import subprocess
import time

import pytest

from sandbox import SANDLOCK, SYSTEM, Mark, children, command_line, wait_for

ROUNDS = int(os.environ.get("KILL_ROUNDS", "200"))

GUEST = ("import os, time, signal\n"
         "for s in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT): signal.signal(s, signal.SIG_IGN)\n"
         "if os.fork() == 0:\n"
         "    os.setsid()\n"
         "    os.fork()\n"
         "    time.sleep(60)\n"
         "time.sleep(60)")
SHELL = "trap '' TERM HUP INT; (setsid sleep 60 & setsid sh -c 'sleep 60 & sleep 60' & sleep 60) & sleep 60"


def test_at_random_moments(view):
    seed = random.randrange(1 << 30)
    chance = random.Random(seed)
    late = []
    for i in range(ROUNDS):
        mark = Mark()
        child = subprocess.Popen([SANDLOCK, "run", *SYSTEM, *view, "-P", "50", "--", "/bin/sh", "-c", SHELL], env=mark.env(),
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        mark.watch(child)
        # mostly during start-up (a few milliseconds), sometimes when everything runs
        time.sleep(chance.uniform(0, 0.008) if i % 4 else chance.uniform(0.008, 0.06))
        child.kill()
        child.wait()
        left = mark.leftovers(0.1)
        if left:
            late.append((i, left, mark.leftovers(2)))
            for pid, _ in mark.leftovers(0):
                os.kill(pid, signal.SIGKILL)
    assert not late, f"seed {seed}: {len(late)} of {ROUNDS} rounds left something after 100 ms; first: {late[0]}"


def test_three_generations(view, mark):
    child = subprocess.Popen([SANDLOCK, "run", *SYSTEM, *view, "--", "/usr/bin/python3", "-I", "-c", GUEST], env=mark.env(), start_new_session=True)
    mark.watch(child)
    assert wait_for(lambda: len(mark.processes()) >= 3, 10)  # the three of the guest; ours carry no environment
    time.sleep(0.1)
    child.kill()
    child.wait()
    assert mark.leftovers(0.1) == []


@pytest.mark.parametrize("signal_name, status", [("SIGSEGV", -11), ("SIGABRT", -6), ("SIGBUS", -7)])
def test_when_it_crashes(view, mark, signal_name, status):
    child = subprocess.Popen([SANDLOCK, "run", *SYSTEM, *view, "-P", "20", "--", "/bin/sh", "-c", SHELL], env=mark.env(), start_new_session=True)
    mark.watch(child)
    assert wait_for(lambda: len(mark.processes()) >= 4, 10)
    child.send_signal(getattr(signal, signal_name))
    child.wait(timeout=10)
    assert mark.leftovers(0.2) == []


def test_killing_the_holder_ends_the_run(needs_view, mark):
    child = subprocess.Popen([SANDLOCK, "run", *SYSTEM, "--view", "private", "--", "/bin/sh", "-c", "echo up; sleep 60"], env=mark.env(),
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "up\n"
    # the holder is the child of sandlock that is process 1 of the namespace of the guest
    kin = [pid for pid in mark.processes() if pid != child.pid]
    holder = [pid for pid in [*children(child.pid), *kin] if nspid(pid)[-1:] == ["1"] and len(nspid(pid)) > 1]
    assert holder, [(pid, command_line(pid), nspid(pid)) for pid in [*children(child.pid), *kin]]
    os.kill(holder[0], signal.SIGKILL)
    assert child.wait(timeout=5) in (137, 125), child.stderr.read()
    assert mark.leftovers(0.2) == []


def nspid(pid):
    try:
        with open(f"/proc/{pid}/status") as f:
            for line in f:
                if line.startswith("NSpid:"):
                    return line.split()[1:]
    except OSError:
        pass
    return []
