"""sandlock ps: what runs, under which name, with which ports; and who may be told."""

import json
import os
import re
import resource
import signal
import socket
import subprocess
import textwrap
import time

import pytest

import sandbox
from sandbox import PYTHON, sandlock, wait_for

SERVE = textwrap.dedent("""
    import socket, sys
    s = socket.create_server(("127.0.0.1", 8080))
    print("up", flush=True)
    sys.stdin.read()
""")
OTHER = ["setpriv", "--reuid", "47471", "--regid", "47471", "--clear-groups"]
WAIT = 'import sys; print("up", flush=True); sys.stdin.read()'


class Running:
    """A sandbox that lives until the block ends."""

    def __init__(self, *options, code=WAIT):
        self.argv = [sandbox.SANDLOCK, "run", "-r", "/", *options, "--", PYTHON, "-I", "-c", code]

    def __enter__(self):
        self.child = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=sandbox.clean_environment(), text=True)
        assert self.child.stdout.readline() == "up\n"
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait(10)
        self.child.stdout.close()

    @property
    def row(self):
        rows = [row for row in listed() if row["supervisor_pid"] == self.child.pid]
        return rows[0] if rows else None


class Outside(Running):
    """A Python program that nobody confines, as another user where `other` says so."""

    def __init__(self, code, other=False):
        self.argv = [*(OTHER if other else []), PYTHON, "-I", "-c", code]


def listed(**how):
    done = sandlock("ps", "--json", **how)
    assert done.status == 0, done
    return json.loads(done.out)


def unique(name):
    return f"{name}-{os.getpid()}"


def test_two_sandboxes_serve_one_port():
    with Running("-n", unique("b"), "--net-allow-bind", "8080", "--port-remap", code=SERVE) as b, \
         Running("-n", unique("a"), "--net-allow-bind", "8080", "--port-remap", code=SERVE) as a:
        rows = [a.row, b.row]
        assert [row["name"] for row in rows] == [unique("a"), unique("b")]
        real = {}
        for row in rows:
            assert row["status"] == "running" and row["uptime_s"] < 60 and PYTHON in row["cmd"], row
            assert os.readlink(f"/proc/{row['pid']}/exe") == os.path.realpath(PYTHON)
            for port in row["ports"]:
                assert (port["virtual"], port["proto"]) == (8080, "tcp")
            assert len(row["ports"]) <= 1
            # The number is mapped only where it has to be: whoever came first has 8080 itself, if it was free.
            real[row["name"]] = row["ports"][0]["real"] if row["ports"] else 8080
            socket.create_connection(("127.0.0.1", real[row["name"]]), 5).close()
        assert real[unique("a")] not in (8080, real[unique("b")])
        done = sandlock("ps")
        lines = done.out.splitlines()
        assert lines[0] == "%-32s %8s  %12s  %-10s  %-24s  %s" % ("NAME", "PID", "UPTIME", "STATUS", "PORTS", "CMD")
        mine = [line for line in lines if f"-{os.getpid()} " in line]
        assert [line.split()[0] for line in mine] == [unique("a"), unique("b")], "sorted by name"
        for line, row in zip(mine, rows):
            shown = re.fullmatch(r"(\S+) +(\d+) +(\d+s)  running     (\S+) +(.*)", line)
            assert shown and int(shown[2]) == row["pid"], line
            assert shown[4] == (f"8080→{row['ports'][0]['real']}" if row["ports"] else "-"), line
    assert a.row is None and b.row is None


def test_a_closed_port_is_not_shown():
    code = SERVE.replace("print", "s.close(); print")
    with Running("--net-allow-bind", "8080", "--port-remap", code=code) as s:
        assert s.row["ports"] == []


def test_published_port_is_shown():
    with Running("--port", "0:8080", code=SERVE) as s:
        (port,) = s.row["ports"]
        assert port["virtual"] == 8080
        socket.create_connection(("127.0.0.1", port["real"]), 5).close()


def test_every_run_has_a_name_of_its_own():
    with Running() as first, Running("--view", "none") as second:
        assert first.row["name"] == f"sandbox-{first.child.pid}" and second.row["name"] == f"sandbox-{second.child.pid}"


def test_a_name_is_used_once():
    with Running("-n", unique("once")) as first:
        done = sandbox.run("-r", "/", "-n", unique("once"), cmd=["/bin/true"])
        assert done.status == 125 and f'a sandbox named "{unique("once")}" is running already' in done.err, done
        assert f"process {first.child.pid}" in done.err
    assert sandbox.run("-r", "/", "-n", unique("once"), cmd=["/bin/true"]).status == 0


def test_stopped_supervisor_is_listed(view, tmp_path):
    with Running(*view) as s:
        program = s.row["pid"]
        os.kill(s.child.pid, signal.SIGSTOP)
        wait_for(lambda: sandbox.state(s.child.pid) == "T")
        begin = time.monotonic()
        row = s.row
        assert 1.5 < time.monotonic() - begin < 4
        assert row["status"] == "unresponsive" and row["pid"] == program and "ports" not in row, row
        text = [line for line in sandlock("ps").out.splitlines() if row["name"] in line][0]
        assert re.search(r" \d+s  unresponsive  \? +\S", text), text
        os.kill(s.child.pid, signal.SIGCONT)
        assert s.row["status"] == "running"


def test_killed_supervisor_leaves_no_name():
    with Running("-n", unique("killed")) as s:
        s.child.kill()
        wait_for(lambda: s.row is None, seconds=2)
        done = sandbox.run("-r", "/", "-n", unique("killed"), cmd=["/bin/true"])
        assert done.status == 0, done


def test_hostile_command_line_is_escaped(compiled):
    """O12: what a program writes over its arguments does not drive the reader's terminal."""
    program = compiled("title", r"""
    #include <stdio.h>
    #include <string.h>
    #include <sys/prctl.h>
    #include <unistd.h>
    int main(int argc, char **argv)
    {
        char c;
        memcpy(argv[0], "\033]0;owned\007\n\xff", 13);
        prctl(PR_SET_NAME, ") R 1 (\n");
        puts("up");
        fflush(stdout);
        return read(0, &c, 1) != 0;
    }
    """)
    s = Running()
    s.argv[-4:] = [str(program)]
    with s:
        row = s.row
        assert row["uptime_s"] < 60 and "\x1b]0;owned" in row["cmd"]
        out = subprocess.run([sandbox.SANDLOCK, "ps"], capture_output=True, env=sandbox.clean_environment()).stdout
        assert b"\\x1b]0;owned\\x07\\x0a\\xff" in out and b"\x1b" not in out and b"\xff" not in out, out


ASK = textwrap.dedent("""
    import socket, sys
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.settimeout(5)
    try:
        s.connect(b"\\0sandlock/%d/%s")
        print(len(s.recv(100000)))
    except OSError as e: print(type(e).__name__)
""")


@pytest.mark.parametrize("options", [[], ["--view", "none"], ["--net-allow", "tcp://127.0.0.2:1"],
                                     ["--disable", "abstract-unix-socket-scope"],
                                     ["--disable", "abstract-unix-socket-scope", "--net-allow", "tcp://127.0.0.2:1"],
                                     ["--disable", "abstract-unix-socket-scope", "--disable", "signal-scope", "--net-allow", "tcp://127.0.0.2:1"]],
                         ids=lambda words: " ".join(words) or "plain")
def test_programs_inside_are_told_nothing(options):
    """Neither by connecting themselves nor by what the supervisor does on their behalf."""
    name = unique("inside")
    outside = subprocess.run([PYTHON, "-I", "-c", ASK % (os.getuid(), name)], capture_output=True, text=True).stdout
    assert outside == "ConnectionRefusedError\n"
    done = sandbox.python("-r", "/", "-n", name, *options, code=ASK % (os.getuid(), name))
    assert done.out in ("PermissionError\n", "0\n"), done
    with Running("-n", name):
        outside = subprocess.run([PYTHON, "-I", "-c", ASK % (os.getuid(), name)], capture_output=True, text=True).stdout
        assert int(outside) >= 40


CLAIM = textwrap.dedent("""
    import socket
    for name in (b"\\0sandlock/%d/forged", b"\\0sandlockx%d"):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try: s.bind(name); s.listen(); print("listens")
        except PermissionError as e: print("refused")
""")


@pytest.mark.parametrize("options", [[], ["--net-allow-bind", "8080"], ["--net-allow-bind", "8080", "--port-remap"]], ids=["plain", "listen", "bind"])
def test_no_name_is_claimed_on_behalf(options):
    """The peer would see the supervisor as the one who listens."""
    done = sandbox.python(*options, code=CLAIM % (os.getuid(), os.getpid()))
    assert done.out == "refused\nlistens\n", done


@pytest.mark.skipif(not sandbox.IS_ROOT, reason="id -u says that this is an ordinary user: it cannot become another one")
def test_other_users_neither_see_nor_squat():
    with Running("-n", unique("mine")):
        done = subprocess.run([*OTHER, PYTHON, "-I", "-c", ASK % (0, unique("mine"))], capture_output=True, text=True)
        assert done.stdout == "0\n", done
    squatter = subprocess.Popen([*OTHER, PYTHON, "-I", "-c", textwrap.dedent(f"""
        import socket, sys
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.bind(b"\\0sandlock/0/{unique("mine")}")
        s.listen()
        print("up", flush=True)
        sys.stdin.read()""")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert squatter.stdout.readline() == "up\n"
        assert unique("mine") not in [row["name"] for row in listed()]
        done = sandbox.run("-r", "/", "-n", unique("mine"), cmd=["/bin/true"])
        assert done.status == 125 and f"process {squatter.pid} of user 47471 holds the name" in done.err, done
    finally:
        squatter.communicate()


REGISTER = textwrap.dedent("""
    import os, resource, socket, struct, sys, threading
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    kept = []
    def register(name, kind=socket.SOCK_SEQPACKET):
        s = socket.socket(socket.AF_UNIX, kind)
        s.bind(b"\\0" + name)
        s.listen(8)
        kept.append(s)
        return s
    def answer(s, supervisor, pid):
        def serve():
            while True:
                c = s.accept()[0]
                c.send(struct.pack("<IIiiIIQQHHBB", 1, 40, supervisor, pid, 1, 0, 7, 0, 443, 443, 6, 0))
                c.close()
        threading.Thread(target=serve, daemon=True).start()
    def up():
        print("up", flush=True)
        sys.stdin.read()
""")


@pytest.mark.parametrize("view", ["none", "default"])
def test_programs_inside_are_not_listed_as_sandboxes(view):
    """Whatever they claim and answer, also from a child and a child whose parent has left."""
    forge = REGISTER + textwrap.dedent(f"""
        def forge(name):
            try: answer(register(b"sandlock/{os.getuid()}/" + name), os.getpid(), {os.getpid()})
            except PermissionError: pass  # root in a view has its binds made for it
        r, w = os.pipe()
        if os.fork() == 0:
            if os.fork() == 0:
                forge(b"{unique("a-orphan")}")
                os.write(w, b"x")
                up()
                os._exit(0)
            os._exit(0)
        os.wait()
        os.read(r, 1)
        forge(b"{unique("a-forged")}")
        forge(b"{unique("z-forged")}")
        up()
    """)
    # Where binding is not restricted nothing looks at names.
    options = ["--net-allow-bind", "*"] + ([] if view == "default" else ["--view", view])
    with Running("-n", unique("honest"), *options, code=forge) as s:
        rows = [row for row in listed() if str(os.getpid()) in row["name"]]
        assert [row["name"] for row in rows] == [unique("honest")], rows
        assert rows[0]["supervisor_pid"] == s.child.pid and rows[0]["status"] == "running"


def test_program_of_another_is_not_believed():
    code = REGISTER + f'answer(register(b"sandlock/{os.getuid()}/{unique("liar")}"), os.getpid(), {os.getpid()}); up()'
    with Outside(code) as liar:
        assert liar.row["status"] == "running" and liar.row["pid"] is None, liar.row


def test_one_listener_is_one_row():
    """Many names that nobody answers for do not use up the time."""
    code = REGISTER + f'[register(b"sandlock/{os.getuid()}/{unique("many")}-%04d" % i) for i in range(1500)]; up()'
    with Running("-n", unique("victim")) as s, Outside(code) as many:
        begin = time.monotonic()
        rows = [row for row in listed(preexec_fn=lambda: limit_files(1024)) if str(os.getpid()) in row["name"]]
        assert time.monotonic() - begin < 3
        assert [row["supervisor_pid"] for row in rows] == [many.child.pid, s.child.pid], rows


def limit_files(soft, hard=None):
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard or resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


FORTY = REGISTER + textwrap.dedent("""
    r, w = os.pipe()
    for i in range(40):
        if os.fork() == 0:
            answer(register(b"sandlock/%d/%s-%%02d" %% i), 0, 0)
            os.write(w, b"x")
            sys.stdin.read()
            os._exit(0)
        os.read(r, 1)
    up()
""")


def test_few_descriptors_hide_nothing():
    with Outside(FORTY % (os.getuid(), unique("forty"))), Running("-n", unique("victim")):
        rows = [row["name"] for row in listed(preexec_fn=lambda: limit_files(20)) if str(os.getpid()) in row["name"]]
        assert rows == [*(unique("forty") + "-%02d" % i for i in range(40)), unique("victim")]
        done = sandlock("ps", preexec_fn=lambda: limit_files(30, 30))
        assert done.status == 0 and "names are not shown" in done.err, done


def test_full_queue_is_told_and_no_row():
    code = REGISTER + textwrap.dedent(f"""
        name = b"sandlock/{os.getuid()}/{unique("full")}"
        register(name).listen(0)
        try:
            while True:
                c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                c.setblocking(False)
                kept.append(c)
                c.connect(b"\\0" + name)
        except BlockingIOError: pass
        up()
    """)
    with Outside(code, other=sandbox.IS_ROOT):
        done = sandlock("ps")
        assert unique("full") + " " not in done.out and "names are not shown" in done.err, done


@pytest.mark.skipif(not sandbox.IS_ROOT, reason="id -u says that this is an ordinary user: it cannot become another one")
def test_lines_made_up_by_another_user():
    """A name may hold line ends: rows that are not there hide nothing, and the real one is there once."""
    code = REGISTER + textwrap.dedent(f"""
        for i in range(5000):
            register(b"%05d" % i + b"\\n: 0 0 10000 5 0 0 @sandlock/0/a" * 2 + b"%05d" % i)
        register(b"x\\n:0 0 10000 5 0 0 @sandlock/0/{unique("real")}")
        up()
    """)
    with Running("-n", unique("real")) as s, Outside(code, other=True):
        rows = listed()
        assert [row["supervisor_pid"] for row in rows if row["name"] == unique("real")] == [s.child.pid]
        assert not [row for row in rows if row["name"].startswith("a")]


def test_who_has_ended_is_not_told():
    """The number of a process that is gone says nothing about where it ran."""
    ask = textwrap.dedent(f"""
        import os, signal, socket
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(5)
        if os.fork() == 0:
            s.connect(b"\\0sandlock/{os.getuid()}/{unique("ended")}")
            os._exit(0)
        os.wait()
        os.kill(%d, signal.SIGCONT)
        print(len(s.recv(100000)))
    """)
    with Running("-n", unique("ended")) as s:
        os.kill(s.child.pid, signal.SIGSTOP)
        wait_for(lambda: sandbox.state(s.child.pid) == "T")
        out = subprocess.run([PYTHON, "-I", "-c", ask % s.child.pid], capture_output=True, text=True)
        assert out.stdout == "0\n", out
        assert s.row["status"] == "running"


def test_supervisor_without_descriptors_does_not_spin():
    def ticks(pid):
        with open(f"/proc/{pid}/stat") as f:
            return sum(map(int, f.read().rsplit(")", 1)[1].split()[11:13]))

    with Running("-n", unique("poor")) as s, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        assert s.row["status"] == "running"
        before = resource.prlimit(s.child.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(s.child.pid, resource.RLIMIT_NOFILE, (5, before[1]))  # enough for poll(2)
        client.connect(f"\0sandlock/{os.getuid()}/{unique('poor')}")
        begin = ticks(s.child.pid)
        time.sleep(1)
        assert ticks(s.child.pid) - begin < os.sysconf("SC_CLK_TCK") / 5
        resource.prlimit(s.child.pid, resource.RLIMIT_NOFILE, before)
        os.kill(s.child.pid, signal.SIGCONT)
        assert s.row["status"] == "running"


BUSY = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>
static const size_t len = 16ul << 30;
static char *map;
static volatile int go;
static void *change(void *unused)
{
    while (!go)
        usleep(1000);
    for (;;) {
        mprotect(map, len, PROT_NONE);
        mprotect(map, len, PROT_READ);
    }
}
int main(void)
{
    pthread_t thread;
    char c;
    map = mmap(0, len, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    madvise(map, len, MADV_NOHUGEPAGE);
    if (map == MAP_FAILED || madvise(map, len, 22 /* MADV_POPULATE_READ: page tables for nothing but zeroes */))
        return 1;
    for (int i = 0; i < 100; i++)
        pthread_create(&thread, 0, change, 0);
    go = 1;
    write(1, "up\n", 3);
    read(0, &c, 1);
    _exit(0);
}
"""


def test_command_line_that_takes_long(compiled):
    """Who reads a program's memory waits for those who change its map; the list does not."""
    s = Running("-n", unique("busy"))
    s.argv[-4:] = [str(compiled("busy", BUSY))]
    with s, Running("-n", unique("victim")):
        for _ in range(3):
            begin = time.monotonic()
            rows = {row["name"]: row for row in listed()}
            assert time.monotonic() - begin < 3
            assert unique("busy") in rows and PYTHON in rows[unique("victim")]["cmd"], rows


def test_empty_and_usage():
    if not listed():
        assert sandlock("ps").out == "No running sandboxes.\n"
    for name in ("list", "ls"):
        assert sandlock(name).status == 0
    assert "  ps, list, ls " in sandlock("--help").out
    done = sandlock("lst")
    assert done.status == 2 and "list" in done.err, done
    assert sandlock("").status == 2
    done = sandlock("ps", "x")
    assert done.status == 2 and "ps takes no operand" in done.err
