"""
Groups H and O where it takes two: the supervisor of another sandbox, the names of sandboxes, and rules that change while a program runs. Bare
the attack works; with the nearest grant too; without it is stopped.
"""

import os
import subprocess

import pytest

import network
import sandbox
from network import ALLOWED, OTHER, Caller, Server, needs_namespace
from test_attack import MODES

REFUSED = "ConnectionRefusedError"


@pytest.fixture(params=MODES)
def mode(request, views):
    if request.param == "view" and not views:
        pytest.skip("unshare --user --mount --pid fails on this host: no kernel view")
    return MODES[request.param]


def unique(name):
    return f"{name}-{os.getpid()}"


def confined(*options, **env):
    return Caller(sandbox.SANDLOCK, "run", *sandbox.SYSTEM, *options, "--", env=sandbox.clean_environment(**env))


def listed(name):
    return any(line.split()[0] == name for line in sandbox.sandlock("ps").out.splitlines())


KNOCK = """
import os, socket, sys
own = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
own.bind(f"\\0probe/{os.getpid()}"), own.listen()
for name in (sys.argv[1], f"probe/{os.getpid()}"):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    try:
        s.connect("\\0" + name)
        if name.startswith("probe"):
            own.accept()[0].send(b"told")
        print("told" if s.recv(65536) else "nothing")
    except OSError as e:
        print(type(e).__name__)
"""


def test_H20_the_supervisor_of_another_sandbox(mode, scratch):
    """Whose program may be told about a sandbox is no question of its name. Sockets of one's own work."""
    door = [sandbox.PYTHON, "-I", "-c", KNOCK, f"sandlock/{os.geteuid()}/{unique('neighbour')}"]
    with confined("-n", unique("neighbour")) as neighbour:
        assert neighbour.up
        assert sandbox.execute(door).out.split() == ["told", "told"]
        assert sandbox.run("-w", scratch, *mode, cmd=door).out.split() == ["PermissionError", "told"]


@needs_namespace
@network.in_namespace
def test_H20_no_door_of_ours_to_find():
    """Whatever the rules ask of the supervisor, it listens at no port and is bound to none."""
    def doors():
        found = []
        for table in ("tcp", "tcp6", "udp", "udp6"):
            with open(f"/proc/self/net/{table}") as rows:
                found += [row.split()[1] for row in list(rows)[1:]]
        return found

    with Server(ALLOWED) as server:
        rules = ["--net-allow", f"tcp://localhost:{server.port}", "--net-allow", f"{ALLOWED}:{server.port}", "--net-deny", OTHER, "--net-allow-bind", "*",
                 "--net-rule", f"allow:ingress@{ALLOWED}", "--max-connections", "8"]
        for more in ([], ["--port-remap"], ["--port", f"{network.unused_port()}:8080"]):
            before = doors()
            with confined(*rules, *more) as guest:
                assert guest.up and doors() == before, (more, doors())
                assert guest.to(ALLOWED, server.port) == "reached"
    assert doors() != [], "what is listed is seen"


CLAIM = """
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.bind(f"\\0sandlock/{sys.argv[1]}/{sys.argv[2]}"), s.listen()
print("up", flush=True)
while True:
    s.accept()[0].close()
"""


def test_H20_a_name_of_a_sandbox_that_is_none(mode, scratch):
    """Abstract names are anybody's of the user to bind. The supervisor refuses these where it makes sockets listen; the kernel alone does not, and then
    the name is kept from those outside, and listed."""
    program = [sandbox.PYTHON, "-I", "-c", CLAIM, str(os.geteuid()), unique("claimed")]
    assert not listed(unique("claimed")) and sandbox.run("-n", unique("claimed"), cmd="true").status == 0
    confined = [sandbox.SANDLOCK, "run", *sandbox.SYSTEM, "-w", str(scratch), *mode, "--", *program]
    for argv, taken in ((program, True), (confined, "--no-supervisor" in mode)):
        claim = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=sandbox.clean_environment())
        try:
            assert claim.stdout.readline() == ("up\n" if taken else "")
            assert listed(unique("claimed")) == taken
            assert sandbox.run("-n", unique("claimed"), cmd="true").status == (125 if taken else 0)
        finally:
            claim.kill()
            claim.communicate()


def test_H26_rules_are_those_of_the_start(scratch):
    """A policy file that changes while a program runs changes the next run. Not this one, in either direction: there is no way to ask for it."""
    policy = scratch / "p.yaml"

    def write(host):
        policy.write_text(f"version: 1\nnetwork:\n  allow: [\"tcp://{host}\"]\n")
        policy.chmod(0o600)

    with Server(ALLOWED) as first, Server(OTHER, first.port) as second:
        write(ALLOWED)
        with confined("-p", str(policy)) as guest:
            assert [guest.to(host, first.port) for host in (ALLOWED, OTHER)] == ["reached", REFUSED]
            write(OTHER)
            with confined("-p", str(policy)) as next:
                assert [next.to(host, first.port) for host in (ALLOWED, OTHER)] == [REFUSED, "reached"]
            assert [guest.to(host, first.port) for host in (ALLOWED, OTHER)] == ["reached", REFUSED]
        assert (first.connections, second.connections) == (2, 1)
