"""Landlock layers that a program inside adds: calls on behalf must not pass by them."""

import pytest

import sandbox
from network import ALLOWED, Server
from sandbox import PYTHON, run

INNER = "import socket\ntry: socket.create_connection(('127.0.0.2', %d), 5); print('connected')\nexcept OSError as e: print(type(e).__name__)"


@pytest.mark.parametrize("outer", [[], ["--nestable"], ["-p", "nested"], ["--view", "none"]])
@pytest.mark.parametrize("rule", ["tcp://*:%d", "tcp://127.0.0.2:%d"])
def test_an_inner_sandbox_holds_or_does_not_start(outer, rule):
    """What the outer supervisor does on behalf must not pass by the rules of a sandbox inside."""
    with Server(ALLOWED) as server:
        allow = ["--net-allow", rule % server.port]
        done = sandbox.sandlock("run", "-r", "/", *outer, *allow, "--", PYTHON, "-I", "-c", INNER % server.port)
        assert done.out.split() == ["connected"], done
        seen = server.connections
        for inner in ([], ["--net-allow", "tcp://*:1"], ["--allow-degraded", "net-tcp", "--allow-degraded", "signal-scope",
                                                        "--allow-degraded", "abstract-unix-socket-scope", "--allow-degraded", "fs-ioctl-dev"]):
            done = sandbox.sandlock("run", "-r", "/", *outer, *allow, "--", sandbox.SANDLOCK, "run", "--no-supervisor", "-r", "/", *inner, "--",
                                    PYTHON, "-I", "-c", INNER % server.port)
            assert "connected" not in done.out and (done.status == 125 or done.out.split() == ["PermissionError"]), done
        assert server.connections == seen


def test_own_landlock_of_a_program(compiled):
    """Files can be confined further; rights over ports and scopes are not offered where calls are made on behalf."""
    program = compiled("layers", r"""
    #include <errno.h>
    #include <fcntl.h>
    #include <stdint.h>
    #include <stdio.h>
    #include <sys/prctl.h>
    #include <sys/syscall.h>
    #include <unistd.h>
    static long create(const void *attr, unsigned long size, unsigned flags)
    {
        long r = syscall(444, attr, size, flags);
        return r < 0 ? -errno : r;
    }
    int main(void)
    {
        uint64_t files[3] = {1 << 2}, ports[3] = {1 << 2, 1}, scopes[3] = {1 << 2, 0, 1}, newer[3] = {1 << 15}, none[3] = {0};
        printf("%ld ", create(NULL, 0, 1));
        printf("%ld %ld %ld %ld ", create(ports, 24, 0), create(scopes, 24, 0), create(newer, 24, 0), create(none, 24, 0));
        printf("%ld %ld %ld ", create(files, 4, 0), create(files, 5000, 0), create((void *)8, 24, 0));
        long fd = create(files, 24, 0);
        printf("%d ", fd > 2 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        printf("%ld ", syscall(446, fd, 0));
        printf("%d\n", open("/etc/passwd", O_RDONLY) < 0 ? errno : 0);
        return 0;
    }
    """)
    ingress = ["--nestable", "--net-allow", "*", "--net-allow-bind", "*", "--net-allow-bind", "udp://*", "--net-default-ingress", "deny"]
    for options in (["--net-allow", "tcp://127.0.0.2:1"], ["--port-remap", "--net-allow-bind", "80"], ingress):
        done = run("-r", str(program.parent), *options, cmd=[str(program)])
        assert done.out.split() == ["3", "-7", "-7", "-22", "-42", "-22", "-7", "-14", "1", "0", "13"], done
