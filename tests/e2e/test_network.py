"""Network rules with real programs: who is reached, who is not, and that nothing is sent to those who are not."""

import contextlib
import json
import os
import pathlib
import resource
import shutil
import socket
import subprocess
import sys
import textwrap
import threading
import time

import pytest

import network
import sandbox
from network import ALLOWED, OTHER, Datagrams, Server
from sandbox import PYTHON, python, run

needs_namespace = pytest.mark.skipif(not network.can_make_namespace(), reason="no network namespace may be made here (user namespaces are off)")
REFUSED = "ConnectionRefusedError"


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"{program} is not installed")


def rule(server, scheme="tcp"):
    return ["--net-allow", f"{scheme}://{server.host}:{server.port}"]


CONNECT = """
import socket, sys
def connect(host, port):
    try:
        with socket.create_connection((host, int(port)), 5) as s:
            s.sendall(b"ping")
            return s.recv(16).decode()
    except OSError as e:
        return type(e).__name__
print(" ".join(connect(*a.rsplit(":", 1)) for a in %r))
"""


def connects(*options, to, **kwargs):
    return python(*options, code=CONNECT % [f"{h}:{p}" for h, p in to], **kwargs)


# ---------------------------------------------------------------- destinations


@pytest.mark.parametrize("view", ["none", "private"])
def test_allowed_address_and_no_other(view):
    with Server(ALLOWED) as allowed, Server(OTHER) as other:
        done = connects("--view", view, *rule(allowed), to=[(ALLOWED, allowed.port), (OTHER, other.port), (OTHER, allowed.port)])
        assert done.status == 0 and done.out.split() == ["ping", REFUSED, REFUSED], done
        assert allowed.connections == 1 and other.connections == 0


def test_other_port_of_the_allowed_address():
    with Server(ALLOWED) as allowed, Server(ALLOWED) as second:
        done = connects(*rule(allowed), to=[(ALLOWED, second.port)])
        assert done.out.split() == [REFUSED] and second.connections == 0, done


def test_no_rules_no_network():
    with Server(ALLOWED) as server:
        done = connects(to=[(ALLOWED, server.port)])
        assert done.out.split() == ["PermissionError"] and server.connections == 0, done


def test_ports_alone_need_no_supervisor():
    with Server(ALLOWED) as server, Server(OTHER) as other:
        done = connects("--no-supervisor", "--net-allow", f"tcp://*:{server.port}", to=[(ALLOWED, server.port), (OTHER, other.port)])
        assert done.out.split() == ["ping", "PermissionError"], done
        refused = connects("--no-supervisor", *rule(server), to=[])
        assert refused.status == 125 and "--net-allow" in refused.err, refused


def test_networks_and_port_lists():
    with Server("127.1.2.3") as inside, Server("127.2.0.1") as outside:
        done = connects("--net-allow", f"tcp://127.1.0.0/16:1,{inside.port}", to=[("127.1.2.3", inside.port), ("127.2.0.1", outside.port)])
        assert done.out.split() == ["ping", REFUSED], done


def test_deny_wins_and_deny_only_is_open():
    with Server(ALLOWED) as allowed, Server(OTHER) as denied:
        to = [(ALLOWED, allowed.port), (OTHER, denied.port)]
        done = connects("--net-allow", "127.0.0.0/8", "--net-deny", OTHER, to=to)
        assert done.out.split() == ["ping", REFUSED], done
        done = connects("--net-deny", OTHER, to=to)
        assert done.out.split() == ["ping", REFUSED], done
        assert denied.connections == 0


def test_ordered_rules_first_match():
    with Server(ALLOWED) as first, Server(OTHER) as second:
        done = connects("--net-rule", f"deny@{OTHER}:tcp:{second.port},allow@loopback:tcp", to=[(ALLOWED, first.port), (OTHER, second.port)])
        assert done.out.split() == ["ping", REFUSED], done
        done = connects("--net-rule", f"allow@loopback:tcp,deny@{OTHER}:tcp:{second.port}", to=[(ALLOWED, first.port), (OTHER, second.port)])
        assert done.out.split() == ["ping", "ping"], done
        done = connects("--net-rule", f"deny@{OTHER}:tcp", "--net-default-egress", "allow", to=[(ALLOWED, first.port), (OTHER, second.port)])
        assert done.out.split() == ["ping", REFUSED], done


def test_deny_errno():
    done = connects("--net-allow", "tcp://127.9.9.9:1", "--net-deny-errno", "EACCES", to=[(ALLOWED, 80)])
    assert done.out.split() == ["PermissionError"], done


def test_other_spellings_of_a_denied_address():
    """0.0.0.0, ::ffff:a.b.c.d and :: all lead to this machine."""
    with Server("127.0.0.1") as denied, Server("::", family=socket.AF_INET6) as denied6:
        done = connects("--net-deny", "loopback", to=[("127.0.0.1", denied.port), ("0.0.0.0", denied.port), ("::ffff:127.0.0.1", denied.port),
                                                        ("::1", denied6.port), ("::", denied6.port), ("127.0.0.1", denied6.port)])
        assert set(done.out.split()) <= {REFUSED, "OSError"} and denied.connections == denied6.connections == 0, done


def test_mapped_rule_is_the_address():
    with Server(ALLOWED) as server:
        done = connects("--net-allow", f"tcp://[::ffff:{ALLOWED}]:{server.port}", to=[(ALLOWED, server.port)])
        assert done.out.split() == ["ping"], done


def test_no_ipv6():
    done = python("--no-ipv6", "--net-allow", "*", code="import socket\ntry: socket.socket(socket.AF_INET6)\nexcept OSError as e: print(e.errno)")
    assert done.out.split() == ["97"], done


def test_no_net_and_rules_contradict():
    done = connects("--no-net", "--net-allow", "*", to=[])
    assert done.status == 125 and "--no-net" in done.err and "--net-allow" in done.err, done


# ---------------------------------------------------------------- real programs


@needs("curl")
def test_curl():
    with Server(OTHER) as other, subprocess.Popen([PYTHON, "-I", "-m", "http.server", "--bind", ALLOWED, str(port := network.unused_port(ALLOWED)),
                                                   "-d", "/usr/share"], stderr=subprocess.DEVNULL) as web:
        try:
            assert sandbox.wait_for(lambda: reachable(ALLOWED, port))
            done = run("--net-allow", f"tcp://{ALLOWED}:{port}", cmd=["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", f"http://{ALLOWED}:{port}/"])
            assert done.status == 0 and done.out == "200", done
            done = run("--net-allow", f"tcp://{ALLOWED}:{port}", cmd=["curl", "-sS", f"http://{OTHER}:{other.port}/"])
            assert done.status == 7 and other.connections == 0, done
        finally:
            web.kill()


def reachable(host, port):
    with socket.socket() as s:
        return s.connect_ex((host, port)) == 0


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


@needs("node")
def test_node():
    code = """
    const net = require("net");
    const go = (host, port) => new Promise(r => { const s = net.connect(port, host);
      s.on("data", d => { s.destroy(); r(d.toString()) }); s.on("error", e => r(e.code)); s.on("connect", () => s.write("hi")) });
    (async () => console.log(await go("%s", %d), await go("%s", %d)))();
    """
    with Server(ALLOWED) as allowed, Server(OTHER) as other:
        done = run("--fs-read-if-exists", "/proc", *rule(allowed), cmd=["node", "-e", code % (ALLOWED, allowed.port, OTHER, other.port)])
        assert done.status == 0 and done.out.split() == ["hi", "ECONNREFUSED"], done


@needs("git")
def test_git_over_http(tmp_path):
    work, bare = tmp_path / "work", tmp_path / "www" / "repo.git"
    env = sandbox.clean_environment(GIT_CONFIG_NOSYSTEM=1, HOME=tmp_path)
    git = lambda *words, **kw: subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t", *words], check=True, env=env, capture_output=True, **kw)
    git("init", "-q", work)
    (work / "file").write_text("content\n")
    git("add", ".", cwd=work)
    git("commit", "-qm", "one", cwd=work)
    git("clone", "-q", "--bare", work, bare)
    git("update-server-info", cwd=bare)
    port = network.unused_port(ALLOWED)
    with subprocess.Popen([PYTHON, "-I", "-m", "http.server", "--bind", ALLOWED, str(port), "-d", tmp_path / "www"], stderr=subprocess.DEVNULL) as web:
        try:
            assert sandbox.wait_for(lambda: reachable(ALLOWED, port))
            (tmp_path / "into").mkdir()
            done = run("-w", str(tmp_path / "into"), "--env", f"HOME={tmp_path}/into", "--net-allow", f"tcp://{ALLOWED}:{port}",
                       cmd=["git", "clone", "-q", f"http://{ALLOWED}:{port}/repo.git", str(tmp_path / "into/repo")])
            assert done.status == 0 and (tmp_path / "into/repo/file").read_text() == "content\n", done
            done = run("-w", str(tmp_path / "into"), "--env", f"HOME={tmp_path}/into", "--net-allow", f"tcp://{OTHER}:{port}",
                       cmd=["git", "clone", "-q", f"http://{ALLOWED}:{port}/repo.git", str(tmp_path / "into/again")])
            assert done.status == 128 and not (tmp_path / "into/again").exists(), done
        finally:
            web.kill()


@needs("redis-benchmark")
def test_redis_benchmark(tmp_path):
    port = network.unused_port(ALLOWED)
    with subprocess.Popen(["redis-server", "--bind", ALLOWED, "--port", str(port), "--save", "", "--dir", str(tmp_path)], stdout=subprocess.DEVNULL) as redis:
        try:
            assert sandbox.wait_for(lambda: reachable(ALLOWED, port))
            done = run("--net-allow", f"tcp://{ALLOWED}:{port}", cmd=["redis-benchmark", "-h", ALLOWED, "-p", str(port), "-t", "set,get", "-n", "5000", "-q"])
            assert done.status == 0 and "SET:" in done.out and "GET:" in done.out, done
            done = run("--net-allow", f"tcp://{OTHER}:{port}", cmd=["redis-benchmark", "-h", ALLOWED, "-p", str(port), "-t", "get", "-n", "10", "-q"])
            assert done.status != 0, done
        finally:
            redis.kill()


# ---------------------------------------------------------------- datagrams

SEND = """
import socket, sys
allowed, other, how = %r, %r, %r
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5)
def send(to):
    try:
        if how == "sendto": s.sendto(b"data", to)
        elif how == "sendmsg": s.sendmsg([b"da", b"ta"], [], 0, to)
        elif how == "connect":
            c = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); c.settimeout(5); c.connect(to); c.send(b"data"); return c.recv(16).decode()
        return s.recvfrom(16)[0].decode()
    except OSError as e:
        return type(e).__name__
print(send(allowed), send(other), send(allowed))
"""


@pytest.mark.parametrize("how", ["sendto", "sendmsg", "connect"])
@pytest.mark.parametrize("view", ["none", "private"])
def test_udp(how, view):
    with Datagrams(ALLOWED) as allowed, Datagrams(OTHER) as other:
        done = python("--view", view, *rule(allowed, "udp"), code=SEND % ((ALLOWED, allowed.port), (OTHER, other.port), how))
        assert done.status == 0 and done.out.split() == ["data", REFUSED, "data"], done
        assert len(allowed.received) == 2 and other.received == []


def test_tcp_rule_does_not_open_udp():
    with Datagrams(ALLOWED) as server:
        done = python(*rule(server, "tcp"), code=SEND % ((ALLOWED, server.port), (ALLOWED, server.port), "sendto"))
        assert done.status == 1 and "PermissionError" in done.err and server.received == [], done


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


@needs("busybox")
def test_dns_lookup_against_a_local_server():
    with DnsServer(ALLOWED) as dns:
        done = run("--net-allow", f"udp://{ALLOWED}:{dns.port}", cmd=["busybox", "nslookup", "-type=a", "name.test", f"{ALLOWED}:{dns.port}"])
        assert "192.0.2.7" in done.out, done
        asked = len(dns.received)
        done = run("--net-allow", f"udp://{OTHER}:{dns.port}", cmd=["busybox", "nslookup", "-type=a", "name.test", f"{ALLOWED}:{dns.port}"])
        assert "192.0.2.7" not in done.out and len(dns.received) == asked, done


class DnsServer(Datagrams):
    def serve(self):
        while True:
            try:
                query, peer = self.socket.recvfrom(4096)
                if peer is None:  # shut down
                    return
                self.received.append(query)
                end = query.index(b"\0", 12) + 5
                answer = query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:end] + b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\7"
                self.socket.sendto(answer, peer)
            except OSError:
                return


# ---------------------------------------------------------------- nothing leaves


@needs_namespace
@network.in_namespace
def test_no_packet_to_what_is_not_allowed():
    code = """
    import os, socket
    def attempt(kind, address, family=socket.AF_INET):
        for how in ("connect", "sendto", "sendmsg"):
            try:
                s = socket.socket(family, kind); s.setblocking(False)
                if how == "connect": s.connect(address); s.send(b"x")
                elif how == "sendto": s.sendto(b"x", address)
                else: s.sendmsg([b"x"], [], 0, address)
            except OSError:
                pass
    for host in ("10.66.0.2", "10.66.0.99", "0.0.0.0", "255.255.255.255", "224.0.0.1"):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            for port in (80, 8081):
                attempt(kind, (host, port))
    for host in ("fd66::2", "::1", "::", "::ffff:10.66.0.2", "ff02::1%void", "64:ff9b::0a42:0002"):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            attempt(kind, (host, 80), socket.AF_INET6)
    """
    with Server("10.66.0.1") as allowed, Datagrams("10.66.0.1") as datagrams, network.Capture() as capture:
        done = python(*rule(allowed), *rule(datagrams, "udp"), code=textwrap.dedent(code))
        assert done.status == 0, done
        sent = {d for d in capture.destinations() if d[0] in (6, 17)}
        assert sent == set(), sent
        # The control: the same calls without sandlock do send.
        subprocess.run([PYTHON, "-I", "-c", textwrap.dedent(code)], check=True)
        sent = capture.destinations()
        assert (6, "10.66.0.2", 80) in sent and (17, "10.66.0.99", 8081) in sent, sent


@needs("ping")
@needs_namespace
@network.in_namespace
def test_ping_sockets_follow_the_icmp_rules(tmp_path):
    pathlib.Path("/proc/sys/net/ipv4/ping_group_range").write_text("0 0")
    # Without its file capabilities: they cannot be executed where they are not in the bounding set.
    ping = shutil.copy(shutil.which("ping"), tmp_path / "ping")
    done = run("-r", str(tmp_path), "--net-allow", "icmp://10.66.0.1", cmd=[str(ping), "-I", "10.66.0.1", "-c1", "-W2", "10.66.0.1"])
    assert done.status == 0, done
    # Without -I it asks for its own address with a UDP socket.
    done = run("-r", str(tmp_path), "--net-allow", "icmp://10.66.0.1", "--net-allow", "udp://10.66.0.1", cmd=[str(ping), "-c1", "-W2", "10.66.0.1"])
    assert done.status == 0, done
    with network.Capture() as capture:
        done = run("-r", str(tmp_path), "--net-allow", "icmp://10.66.0.1", cmd=[str(ping), "-I", "10.66.0.1", "-c1", "-W1", "10.66.0.2"])
        assert done.status != 0, done
        done = run("-r", str(tmp_path), "--net-allow", "udp://10.66.0.2", cmd=[str(ping), "-c1", "-W1", "10.66.0.2"])
        assert done.status != 0, done
        assert not [d for d in capture.destinations() if d[0] == 1]


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


@needs_namespace
@network.in_namespace
def test_routing_headers_and_source_routes_are_refused():
    code = """
    import socket
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    header = bytes([0, 2, 4, 1, 0, 0, 0, 0]) + socket.inet_pton(socket.AF_INET6, "fd66::99")
    for name in (57, 5, 54, 55, 59):
        try: s.setsockopt(socket.IPPROTO_IPV6, name, header); print("accepted", name)
        except PermissionError: pass
    for name in (57, 5):
        try: s.sendmsg([b"x"], [(socket.IPPROTO_IPV6, name, header)], 0, ("fd66::1", 7)); print("sent", name)
        except PermissionError: pass
    t = socket.socket()
    for level, name in ((0, 4), (0, 19), (6, 19)):
        try: t.setsockopt(level, name, b"\\x83\\x07\\x04\\x0a\\x42\\x00\\x63\\x00"); print("accepted", level, name)
        except PermissionError: pass
    print("done")
    """
    with network.Capture() as capture:
        done = python("--net-allow", "fd66::1", code=textwrap.dedent(code))
        assert done.out.split() == ["done"], done
        assert not [d for d in capture.destinations() if d[0] in (6, 17, 43)]


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


# ---------------------------------------------------------------- unix sockets


class UnixServer(Server):
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(path)
        self.socket.listen(16)
        self.connections, self.peers = 0, []
        import threading

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


@pytest.mark.parametrize("view", ["none", "private"])
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
        done = python("--view", view, "-r", str(tmp_path), "-w", str(tmp_path / "in"), code=UNIX % (inside, outside, link))
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


# ---------------------------------------------------------------- names


def test_names_are_resolved_once_and_shown_inside():
    with Server("127.0.0.1") as server:
        code = "import socket; print(open('/etc/hosts').read()); print(socket.gethostbyname('localhost'))"
        for view in ("none", "private"):
            done = python("--view", view, "--net-allow", f"tcp://localhost:{server.port}", code=code)
            assert done.status == 0 and "127.0.0.1 localhost" in done.out and done.out.split()[-1] == "127.0.0.1", done
        done = connects("--net-allow", f"tcp://localhost:{server.port}", to=[("127.0.0.1", server.port), (ALLOWED, server.port), ("localhost", server.port)])
        assert done.out.split() == ["ping", REFUSED, "ping"], done


def test_a_name_that_resolves_into_a_denied_range():
    with Server("127.0.0.1") as server:
        done = connects("--net-allow", "tcp://localhost", "--net-deny", "127.0.0.0/8", to=[("127.0.0.1", server.port)])
        assert done.out.split() == [REFUSED] and server.connections == 0, done


def test_a_name_that_does_not_resolve_starts_nothing(tmp_path):
    done = run("-w", str(tmp_path), "--net-allow", "tcp://no-such-host.invalid:80", cmd=f"touch {tmp_path}/started")
    assert done.status == 125 and "no-such-host.invalid" in done.err and "--net-allow" in done.err, done
    assert not (tmp_path / "started").exists()


# ---------------------------------------------------------------- bind

BIND = """
import socket, sys
for word in sys.argv[1:]:
    kind, host, port = word.split("/")
    s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    try:
        s.bind((host, int(port)))
        if kind == "tcp": s.listen()
        print("bound", end=" ")
    except OSError as e: print(type(e).__name__, end=" ")
"""


def binds(*options, to, **kwargs):
    return run(*options, cmd=[PYTHON, "-I", "-c", BIND, *to], **kwargs)


def test_bind_is_denied_by_default_and_with_other_rules():
    port = network.unused_port()
    for options in ([], ["--net-allow", "tcp://127.0.0.2:1"], ["--net-allow", "127.0.0.2:1"]):
        done = binds(*options, to=[f"tcp/127.0.0.1/{port}", "tcp/127.0.0.1/0"])
        assert done.out.split() == ["PermissionError", "PermissionError"], done


def test_allowed_and_denied_binds():
    a, b = network.unused_port(), network.unused_port()
    done = binds("--net-allow-bind", f"{a}", to=[f"tcp/127.0.0.1/{a}", f"tcp/127.0.0.1/{b}", "tcp/127.0.0.1/0"])
    assert done.out.split() == ["bound", "PermissionError", "PermissionError"], done
    done = binds("--net-allow-bind", "0", to=["tcp/127.0.0.1/0", f"tcp/127.0.0.1/{b}"])
    assert done.out.split() == ["bound", "PermissionError"], done
    done = binds("--net-deny-bind", f"{a}", to=[f"tcp/127.0.0.1/{a}", f"tcp/127.0.0.1/{b}", "tcp/127.0.0.1/0"])
    assert done.out.split() == ["PermissionError", "bound", "bound"], done
    done = binds("--net-allow-bind", "*", "--net-deny-bind", f"{a}", to=[f"tcp/127.0.0.1/{a}", f"tcp/127.0.0.1/{b}"])
    assert done.out.split() == ["PermissionError", "bound"], done


def test_udp_binds():
    a = network.unused_port(kind=socket.SOCK_DGRAM)
    done = binds("--net-allow", "udp://127.0.0.2", to=["udp/127.0.0.1/0", f"udp/127.0.0.1/{a}"])
    assert done.out.split() == ["bound", "PermissionError"], done
    done = binds("--net-allow", "udp://127.0.0.2", "--net-allow-bind", f"udp://{a}", to=[f"udp/127.0.0.1/{a}", f"tcp/127.0.0.1/{a}"])
    assert done.out.split() == ["bound", "PermissionError"], done


def test_busy_port_is_busy_without_remap():
    with Server("127.0.0.1") as server:
        done = binds("--net-allow-bind", str(server.port), to=[f"tcp/127.0.0.1/{server.port}"])
        assert done.out.split() == ["OSError"], done
        done = binds("--net-deny-bind", "1", to=[f"tcp/127.0.0.1/{server.port}"])
        assert done.out.split() == ["OSError"], done


def test_listen_without_bind():
    code = "import socket\ns = socket.socket()\ntry: s.listen(); print('listening')\nexcept OSError as e: print(type(e).__name__)"
    assert python(code=code).out.split() == ["PermissionError"]
    assert python("--net-allow", "127.0.0.2:1", code=code).out.split() == ["PermissionError"]
    assert python("--net-allow-bind", "0", code=code).out.split() == ["listening"]


# ---------------------------------------------------------------- port space

ECHO = """
import socket, sys, time
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("127.0.0.1", %d)); s.listen()
print(s.getsockname()[1], flush=True)
c = socket.create_connection(("127.0.0.1", %d)); a, peer = s.accept()
print(c.getpeername()[1], a.getsockname()[1], peer == c.getsockname())
try: print(sum(1 for line in open("/proc/net/tcp") if ":%04X " %% %d in line.split(" 0")[0] + " "))
except OSError as e: print(type(e).__name__)
print("ready", flush=True); sys.stdin.read()
"""


def test_two_sandboxes_serve_the_same_port():
    port = network.unused_port()
    code = ECHO % (port, port, port, port)
    started = []
    try:
        for _ in range(2):
            child = subprocess.Popen([sandbox.SANDLOCK, "run", *sandbox.SYSTEM, "--port-remap", "--net-allow-bind", str(port), "--", PYTHON, "-I", "-c", code],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=sandbox.clean_environment())
            started.append(child)
            lines = [child.stdout.readline().strip() for _ in range(2)]
            assert lines == [str(port), f"{port} {port} True"], lines
        # From outside only the first has the number itself.
        with socket.create_connection(("127.0.0.1", port), 5):
            pass
    finally:
        for child in started:
            child.kill()
            child.wait()


@needs("nginx")
def test_nginx_behind_port_remap(tmp_path):
    port = network.unused_port()
    started = []
    try:
        for i in range(2):
            home = tmp_path / str(i)
            (home / "www").mkdir(parents=True)
            (home / "www/index.html").write_text(f"server {i}\n")
            (home / "nginx.conf").write_text(f"""
                daemon off; pid {home}/pid; error_log stderr; worker_processes 1;
                events {{ worker_connections 64; }}
                http {{ access_log off; client_body_temp_path {home}/a; proxy_temp_path {home}/b; fastcgi_temp_path {home}/c; uwsgi_temp_path {home}/d; scgi_temp_path {home}/e;
                        server {{ listen 127.0.0.1:{port}; root {home}/www; }} }}
                {'user root;' if sandbox.IS_ROOT else ''}""")
            script = f"nginx -p {home} -c {home}/nginx.conf & for i in $(seq 100); do curl -sf http://127.0.0.1:{port}/ && break; sleep 0.05; done; kill $!; wait"
            done = subprocess.Popen([sandbox.SANDLOCK, "run", *sandbox.SYSTEM, "-w", str(home), "--fs-read-if-exists", "/var", "--port-remap", "--net-allow-bind", str(port), "--",
                                     "/bin/sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=sandbox.clean_environment())
            started.append(done)
        for i, child in enumerate(started):
            out, err = child.communicate(timeout=60)
            assert out == f"server {i}\n", (out, err)
    finally:
        for child in started:
            child.kill()
            child.wait()


def test_remap_opens_only_mapped_ports():
    with Server("127.0.0.1") as host:
        done = connects("--port-remap", "--net-allow-bind", "*", to=[("127.0.0.1", host.port)])
        assert done.out.split()[0] in (REFUSED, "PermissionError") and host.connections == 0, done


@pytest.mark.parametrize("kind", ["tcp", "udp"])
def test_published_port(kind):
    inner = network.unused_port()
    outer = network.unused_port(kind=socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
    code = """
    import socket
    s = socket.socket(socket.AF_INET, socket.SOCK_%s); s.bind(("0.0.0.0", %d))
    print(s.getsockname()[1], flush=True)
    if %r == "tcp":
        s.listen(); c, _ = s.accept(); c.sendall(b"from inside"); c.close()
    else:
        data, peer = s.recvfrom(64); s.sendto(b"from inside", peer)
    """
    code = textwrap.dedent(code) % ("STREAM" if kind == "tcp" else "DGRAM", inner, kind)
    more = [] if kind == "tcp" else ["--net-allow", "udp://loopback"]
    with subprocess.Popen([sandbox.SANDLOCK, "run", *sandbox.SYSTEM, "--port", f"{outer}:{inner}/{kind}", *more, "--", PYTHON, "-I", "-c", code],
                          stdout=subprocess.PIPE, text=True, env=sandbox.clean_environment()) as child:
        try:
            assert child.stdout.readline().strip() == str(inner)
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as s:
                s.settimeout(5)
                if kind == "tcp":
                    assert sandbox.wait_for(lambda: s.connect_ex(("127.0.0.1", outer)) == 0)
                else:
                    s.sendto(b"hello", ("127.0.0.1", outer))
                assert s.recv(64) == b"from inside"
            assert child.wait(10) == 0
        finally:
            child.kill()


def test_a_port_that_is_taken_is_told_at_the_start():
    with Server("127.0.0.1") as server:
        done = run("--port", f"{server.port}:80", cmd=["/bin/echo", "started"])
        assert (done.status, done.out) == (125, ""), done
        assert f"cannot publish port {server.port}" in done.err and "ddress" in done.err and "HOST 0" in done.err
    code = "import socket; s = socket.create_server(('', 80)); print(s.getsockname()[1])"
    assert run("--port", "0:80", cmd=[PYTHON, "-I", "-c", code]).out == "80\n"
    done = run("--port", "2:80", cmd=[PYTHON, "-I", "-c", code])
    if sandbox.IS_ROOT or int(open("/proc/sys/net/ipv4/ip_unprivileged_port_start").read()) < 3:
        assert done.out == "80\n", done
    else:
        assert done.status == 125 and "Permission denied" in done.err, done


def test_max_connections():
    code = """
    import socket
    held = []
    for i in range(6):
        try: held.append(socket.create_connection(%r))
        except OSError as e: print(i, type(e).__name__); break
    held.pop().close(); held.append(socket.create_connection(%r)); print("again")
    """
    with Server(ALLOWED) as server:
        to = (ALLOWED, server.port)
        done = python(*rule(server), "--max-connections", "4", code=textwrap.dedent(code) % (to, to))
        assert done.out.split() == ["4", REFUSED, "again"], done


# ---------------------------------------------------------------- who may connect

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


ONCE = """
import socket, sys
s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1); s.bind(("0.0.0.0", int(sys.argv[1]))); s.listen(); print("ready", flush=True)
c, peer = s.accept(); c.sendall(b"hello"); print(peer[0], peer[1] == c.getpeername()[1], c.getsockname()[1] == int(sys.argv[1]), flush=True)
"""


@pytest.mark.parametrize("view", ["none", "private"])
def test_ingress_rules_filter_peers(view):
    with Serving(ONCE, "--view", view) as server:
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


# ---------------------------------------------------------------- what the program sees


@pytest.mark.parametrize("rules", [[], ["--net-allow", "127.0.0.2:1"]])
def test_interfaces_are_lo_alone(rules):
    done = python(*rules, code="import socket; print(socket.if_nameindex()); print(sorted({a[0].name for a in socket.getaddrinfo(None, 80, flags=socket.AI_PASSIVE | socket.AI_ADDRCONFIG)}))")
    assert done.status == 0 and done.out.splitlines() == ["[(1, 'lo')]", "['AF_INET', 'AF_INET6']"], done


@needs("ip")
def test_ip_addr():
    done = run(cmd=["ip", "addr"])
    assert done.status == 0 and "127.0.0.1/8" in done.out and "::1/128" in done.out and done.out.count("mtu") == 1, done
    done = run(cmd=["ip", "link", "set", "lo", "down"])
    assert done.status != 0, done


@needs("node")
def test_node_interfaces():
    done = run("--fs-read-if-exists", "/proc", cmd=["node", "-p", "Object.keys(require('os').networkInterfaces()).join()"])
    assert done.status == 0 and done.out.split() == ["lo"], done


@needs("musl-gcc")
def test_musl_interfaces(tmp_path):
    source = tmp_path / "interfaces.c"
    source.write_text('#include <ifaddrs.h>\n#include <stdio.h>\nint main(void){struct ifaddrs *list;if(getifaddrs(&list))return 1;for(;list;list=list->ifa_next)puts(list->ifa_name);}')
    subprocess.run(["musl-gcc", "-static", "-o", tmp_path / "interfaces", source], check=True)
    done = run("-r", str(tmp_path), cmd=[str(tmp_path / "interfaces")])
    assert done.status == 0 and set(done.out.split()) == {"lo"}, done


@needs("go")
def test_go_resolver_and_interfaces(tmp_path):
    (tmp_path / "main.go").write_text("""package main
import ("fmt"; "net"; "os"; "time")
func main() {
	list, err := net.Interfaces(); fmt.Println(len(list), err)
	addrs, err := net.LookupHost("localhost"); fmt.Println(len(addrs) > 0, err)
	c, err := net.DialTimeout("tcp", os.Args[1], 5*time.Second); if err == nil { fmt.Fprint(c, "go"); b := make([]byte, 2); c.Read(b); fmt.Println(string(b)) } else { fmt.Println(err) }
}
""")
    subprocess.run(["go", "build", "-o", tmp_path / "main", tmp_path / "main.go"], check=True, cwd=tmp_path,
                   env={**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOCACHE": str(tmp_path / "cache"), "GO111MODULE": "off"})
    with Server(ALLOWED) as server:
        done = run("-r", str(tmp_path), *rule(server), cmd=[str(tmp_path / "main"), f"{ALLOWED}:{server.port}"])
        assert done.out.split() == ["1", "<nil>", "true", "<nil>", "go"], done


# ---------------------------------------------------------------- policy explain


def test_explain(tmp_path):
    policy = tmp_path / "p.yaml"
    policy.write_text("version: 1\nnetwork:\n  allow:\n    - tcp://127.0.0.2:80\n    - udp://*:53\n  deny: [127.0.0.3]\n  allow_bind: [8080]\n")
    os.chmod(policy, 0o600)

    def explain(*words):
        return sandbox.sandlock("policy", "explain", str(policy), *words)

    done = explain("connect", "127.0.0.2:80")
    assert done.status == 0 and "allow" in done.out and f"{policy}:4:" in done.out, done
    done = explain("connect", "127.0.0.3:80")
    assert done.status == 1 and "deny" in done.out and f"{policy}:6:" in done.out, done
    done = explain("connect", "127.0.0.4:80")
    assert done.status == 1 and "default" in done.out, done
    done = explain("connect", "127.0.0.9:53/udp")
    assert done.status == 0 and f"{policy}:5:" in done.out, done
    assert explain("bind", "8080").status == 0 and explain("bind", "8081").status == 1
    data = json.loads(sandbox.sandlock("policy", "explain", "--json", str(policy), "connect", "127.0.0.2:80").out)
    assert data["verdict"] == "allow", data


# ---------------------------------------------------------------- attacks on the supervisor


def test_unspecified_address_is_no_way_around():
    """0.0.0.0 leads to the socket's own address: where it is bound, or what IP_PKTINFO says. The rules judge it as 127.0.0.1."""
    code = """
    import socket, struct
    def send(family, source, to, control=()):
        s = socket.socket(family, socket.SOCK_DGRAM)
        if source: s.bind((source, 0))
        try: s.sendmsg([b"x"], control, 0, (to, %d))
        except OSError as e: print(type(e).__name__)
    spec = struct.pack("=I4s4x", 0, socket.inet_aton(%r))
    send(socket.AF_INET, %r, "0.0.0.0")
    send(socket.AF_INET, "", "0.0.0.0", [(socket.IPPROTO_IP, 8, spec)])
    send(socket.AF_INET6, "::ffff:" + %r, "::ffff:0.0.0.0")
    send(socket.AF_INET, "", "0.0.0.0")
    """
    with Datagrams(OTHER) as other:
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        own.bind(("127.0.0.1", other.port))
        own.settimeout(5)
        done = python("--net-allow", f"udp://127.0.0.1:{other.port}", code=textwrap.dedent(code) % (other.port, OTHER, OTHER, OTHER))
        assert done.status == 0 and own.recv(8) == b"x", done
        assert not other.received, other.received
        own.close()


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


def test_max_connections_counts_what_is_connected():
    """A connect() of a connected socket that fails (here by Landlock, which is asked first) gives no place back."""
    code = """
    import socket
    held = []
    for i in range(6):
        s = socket.socket()
        try: s.connect(%r)
        except OSError as e: print(len(held), type(e).__name__); break
        try: s.connect((%r, 9))
        except OSError as e: pass
        held.append(s)
    """
    with Server(ALLOWED) as server:
        done = python("--net-allow", f"tcp://*:{server.port}", "--max-connections", "3", code=textwrap.dedent(code) % ((ALLOWED, server.port), ALLOWED))
        assert done.out.split() == ["3", REFUSED], done


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


@pytest.mark.skipif(os.getuid() != 0, reason="needs to become another user")
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


# ---------------------------------------------------------------- layers that the program adds


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
