"""Job control on a real terminal, under a real interactive shell."""

import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from sandbox import SANDLOCK, SYSTEM


class Terminal:
    """bash -i on a pty; `send` types, `expect` waits for a pattern in what came out since the last match."""

    def __init__(self, mark, argv=("/bin/bash", "--norc", "--noprofile", "-i")):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            env = mark.env(PS1="PROMPT> ", TERM="dumb", SL=" ".join([SANDLOCK, "run", *SYSTEM]))
            for name in ("HISTFILE", "PROMPT_COMMAND"):
                env.pop(name, None)
            os.execvpe(argv[0], argv, env)
        self.text = ""

    def send(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern, seconds=8):
        deadline = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.text)
            if found:
                self.text = self.text[found.end():]
                return found
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                raise AssertionError(f"{pattern!r} did not come; got {self.text!r}")
            try:
                data = os.read(self.fd, 4096)
            except OSError:
                data = b""
            if not data:
                raise AssertionError(f"terminal closed before {pattern!r}; got {self.text!r}")
            self.text += data.decode(errors="replace")

    def close(self):
        try:
            os.kill(self.pid, signal.SIGHUP)
            os.kill(self.pid, signal.SIGCONT)
        except OSError:
            pass
        os.close(self.fd)
        for _ in range(200):
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return
            time.sleep(0.01)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@pytest.fixture
def view(view):
    return " ".join([*view, "-P", "50"])


@pytest.fixture
def terminal(mark):
    made = Terminal(mark)
    made.expect("PROMPT> ")
    made.send("stty -echo; bind 'set enable-bracketed-paste off' 2>/dev/null\n")
    made.expect("PROMPT> ")
    yield made
    made.close()


def test_interrupt(terminal, view):
    terminal.send(f"$SL {view} -- sh -c 'echo up; exec sleep 30'; echo status=$?\n")
    terminal.expect("up")
    terminal.send("\x03")
    terminal.expect("status=130")
    terminal.expect("PROMPT> ")


def test_quit_key(terminal, view):
    terminal.send(f"$SL {view} --no-coredump -- sh -c 'echo up; exec sleep 30'; echo status=$?\n")
    terminal.expect("up")
    terminal.send("\x1c")
    terminal.expect("status=131")


def test_command_that_handles_the_interrupt(terminal, view):
    terminal.send(f"$SL {view} -- sh -c 'trap \"echo handled; exit 5\" INT; echo up; while :; do sleep 0.1; done'; echo status=$?\n")
    terminal.expect("up")
    terminal.send("\x03")
    terminal.expect("handled")
    terminal.expect("status=5")


def test_stop_and_foreground(terminal, view):
    terminal.send(f"$SL {view} -- sh -c 'echo up; while :; do sleep 20; done'\n")
    terminal.expect("up")
    time.sleep(0.3)
    terminal.send("\x1a")
    terminal.expect("Stopped")
    terminal.expect("PROMPT> ")
    terminal.send("echo shell-lives\n")
    terminal.expect("shell-lives")
    terminal.send("fg; echo status=$?\n")
    terminal.expect(r"\$SL")
    time.sleep(0.3)
    terminal.send("\x03")
    terminal.expect("status=130")


def test_stop_and_background(terminal, view):
    # one long sleep: a shell that is making a process (vfork) when the key comes cannot stop, with or without a sandbox
    terminal.send(f"$SL {view} -- sh -c 'echo up; sleep 1; echo finished; exit 4'\n")
    terminal.expect("up")
    time.sleep(0.3)
    terminal.send("\x1a")
    terminal.expect("Stopped")
    terminal.expect("PROMPT> ")
    terminal.send("bg; wait %1; echo status=$?\n")
    terminal.expect("finished")
    terminal.expect("status=4")


def test_background_start(terminal, view):
    terminal.send(f"$SL {view} -- sh -c 'sleep 0.3; echo finished; exit 6' &\n")
    terminal.expect("PROMPT> ")
    terminal.send("echo shell-lives; wait $!; echo status=$?\n")
    terminal.expect("shell-lives")
    terminal.expect("finished")
    terminal.expect("status=6")


def test_background_reader_is_stopped(terminal, view):
    terminal.send(f"$SL {view} -- sh -c 'read line; echo read:$line' &\n")
    terminal.expect("PROMPT> ")
    time.sleep(0.4)
    terminal.send("jobs\n")
    terminal.expect("Stopped")
    terminal.send("fg\n")
    terminal.expect(r"\$SL")
    time.sleep(0.3)
    terminal.send("hello\n")
    terminal.expect("read:hello")


def test_terminal_belongs_to_the_shell_again(terminal, view):
    for line in ("true", "sh -c 'exit 3'", "sh -c 'kill -KILL $$'"):
        terminal.send(f"$SL {view} -- {line}; echo reading; cat; echo after-cat\n")
        terminal.expect("reading\r")
        time.sleep(0.1)
        terminal.send("typed\n")
        terminal.expect("typed")
        terminal.send("\x04")
        terminal.expect("after-cat\r")


def test_terminal_modes_come_back(terminal, view):
    """A program that dies in raw mode leaves the terminal as it was; one that exits has set it on purpose, as under a shell."""
    terminal.send(f"$SL {view} -- sh -c 'stty raw; kill -KILL $$'; stty -a | grep -o -- '-\\?icanon'\n")
    found = terminal.expect(r"(-?)icanon\r")
    assert found.group(1) == ""


def test_reading_the_terminal(terminal, view):
    terminal.send(f"$SL {view} -- sh -c 'read a; echo got:$a; tty >/dev/null && echo is-a-tty'\n")
    time.sleep(0.3)
    terminal.send("word\n")
    terminal.expect("got:word")
    terminal.expect("is-a-tty")


def test_bash_inside_has_job_control(terminal, view):
    terminal.send(f"$SL {view} -r /dev/pts -- bash --norc --noprofile -i\n")
    terminal.expect("PROMPT> ")
    terminal.send("sleep 30\n")
    time.sleep(0.4)
    terminal.send("\x1a")
    terminal.expect("Stopped")
    terminal.send("jobs; fg\n")
    terminal.expect("sleep 30")
    time.sleep(0.3)
    terminal.send("\x03")
    terminal.send("echo inner-lives; exit 9\n")
    terminal.expect("inner-lives")
    terminal.expect("PROMPT> ")
    terminal.send("echo status=$?\n")
    terminal.expect("status=9")


def test_pipelines(terminal, view):
    terminal.send(f"echo one | $SL {view} -- cat | $SL {view} -- tr a-z A-Z\n")
    terminal.expect("ONE")
    terminal.expect("PROMPT> ")
    terminal.send(f"$SL {view} -- yes | head -1; echo statuses=${{PIPESTATUS[0]}}\n")
    terminal.expect("statuses=(141|1)")


def test_hangup_ends_everything(mark, view):
    terminal = Terminal(mark)
    terminal.expect("PROMPT> ")
    terminal.send(f"$SL {view} -- sh -c 'echo up; sleep 60 & sleep 60'\n")
    terminal.expect("up\r")
    terminal.close()
    assert mark.leftovers(3) == []


def test_no_terminal(mark, view):
    done = subprocess.run(["setsid", "-w", SANDLOCK, "run", *SYSTEM, *view.split(), "--", "/bin/sh", "-c", "exit 8"], stdin=subprocess.DEVNULL,
                          env=mark.env(), timeout=20)
    assert done.returncode == 8


def test_captured_run_leaves_the_foreground_alone(mark, view):
    """stdin is a terminal, the output a pipe: the terminal must stay with the caller's group."""
    code = ("import os, subprocess, sys\n"
            "before = os.tcgetpgrp(0)\n"
            "out = subprocess.run(os.environ['SL'].split() + sys.argv[1:] + ['--', '/bin/sh', '-c', 'echo inside'], stdout=subprocess.PIPE).stdout\n"
            "print('same' if os.tcgetpgrp(0) == before == os.getpgrp() else 'different', out.decode().strip(), flush=True)\n"
            "import time; time.sleep(0.2)\n")
    terminal = Terminal(mark, ("/usr/bin/python3", "-I", "-c", code, *view.split()))
    terminal.expect("same inside")
    terminal.close()
