"""Unix sockets: paths under grants, own ones, and whose identity the peer sees."""

import os
import pathlib
import socket
import subprocess
import textwrap
import threading

import pytest

from network import Server
from sandbox import PYTHON, python, run


class UnixServer(Server):
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(path)
        self.socket.listen(16)
        self.connections, self.peers = 0, []
        threading.Thread(target=self.serve, daemon=True).start()


UNIX = """
import os, socket
inside, outside, link = %r, %r, %r
def stream(path):
    try:
        s = socket.socket(socket.AF_UNIX); s.connect(path); s.sendall(b"hi"); return s.recv(8).decode()
    except OSError as e: return type(e).__name__
def datagram(path, how):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        if how == "sendto": s.sendto(b"x", path)
        elif how == "sendmsg": s.sendmsg([b"x"], [], 0, path)
        else: s.connect(path)
        return "sent"
    except OSError as e: return type(e).__name__
print(stream(inside), stream(outside), stream(link))
os.chdir(os.path.dirname(inside))
print(stream(os.path.basename(inside)), stream("../out/stream"))
print(*(datagram(inside + ".dgram", how) for how in ("sendto", "sendmsg", "connect")))
print(*(datagram(outside + ".dgram", how) for how in ("sendto", "sendmsg", "connect")))
print(stream(inside + ".none"))
"""


def test_unix_sockets_under_grants(tmp_path, view):
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
    inside, outside, link = (str(tmp_path / p) for p in ("in/stream", "out/stream", "in/link"))
    os.symlink(outside, link)
    datagrams = []
    for path in (inside, outside):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        s.bind(path + ".dgram")
        datagrams.append(s)
    with UnixServer(inside) as granted, UnixServer(outside) as other:
        done = python(*view, "-r", str(tmp_path), "-w", str(tmp_path / "in"), code=UNIX % (inside, outside, link))
        assert done.status == 0 and done.out.splitlines() == ["hi PermissionError PermissionError", "hi PermissionError", "sent sent sent",
                                                              "PermissionError PermissionError PermissionError", "FileNotFoundError"], done
        assert granted.connections == 2 and other.connections == 0
        datagrams[1].setblocking(False)
        with pytest.raises(BlockingIOError):
            datagrams[1].recv(8)


def test_own_unix_sockets_and_descriptors(tmp_path):
    """A server and a client of one sandbox: paths, abstract names, descriptors and credentials."""
    code = """
    import array, os, socket, threading
    for name in (%r + "/sock", "\\0own-%%d" %% os.getpid()):
        server = socket.socket(socket.AF_UNIX); server.bind(name); server.listen(4)
        def serve():
            c, _ = server.accept(); data, anc, *_ = c.recvmsg(64, socket.CMSG_SPACE(4))
            fd = array.array("i", anc[0][2][:4])[0]; os.write(fd, b"through " + data); c.sendall(b"ok"); c.close()
        t = threading.Thread(target=serve); t.start()
        client = socket.socket(socket.AF_UNIX); client.connect(name)
        r, w = os.pipe()
        client.sendmsg([b"the ", b"socket"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [w]))])
        assert client.recv(8) == b"ok"; t.join(); print(os.read(r, 64).decode())
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    got = bytearray()
    t = threading.Thread(target=lambda: [got.extend(b.recv(1 << 20)) for _ in iter(lambda: len(got) < 4 << 20, False)]); t.start()
    assert a.sendmsg([b"z" * (4 << 20)]) == 4 << 20; t.join(); print(len(got))
    """
    done = python("-w", str(tmp_path), code=textwrap.dedent(code) % str(tmp_path))
    assert done.status == 0 and done.out.splitlines() == ["through the socket"] * 2 + [str(4 << 20)], done


def test_bound_paths_name_no_descriptor_of_the_supervisor(tmp_path):
    code = """
    import os, socket
    for n in range(40):
        try: socket.socket(socket.AF_UNIX).bind("/proc/self/fd/%%d/sock" %% n); print("bound", n)
        except (PermissionError, FileNotFoundError): pass
    socket.socket(socket.AF_UNIX).bind(%r); print("done")
    """
    done = python("--view", "none", "--port-remap", "-r", "/proc", "-w", str(tmp_path), "--cwd", str(tmp_path), code=textwrap.dedent(code) % str(tmp_path / "sock"))
    assert done.out.split() == ["done"], done


@pytest.mark.skipif(os.getuid() != 0, reason="id -u says that this is an ordinary user: it cannot become another one")
def test_no_identity_is_lent(tmp_path):
    """A program that gave up root must not be taken for root by a server that asks who connects."""
    code = """
    import os, socket
    os.setgroups([]); os.setresgid(1000, 1000, 1000); os.setresuid(1000, 1000, 1000)
    try: socket.socket(socket.AF_UNIX).connect(%r)
    except OSError as e: print(type(e).__name__)
    """
    with UnixServer(str(tmp_path / "root")) as server:
        os.chmod(tmp_path / "root", 0o666)
        for d in [tmp_path, *tmp_path.parents]:
            if d.stat().st_uid == os.getuid() and d != pathlib.Path("/"):
                d.chmod(d.stat().st_mode | 0o111)
        done = python("--caps", "keep", "-w", str(tmp_path), code=textwrap.dedent(code) % str(tmp_path / "root"))
        assert done.out.split() == ["PermissionError"] and server.connections == 0, done


@pytest.mark.skipif(os.getuid() != 0, reason="id -u says that this is an ordinary user: it cannot become another one")
@pytest.mark.parametrize("caps", [[], ["--caps", "keep"]], ids=["files", "keep"])
def test_who_gave_up_root_still_talks(caps):
    """What is sent on behalf of another user names that user, and its sockets work."""
    code = """
    import os, socket, struct
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    b.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    def received():
        data, control, _, _ = b.recvmsg(9, 200)
        kinds = {kind: value for _, kind, value in control}
        return data, struct.unpack("iII", kinds[socket.SCM_CREDENTIALS])[1:], len(kinds.get(socket.SCM_RIGHTS, b""))
    a.sendmsg([b"root"]); print(received())
    os.setgroups([]); os.setresgid(1001, 1001, 1001); os.setresuid(1000, 1000, 1000)
    a.sendmsg([b"user"]); print(received())
    socket.send_fds(a, [b"fds"], [0, 1]); print(received())
    server = socket.socket(socket.AF_UNIX); server.bind("\\0" + str(os.getpid())); server.listen(); print("listens")
    """
    expected = "(b'root', (0, 0), 0)\n(b'user', (1000, 1001), 0)\n(b'fds', (1000, 1001), 8)\nlistens\n"
    assert subprocess.run([PYTHON, "-I", "-c", textwrap.dedent(code)], capture_output=True, text=True).stdout == expected
    done = python(*caps, "--net-allow", "udp://127.0.0.1", code=textwrap.dedent(code))
    assert done.out == expected, done


SWAP = r"""
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
static void *swap(void *place)
{
    for (;;)
        syscall(SYS_renameat2, AT_FDCWD, "a", AT_FDCWD, "b", 2 /* RENAME_EXCHANGE */);
    return place;
}
int main(int argc, char **argv)
{
    struct sockaddr_un address = {AF_UNIX};
    pthread_t thread;
    char name[32];
    int bound = 0;
    (void)argc;
    chdir(argv[1]);
    symlink("open", "a"), symlink("closed", "b");
    pthread_create(&thread, NULL, swap, NULL);
    time_t end = time(NULL) + 2;
    for (int i = 0; time(NULL) < end; i++) {
        int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
        snprintf(address.sun_path, sizeof address.sun_path, "%s/a/%d", argv[1], i);
        bound += bind(fd, (void *)&address, sizeof address) == 0;
        close(fd);
        snprintf(name, sizeof name, "open/%d", i);
        unlink(name);
    }
    printf("%d\n", bound);
    return 0;
}
"""


@pytest.mark.parametrize("grant", ["place", "link"])
def test_no_socket_beside_a_read_only_mount(compiled, needs_view, tmp_path, grant):
    """A path that changes where it leads while the supervisor makes the socket leads into nothing that a mount of the view closes."""
    program, place = compiled("swap", SWAP), tmp_path / "place"
    for name in ("open", "closed"):
        (place / name).mkdir(parents=True)
    (tmp_path / "link").symlink_to("place")
    done = run("-r", str(program), "-w", str(tmp_path / grant), "--fs-mount", f"{place}/closed:{place}/closed:ro", "--port-remap", cmd=[str(program), str(place)])
    assert int(done.out) > 100 and list((place / "closed").iterdir()) == [], done
