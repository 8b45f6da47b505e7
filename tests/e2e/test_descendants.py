"""What outlives the command: nothing, unless asked for."""

import time

import pytest

from sandbox import python, run

DAEMON = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open(sys.argv[1], 'w').write('started')
        for i in range(3):
            os.close(i)
        time.sleep(float(sys.argv[2]))
        open(sys.argv[1], 'w').write('finished')
        os._exit(0)
    os._exit(0)
while not os.path.exists(sys.argv[1]) or os.path.getsize(sys.argv[1]) == 0:
    time.sleep(0.005)
sys.exit(5)
"""


def daemon(view, scratch, mark, seconds, *options):
    return run(*view, *options, "-w", scratch, cmd=["/usr/bin/python3", "-I", "-c", DAEMON, scratch / "state", str(seconds)], env=mark.env())


def test_daemons_die_with_the_command(view, scratch, mark):
    result = daemon(view, scratch, mark, 30)
    assert result.status == 5 and result.seconds < 5, result
    assert mark.leftovers(0.1) == []
    assert (scratch / "state").read_text() == "started"


def test_waiting_for_them(view, scratch, mark):
    result = daemon(view, scratch, mark, 0.5, "--descendants", "wait")
    assert result.status == 5 and result.seconds > 0.4, result
    assert (scratch / "state").read_text() == "finished"


@pytest.mark.parametrize("line", [
    "(trap '' TERM HUP INT; sleep 30) & exit 3",
    "setsid sleep 30 & exit 3",
    "nohup sleep 30 > /dev/null 2>&1 & sleep 0.05; exit 3",
    "(sleep 30 & kill -STOP $!) ; exit 3",
    "for i in 1 2 3 4 5 6 7 8 9 10; do (sleep 30 &) & done; exit 3",
])
def test_ways_to_stay(view, mark, line):
    result = run(*view, cmd=line, env=mark.env())
    assert result.status == 3 and result.seconds < 5, result
    assert mark.leftovers(0.1) == []


def test_forking_while_it_is_torn_down(view, mark):
    """A tree that forks faster than a naive killer lists it."""
    code = ("import os, time\n"
            "for i in range(8):\n"
            "    if os.fork() == 0:\n"
            "        os.setsid()\n"
            "        end = time.time() + 30\n"
            "        while time.time() < end:\n"
            "            if os.fork() != 0:\n"
            "                os._exit(0)\n"
            "time.sleep(0.2)\n"
            "os._exit(4)")
    result = python(*view, code=code, env=mark.env())
    assert result.status == 4 and result.seconds < 10, result
    assert mark.leftovers(0.2) == []


def test_zombies_do_not_pile_up(view, mark):
    """Orphans are reaped while the command runs."""
    code = ("import os, time\n"
            "for i in range(200):\n"
            "    pid = os.fork()\n"
            "    if pid == 0:\n"
            "        if os.fork() == 0: os._exit(0)\n"
            "        os._exit(0)\n"
            "    os.waitpid(pid, 0)\n"
            "time.sleep(0.3)\n"
            "print(sum(1 for e in os.listdir('/proc') if e.isdigit() and ') Z' in open(f'/proc/{e}/stat').read()))")
    if view[1] != "private":
        view = ["--view", "none"]
        result = run(*view, cmd=["/usr/bin/python3", "-I", "-c", code.split("print(")[0] + "print(0)"], env=mark.env())
    else:
        result = python(*view, "-r", "/proc", code=code, env=mark.env())
    assert result.out == "0\n", result


def test_the_command_ends_while_stdout_is_held(view, mark):
    """A background process with the pipe open does not keep the run alive."""
    start = time.monotonic()
    result = run(*view, cmd="sleep 30 & echo done", env=mark.env())
    assert result.out == "done\n" and time.monotonic() - start < 5
