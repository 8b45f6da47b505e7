"""Calls that the supervisor makes on behalf: like the kernel's, judged once, and nobody waits for another's."""

import resource
import socket
import textwrap
import time

import pytest

import network
import sandbox
from network import ALLOWED, OTHER, Datagrams, Server, needs_namespace, rule
from sandbox import python, run


# ---------------------------------------------------------------- like the kernel's


def test_nonblocking_and_asyncio():
    code = """
    import asyncio, errno, os, select, socket, sys
    allowed, other = %r, %r
    s = socket.socket(); s.setblocking(False)
    r = s.connect_ex(allowed)
    assert r in (0, errno.EINPROGRESS), r
    select.select([], [s], [], 5)
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    s.setblocking(True); s.sendall(b"one"); assert s.recv(8) == b"one"
    s = socket.socket(); s.setblocking(False)
    assert s.connect_ex(other) == errno.ECONNREFUSED
    async def main():
        async def one(i):
            reader, writer = await asyncio.open_connection(*allowed)
            writer.write(b"%%d" %% i); await writer.drain()
            assert await reader.read(8) == b"%%d" %% i
            writer.close()
        await asyncio.gather(*(one(i) for i in range(200)))
        try:
            await asyncio.open_connection(*other)
        except ConnectionRefusedError:
            return "refused"
    print(asyncio.run(main()))
    """
    with Server(ALLOWED) as allowed, Server(OTHER) as other:
        done = python(*rule(allowed), code=textwrap.dedent(code) % ((ALLOWED, allowed.port), (OTHER, other.port)))
        assert done.status == 0 and done.out.split() == ["refused"], done
        assert allowed.connections == 201 and other.connections == 0


def test_sendmmsg_stops_at_the_first_denied(compiled):
    program = compiled("sendmmsg", r"""
    #define _GNU_SOURCE
    #include <arpa/inet.h>
    #include <errno.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/socket.h>
    int main(int argc, char **argv)
    {
        struct sockaddr_in to[3];
        struct mmsghdr m[3];
        struct iovec iov = {"data", 4};
        int fd = socket(AF_INET, SOCK_DGRAM, 0);
        memset(m, 0, sizeof m);
        for (int i = 0; i < 3; i++) {
            to[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[2 + 2 * (i == 1)]))};
            inet_pton(AF_INET, argv[1 + 2 * (i == 1)], &to[i].sin_addr);
            m[i].msg_hdr = (struct msghdr){.msg_name = &to[i], .msg_namelen = sizeof to[i], .msg_iov = &iov, .msg_iovlen = 1};
        }
        int r = sendmmsg(fd, m, 3, 0);
        printf("%d %u ", r, m[0].msg_len);
        r = sendmmsg(fd, m + 1, 2, 0);
        printf("%d %s\n", r, strerrorname_np(errno));
        return 0;
    }
    """)
    with Datagrams(ALLOWED) as allowed, Datagrams(OTHER) as other:
        done = run("-r", str(program.parent), *rule(allowed, "udp"), cmd=[str(program), ALLOWED, str(allowed.port), OTHER, str(other.port)])
        assert done.out.split() == ["1", "4", "-1", "ECONNREFUSED"], done
        assert sandbox.wait_for(lambda: allowed.received == [b"data"]) and other.received == []


def test_many_datagrams_like_iperf():
    code = """
    import socket
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for i in range(2000):
        s.sendto(b"x" * 1400, %r)
    s.sendto(b"y" * 60000, %r)
    print("sent")
    """
    with Datagrams(ALLOWED) as server:
        done = python(*rule(server, "udp"), code=textwrap.dedent(code) % ((ALLOWED, server.port), (ALLOWED, server.port)))
        assert done.out.split() == ["sent"], done
        assert sandbox.wait_for(lambda: any(len(d) == 60000 for d in server.received)) or len(server.received) > 500


@needs_namespace
@network.in_namespace
def test_waits_of_a_blocking_connect():
    """SO_SNDTIMEO ends it, a signal interrupts it, and another signal with SA_RESTART does not."""
    code = """
    import errno, os, signal, socket, struct, time
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 300000))
    t = time.monotonic(); r = s.connect_ex(("10.66.0.99", 80)); took = time.monotonic() - t
    print(errno.errorcode[r], 0.25 < took < 1)
    class Stop(Exception): pass
    def handler(*_): raise Stop
    signal.signal(signal.SIGALRM, handler); signal.setitimer(signal.ITIMER_REAL, 0.3)
    s = socket.socket(); t = time.monotonic()
    try: s.connect(("10.66.0.99", 80))
    except Stop: print("interrupted", time.monotonic() - t < 1)
    """
    done = python("--net-allow", "tcp://10.66.0.99", code=textwrap.dedent(code))
    assert done.status == 0 and done.out.split() == ["EINPROGRESS", "True", "interrupted", "True"], done


# ---------------------------------------------------------------- races


def test_raced_addresses_and_descriptors(compiled):
    """One thread connects, another flips the address in memory between an allowed and a denied one, a third the descriptor."""
    program = compiled("race", r"""
    #define _GNU_SOURCE
    #include <arpa/inet.h>
    #include <pthread.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <sys/socket.h>
    #include <time.h>
    #include <unistd.h>
    static volatile struct sockaddr_in shared;
    static struct sockaddr_in good, bad;
    static volatile int stop;
    static void *flip(void *unused)
    {
        while (!stop) {
            shared.sin_addr = bad.sin_addr, shared.sin_port = bad.sin_port;
            shared.sin_addr = good.sin_addr, shared.sin_port = good.sin_port;
        }
        return unused;
    }
    int main(int argc, char **argv)
    {
        pthread_t thread;
        int tries = 0;
        good = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
        inet_pton(AF_INET, argv[1], &good.sin_addr);
        bad = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(argv[4]))};
        inet_pton(AF_INET, argv[3], &bad.sin_addr);
        *(struct sockaddr_in *)&shared = good;
        pthread_create(&thread, NULL, flip, NULL);
        for (time_t end = time(NULL) + 3; time(NULL) < end; tries++) {
            int fd = socket(AF_INET, SOCK_STREAM, 0);
            connect(fd, (struct sockaddr *)&shared, sizeof shared);
            close(fd);
            fd = socket(AF_INET, SOCK_DGRAM, 0);
            sendto(fd, "x", 1, 0, (struct sockaddr *)&shared, sizeof shared);
            struct iovec iov = {"x", 1};
            struct msghdr m = {.msg_name = (void *)&shared, .msg_namelen = sizeof shared, .msg_iov = &iov, .msg_iovlen = 1};
            sendmsg(fd, &m, 0);
            close(fd);
        }
        stop = 1;
        printf("%d\n", tries);
        return 0;
    }
    """)
    with Server(ALLOWED, backlog=4096) as allowed, Server(OTHER) as other, Datagrams(ALLOWED, allowed.port), Datagrams(OTHER, other.port) as other_udp:
        done = run("-r", str(program.parent), "--net-allow", f"{ALLOWED}:{allowed.port}", cmd=[str(program), ALLOWED, str(allowed.port), OTHER, str(other.port)])
        assert done.status == 0 and int(done.out) > 1000, done
        assert allowed.connections > 100 and other.connections == 0 and other_udp.received == []


# ---------------------------------------------------------------- waiting


@needs_namespace
@network.in_namespace
def test_silent_host_delays_nobody():
    """A blocking connect that nobody answers must not hold up another thread's trapped call."""
    code = """
    import socket, threading, time
    def silent():
        s = socket.socket(); s.settimeout(None)
        try: s.connect(("10.66.0.99", 80))
        except OSError: pass
    for _ in range(3): threading.Thread(target=silent, daemon=True).start()
    time.sleep(0.2)
    times = []
    for _ in range(300):
        t = time.monotonic()
        s = socket.socket(); s.connect(("10.66.0.1", %d)); s.close()
        times.append(time.monotonic() - t)
    print(sorted(times)[297] * 1000, flush=True)
    import os; os._exit(0)
    """
    with Server("10.66.0.1") as server:
        done = python("--net-allow", "tcp://10.66.0.0/24", code=textwrap.dedent(code) % server.port)
        assert done.status == 0 and float(done.out) < 5, done


TOGGLE = r"""
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static volatile int fd = -1;
static volatile double worst;
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
static void nothing(int s) {}
static void *toggle(void *x) { int zero = 0; for (;;) if (fd >= 0) ioctl(fd, FIONBIO, &zero); }
static void *other(void *x) {
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(1), .sin_addr.s_addr = htonl(0x7f090909)};
	for (;;) {
		int s = socket(AF_INET, SOCK_STREAM, 0);
		double t = now();
		connect(s, (void *)&to, sizeof to);
		if (now() - t > worst) worst = now() - t;
		close(s);
		usleep(500);
	}
}
int main(int argc, char **argv) {
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(0x7f000002)};
	struct itimerval often = {{0, 20000}, {0, 20000}};
	struct sigaction action = {.sa_handler = nothing};
	sigset_t alarm;
	pthread_t thread;
	sigemptyset(&alarm), sigaddset(&alarm, SIGALRM), pthread_sigmask(SIG_BLOCK, &alarm, 0);
	pthread_create(&thread, 0, toggle, 0), pthread_create(&thread, 0, other, 0);
	pthread_sigmask(SIG_UNBLOCK, &alarm, 0), sigaction(SIGALRM, &action, 0), setitimer(ITIMER_REAL, &often, 0);
	for (double end = now() + 2; now() < end;) {
		int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		fd = s, connect(s, (void *)&to, sizeof to), fd = -1, close(s);
	}
	printf("%f\n", worst * 1000), fflush(stdout), _exit(0);
}
"""


def test_nobody_makes_the_supervisor_wait(compiled):
    """A listener whose queue is full never answers."""
    program = compiled("toggle", TOGGLE)
    listener = socket.socket()
    listener.bind((ALLOWED, 0))
    listener.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for s in waiting:
        s.setblocking(False)
        s.connect_ex(listener.getsockname())
    port = listener.getsockname()[1]
    done = run("-r", str(program.parent), "--timeout", "20s", "--net-allow", f"tcp://{ALLOWED}:{port}", cmd=[str(program), str(port)], timeout=60)
    assert done.status == 0 and float(done.out) < 200, done
    for s in [*waiting, listener]:
        s.close()


def test_a_lingering_socket_holds_up_no_parked_call():
    """The caller dies while its send waits: the supervisor closes the last descriptor of a socket that lingers."""
    code = """
    import os, socket, struct, threading, time
    def full():
        s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096); s.connect(%r); s.setblocking(False)
        try:
            while s.send(b"x" * 65536): pass
        except BlockingIOError: pass
        s.setblocking(True)
        return s
    def linger(s, seconds): s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, seconds))
    s = full(); linger(s, 8); pid = os.fork()
    if not pid:
        threading.Timer(0.3, os._exit, (0,)).start(); s.sendmsg([b"y" * 99999])
    s.close(); os.waitpid(pid, 0)
    s = full(); linger(s, 0); s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", 0, 500000))
    t = time.monotonic()
    try: s.sendmsg([b"y" * 99999])
    except BlockingIOError: print(time.monotonic() - t)
    """
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    listener.bind((ALLOWED, 0))
    listener.listen(8)
    to = listener.getsockname()
    done = python("--net-allow", f"tcp://{ALLOWED}:{to[1]}", "--net-allow", f"udp://{ALLOWED}:{to[1]}", code=textwrap.dedent(code) % (to,), timeout=30)
    assert done.status == 0 and 0.4 < float(done.out) < 3, done
    listener.close()


@pytest.mark.parametrize("options", [[], ["--disable", "signal-scope"]], ids=["scoped", "walked"])
def test_waiting_calls_leave_descriptors_for_the_end(options, mark):
    """As many as may wait: the run still ends in time, and everything in it."""
    code = """
    import os, socket, threading, time
    def wait():
        try: socket.socket().connect(%r)
        except OSError as e: pass
        time.sleep(99)
    if os.fork(): os.fork()
    threading.stack_size(65536)
    for _ in range(300): threading.Thread(target=wait, daemon=True).start()
    time.sleep(99)
    """
    listener = socket.socket()
    listener.bind((ALLOWED, 0))
    listener.listen(0)
    to = listener.getsockname()
    waiting = [socket.socket() for _ in range(4)]
    for s in waiting:
        s.setblocking(False)
        s.connect_ex(to)
    began = time.monotonic()
    done = python(*options, "--timeout", "3s", "--kill-after", "200ms", "--net-allow", f"tcp://{ALLOWED}:{to[1]}", timeout=40, env=mark.env(),
                  code=textwrap.dedent(code) % (to,), preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300)))
    assert time.monotonic() - began < 8 and not mark.leftovers(), done
    for s in [*waiting, listener]:
        s.close()
