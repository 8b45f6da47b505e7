"""Who may connect to a program inside, and that accept is the kernel's for those who may."""

import contextlib
import json
import socket
import subprocess
import textwrap
import threading
import time

import pytest

import network
import sandbox
from network import Server
from sandbox import PYTHON, python, run

FRIEND, STRANGER = "127.0.0.2", "127.0.0.3"
PEERS = ["--net-rule", f"allow:ingress@{FRIEND}", "--net-default-ingress", "deny"]


def tcp_filters():
    """May an ordinary user's supervisor put filters on TCP sockets here? Else strangers connect and are reset."""
    return json.loads(sandbox.sandlock("check", "--json").out)["features"]["tcp_filter"]["available"]


class Serving:
    """A Python program in a sandbox that may bind `port` and lets peers in by PEERS. Begins when it has said "ready"."""

    def __init__(self, code, *options, rules=PEERS):
        self.port = network.unused_port("0.0.0.0")
        self.child = subprocess.Popen([sandbox.SANDLOCK, "run", *sandbox.SYSTEM, "--net-allow-bind", str(self.port), *rules, *options, "--",
                                       PYTHON, "-I", "-c", textwrap.dedent(code), str(self.port)],
                                      stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=sandbox.clean_environment())

    def line(self):
        return self.child.stdout.readline().strip()

    def connect(self, source, seconds=1):
        s = socket.socket()
        s.settimeout(seconds)
        s.bind((source, 0))
        try:
            s.connect(("127.0.0.1", self.port))
        except OSError:
            s.close()
            raise
        return s

    def served(self, source):
        """What the server says to a peer with this address; None: nothing, and the connection ends or never is."""
        try:
            with self.connect(source) as s:
                return s.recv(64).decode() or None
        except OSError:
            return None

    def __enter__(self):
        assert self.line() == "ready"
        return self

    def __exit__(self, *_):
        self.child.kill()
        self.child.communicate()


# ---------------------------------------------------------------- rules

ONCE = """
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("0.0.0.0", int(sys.argv[1]))); s.listen(); print("ready", flush=True)
c, peer = s.accept(); c.sendall(b"hello"); print(peer[0], peer[1] == c.getpeername()[1], c.getsockname()[1] == int(sys.argv[1]), flush=True)
"""


def test_ingress_rules_filter_peers(view):
    with Serving(ONCE, *view) as server:
        assert server.served(STRANGER) is None
        assert server.served(FRIEND) == "hello"
        assert server.line() == f"{FRIEND} True True"
        assert server.child.wait(10) == 0


def test_strangers_are_reset_or_never_connected():
    filters = tcp_filters()
    with Serving(ONCE) as server:
        try:
            with server.connect(STRANGER) as s:
                assert not filters
                with pytest.raises(ConnectionResetError):
                    s.recv(1)
        except ConnectionResetError:  # before connect() came back
            assert not filters
        except TimeoutError:
            assert filters
        assert server.served(FRIEND) == "hello"


def test_accept_by_port_and_remapped_port():
    """Rules name the port inside, whatever it is outside; a peer of the sandbox has its number of the inside."""
    with Server("127.0.0.1") as taken:
        code = f"""
        import socket
        s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", {taken.port})); s.listen()
        c = socket.create_connection(("127.0.0.1", {taken.port}), 5); a, peer = s.accept()
        print(a.getsockname()[1], peer == c.getsockname())
        o = socket.socket(); o.bind(("127.0.0.1", 0)); o.listen(); o.settimeout(0.5)
        d = socket.create_connection(o.getsockname(), 0.5)
        try: o.accept(); print("accepted")
        except OSError as e: print(type(e).__name__)
        """
        done = python("--port-remap", "--net-allow-bind", f"0,{taken.port}", "--net-rule", f"allow:ingress@127.0.0.1:tcp:{taken.port}",
                      "--net-default-ingress", "deny", code=textwrap.dedent(code))
        lines = done.out.split("\n")
        assert lines[0] == f"{taken.port} True" and "accepted" not in lines, done
        assert taken.connections == 0
        if not tcp_filters():
            assert done.status == 0 and lines[1] == "TimeoutError", done


def test_ingress_rules_filter_datagrams():
    """UDP sockets take filters on every host known so far; where they do not, the run is refused."""
    code = """
    import socket, sys
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(("127.0.0.1", int(sys.argv[1]))); print("ready", flush=True)
    print(s.recvfrom(16)[0].decode(), flush=True)
    """
    port = network.unused_port(kind=socket.SOCK_DGRAM)
    with Serving(code.replace("int(sys.argv[1])", str(port)), "--net-allow-bind", f"udp://{port}") as server:
        for source in (STRANGER, FRIEND):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.bind((source, 0))
                s.sendto(source.encode(), ("127.0.0.1", port))
        assert server.line() == FRIEND


# ---------------------------------------------------------------- accept

MANY = """
import collections, socket, sys, threading
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("0.0.0.0", int(sys.argv[1]))); s.listen(128)
peers = collections.Counter(); lock = threading.Lock()
def serve():
    try:
        while True:
            c, peer = s.accept()
            with lock: peers[peer[0]] += 1
            c.sendall(b"hello"); c.close()
    except OSError as e: print(repr(e), flush=True)
for i in range(8): threading.Thread(target=serve, daemon=True).start()
print("ready", flush=True); sys.stdin.readline(); print(sorted(peers.items()), flush=True)
"""


def test_blocking_accept_of_many_threads():
    """Whoever waits gets a connection, each connection is served once, strangers wake nobody, and nobody sees a mode that is not theirs."""
    said = []
    with Serving(MANY) as server:

        def come(i):
            for _ in range(40):
                if i == 0:
                    server.served(STRANGER)
                else:
                    said.append(server.served(FRIEND))

        clients = [threading.Thread(target=come, args=(i,)) for i in range(0 if not tcp_filters() else 1, 6)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        server.child.stdin.write("\n")
        server.child.stdin.flush()
        assert server.line() == str([(FRIEND, 200)])
    assert said == ["hello"] * 200


def test_a_queue_of_strangers_keeps_nobody_out():
    code = ONCE.replace("listen()", "listen(100)").replace('print("ready", flush=True)', 'print("ready", flush=True); sys.stdin.readline()')
    with Serving(code) as server:
        strangers = []
        for _ in range(40):
            with contextlib.suppress(OSError):
                strangers.append(server.connect(STRANGER, 0.02))
        with server.connect(FRIEND, 5) as s:
            server.child.stdin.write("\n")
            server.child.stdin.flush()
            assert s.recv(64) == b"hello"
        for s in strangers:
            s.close()


def test_nonblocking_accept_and_asyncio():
    code = """
    import asyncio, socket, sys
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("0.0.0.0", int(sys.argv[1]))); s.listen(); s.setblocking(False)
    try: s.accept(); assert False
    except BlockingIOError: pass
    peers = set()
    async def serve(reader, writer):
        peers.add(writer.get_extra_info("peername")[0]); writer.write(b"hello"); await writer.drain(); writer.close()
    async def main():
        server = await asyncio.start_server(serve, sock=s)
        print("ready", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        print(sorted(peers), flush=True)
    asyncio.run(main())
    """
    with Serving(code) as server:
        for i in range(30):
            assert i % 10 or server.served(STRANGER) is None
            assert server.served(FRIEND) == "hello", i
        server.child.stdin.write("\n")
        server.child.stdin.flush()
        assert server.line() == str([FRIEND])


def test_accept_time_limit():
    code = """
    import socket, struct, sys, time
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("0.0.0.0", int(sys.argv[1]))); s.listen()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 0, 400000)); print("ready", flush=True)
    start = time.monotonic()
    try: s.accept(); print("accepted")
    except BlockingIOError: print("again", 0.35 < time.monotonic() - start < 2, flush=True)
    c, peer = s.accept(); c.sendall(b"hello")
    """
    with Serving(code) as server:
        server.served(STRANGER)  # does not begin the time again
        assert server.line() == "again True"
        assert server.served(FRIEND) == "hello"


@pytest.mark.parametrize("restarts", [True, False])
@pytest.mark.parametrize("limit", [True, False])
def test_signal_interrupts_accept(restarts, limit):
    """As the kernel: a handler with SA_RESTART goes on waiting, but not in a call with a time limit."""
    code = f"""
    import ctypes, errno, signal, socket, struct, sys
    libc = ctypes.CDLL(None, use_errno=True)
    s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("0.0.0.0", int(sys.argv[1]))); s.listen()
    if {limit}: s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 30, 0))
    seen = []
    signal.signal(signal.SIGALRM, lambda *_: seen.append(1)); signal.siginterrupt(signal.SIGALRM, not {restarts})
    print("ready", flush=True)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    fd = libc.accept(s.fileno(), None, None)
    print(errno.errorcode[ctypes.get_errno()] if fd < 0 else "accepted", len(seen), flush=True)
    if fd < 0: fd = libc.accept(s.fileno(), None, None)
    socket.socket(fileno=fd).sendall(b"hello")
    """
    with Serving(code) as server:
        if restarts and not limit:
            time.sleep(0.6)
            assert server.served(FRIEND) == "hello"
            assert server.line() == "accepted 1"
        else:
            assert server.line() == "EINTR 1"
            assert server.served(FRIEND) == "hello"


ACCEPT_DETAILS = r"""
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
static struct sockaddr_in at = {.sin_family = AF_INET};
static int client(void)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (void *)&at, sizeof at)) perror("connect"), exit(1);
    return fd;
}
static const char *said(int r) { return r < 0 ? strerrorname_np(errno) : "ok"; }
int main(int argc, char **argv)
{
    int l = socket(AF_INET, SOCK_STREAM, 0), u = socket(AF_INET, SOCK_STREAM, 0), d = socket(AF_UNIX, SOCK_DGRAM, 0), c, a;
    struct sockaddr_storage peer;
    socklen_t len;
    char *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    at.sin_port = htons(atoi(argv[1])), at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(l, (void *)&at, sizeof at) || listen(l, 8)) perror("listen"), exit(1);
    printf("%s ", said(accept(u, NULL, NULL)));
    printf("%s ", said(accept(d, NULL, NULL)));
    printf("%s ", said(accept(0, NULL, NULL)));
    printf("%s ", said(accept(999, NULL, NULL)));
    printf("%s\n", said(accept4(l, NULL, NULL, 1)));
    /* modes of the new descriptor */
    c = client(), a = accept4(l, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    printf("%d %d ", fcntl(a, F_GETFD) & FD_CLOEXEC, !!(fcntl(a, F_GETFL) & O_NONBLOCK)), close(c), close(a);
    c = client(), a = accept(l, NULL, NULL);
    printf("%d %d %d\n", fcntl(a, F_GETFD) & FD_CLOEXEC, !!(fcntl(a, F_GETFL) & O_NONBLOCK), !!(fcntl(l, F_GETFL) & O_NONBLOCK)), close(c), close(a);
    /* the address: cut, with its true length */
    memset(&peer, 0x55, sizeof peer), len = 6;
    c = client(), a = accept(l, (void *)&peer, &len);
    printf("%d %d %x ", len, peer.ss_family, ((unsigned char *)&peer)[8]), close(c), close(a);
    len = sizeof peer;
    c = client(), a = accept(l, (void *)&peer, &len);
    printf("%d %s\n", len, inet_ntoa(((struct sockaddr_in *)&peer)->sin_addr)), close(c), close(a);
    /* no place for it: the connection is lost, as with the kernel */
    for (int i = 0; i < 3; i++) {
        struct pollfd p;
        char byte;
        c = client(), len = i == 2 ? -1 : sizeof peer;
        a = accept(l, (void *)(i ? (char *)&peer : page), i == 1 ? NULL : &len);
        p = (struct pollfd){.fd = c, .events = POLLIN};
        printf("%s %d ", said(a), poll(&p, 1, 2000) == 1 && recv(c, &byte, 1, MSG_DONTWAIT) == 0), close(c);
    }
    /* no descriptor: the connection stays */
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    c = client();
    limit.rlim_cur = c + 1;
    setrlimit(RLIMIT_NOFILE, &limit);
    while (dup(0) >= 0);
    printf("\n%s ", said(accept(l, NULL, NULL)));
    limit.rlim_cur = c + 8;
    setrlimit(RLIMIT_NOFILE, &limit);
    a = accept(l, NULL, NULL);
    printf("%d\n", a >= 0 && write(a, "x", 1) == 1 && read(c, page, 0) == 0), close(c), close(a);
    /* shut down while somebody waits */
    if (fork() == 0) usleep(200000), shutdown(l, SHUT_RDWR), _exit(0);
    printf("%s ", said(accept(l, NULL, NULL)));
    /* unix sockets */
    struct sockaddr_un un = {.sun_family = AF_UNIX, .sun_path = "\0accept"};
    l = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(l, (void *)&un, sizeof(sa_family_t) + 7) || listen(l, 1)) perror("unix"), exit(1);
    if (fork() == 0) {
        usleep(100000), c = socket(AF_UNIX, SOCK_STREAM, 0), connect(c, (void *)&un, sizeof(sa_family_t) + 7), write(c, "unix", 4);
        _exit(0);
    }
    len = sizeof peer, a = accept(l, (void *)&peer, &len);
    char text[8] = "";
    read(a, text, 4);
    printf("%d %d %s\n", len, peer.ss_family, text);
    return 0;
}
"""


def test_accept_is_the_kernels_in_detail(compiled):
    """The same lines with and without somebody in between."""
    program = compiled("accept_details", ACCEPT_DETAILS)
    port = str(network.unused_port())
    expected = sandbox.execute([program, port])
    options = ["-r", str(program.parent), "--net-allow-bind", port, "--net-allow", f"tcp://127.0.0.1:{port}"]
    done = run(*options, "--net-rule", "allow:ingress@127.0.0.1", "--net-default-ingress", "deny", cmd=[str(program), port])
    assert expected.status == 0 and len(expected.out.split()) == 27, expected
    assert done.status == 0 and done.out == expected.out, (done, expected)


def test_hostile_listener_does_not_stop_the_supervisor(compiled):
    """A program that switches its listener to blocking and empties its queue at every moment is still ended in time."""
    program = compiled("hostile_accept", r"""
    #define _GNU_SOURCE
    #include <arpa/inet.h>
    #include <fcntl.h>
    #include <pthread.h>
    #include <stdlib.h>
    #include <sys/socket.h>
    #include <unistd.h>
    static int l;
    static struct sockaddr_in at = {.sin_family = AF_INET};
    static void *modes(void *x) { for (;;) fcntl(l, F_SETFL, 0); }
    static void *empty(void *x) { for (;;) { shutdown(l, SHUT_RDWR); listen(l, 8); } }
    static void *fill(void *x) { for (;;) { int c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0); connect(c, (void *)&at, sizeof at); close(c); } }
    static void *take(void *x) { for (;;) close(accept(l, 0, 0)); }
    int main(int argc, char **argv)
    {
        pthread_t t;
        l = socket(AF_INET, SOCK_STREAM, 0);
        at.sin_port = htons(atoi(argv[1])), at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (bind(l, (void *)&at, sizeof at) || listen(l, 8)) return 1;
        pthread_create(&t, 0, modes, 0), pthread_create(&t, 0, empty, 0), pthread_create(&t, 0, fill, 0);
        for (int i = 0; i < 3; i++) pthread_create(&t, 0, take, 0);
        pause();
    }
    """)
    port = str(network.unused_port())
    done = run("-r", str(program.parent), "--timeout", "2s", "--net-allow-bind", port, "--net-allow", f"tcp://127.0.0.1:{port}",
               "--net-rule", "allow:ingress@127.0.0.1", "--net-default-ingress", "deny", cmd=[str(program), port])
    assert done.status == 124 and done.seconds < 10, done
