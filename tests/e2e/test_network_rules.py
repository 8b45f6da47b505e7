"""Which peers the network rules let a program reach, and that nothing is sent to the others."""

import json
import os
import socket
import subprocess
import textwrap

import pytest

import network
import sandbox
from network import ALLOWED, OTHER, REFUSED, Datagrams, Server, connects, needs_namespace, rule
from sandbox import PYTHON, python, run


# ---------------------------------------------------------------- destinations


def test_allowed_address_and_no_other(view):
    with Server(ALLOWED) as allowed, Server(OTHER) as other:
        done = connects(*view, *rule(allowed), to=[(ALLOWED, allowed.port), (OTHER, other.port), (OTHER, allowed.port)])
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
        assert refused.status == 125 and 'error: --net-allow: "tcp://' in refused.err, refused


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


def test_ordered_rules_deny_a_name():
    """Every address that the name has at the start; another address of this machine is not one of them."""
    with Server("127.0.0.1") as named, Server(OTHER) as other:
        to = [("127.0.0.1", named.port), (OTHER, other.port)]
        for name in ("domain=localhost", "domain=.LOCALHOST."):
            done = connects("--net-rule", f"deny@{name}:tcp,allow@loopback:tcp:{named.port}+{other.port}", to=to)
            assert done.out.split() == [REFUSED, "ping"], done
        assert named.connections == 0
    refused = connects("--net-deny", "localhost", to=[])
    assert refused.status == 2 and "--net-deny" in refused.err, refused


def test_each_error_of_a_rule_is_said_once(tmp_path):
    done = connects("--net-allow", "*.example.com:443", to=[])
    assert done.status == 125 and done.err.count("DNS forwarder") == 1, done
    policy = tmp_path / "p.yaml"
    policy.write_text("version: 1\nnetwork:\n  allow: ['no-such-host.invalid:443']\n  rules: ['allow@*.example.com']\n")
    policy.chmod(0o600)
    done = connects("-p", str(policy), to=[])
    assert done.status == 125 and done.err.count("DNS forwarder") == 1, done
    assert f"{policy}:3:11: network.allow: failed to resolve host" in done.err, done


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
    flags = ["--net-default-egress", "deny", "--net-default-ingress", "allow", "--net-rule", "deny@any"]
    done = connects("--no-net", *flags, to=[])
    assert done.status == 125 and all(flag in done.err for flag in flags[::2]), done


def test_no_net_closes_every_family_with_one_answer():
    code = """
    import ctypes, os
    socket = ctypes.CDLL(None, use_errno=True).socket
    def answer(family, kind):
        fd = socket(family, kind, 0)
        return 0 if fd >= 0 else ctypes.get_errno()
    families = [f for f in range(46) if f not in (1, 16)]  # AF_UNIX, AF_NETLINK
    print(sorted({answer(f, kind) for f in families for kind in (1, 2, 3, 5)}), answer(1, 1), answer(16, 3))
    """
    for options in ([], ["--no-ipv6"], ["--no-supervisor"]):
        done = python("--no-net", *options, code=textwrap.dedent(code))
        assert done.out.startswith("[13] 0 "), done


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
def test_udp(how, view):
    with Datagrams(ALLOWED) as allowed, Datagrams(OTHER) as other:
        done = python(*view, *rule(allowed, "udp"), code=SEND % ((ALLOWED, allowed.port), (OTHER, other.port), how))
        assert done.status == 0 and done.out.split() == ["data", REFUSED, "data"], done
        assert len(allowed.received) == 2 and other.received == []


def test_tcp_rule_does_not_open_udp():
    with Datagrams(ALLOWED) as server:
        done = python(*rule(server, "tcp"), code=SEND % ((ALLOWED, server.port), (ALLOWED, server.port), "sendto"))
        assert (done.out.split() == [REFUSED] * 3 or "PermissionError" in done.out + done.err) and server.received == [], done


@pytest.mark.parametrize("options", [["--net-allow", "tcp://127.0.0.2:80"], ["--net-allow", "tcp://:80"], ["--net-deny", "*"], ["--net-allow", "icmp://*"]],
                         ids=lambda words: words[-1])
def test_udp_is_closed_where_it_is_used(options, landlock_abi):
    """C libraries make UDP sockets to sort addresses: they get them where some rule stands, and nothing comes out or in."""
    code = """
    import socket
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    def attempt(f):
        try: print(f())
        except OSError as e: print(e.errno)
    to = ("127.0.0.2", 9)
    attempt(lambda: s.sendto(b"x", to))
    attempt(lambda: s.sendmsg([b"x"], [], 0, to))
    attempt(lambda: s.connect(to))
    attempt(lambda: s.bind(("127.0.0.1", 0)))
    attempt(lambda: s.bind(("127.0.0.1", 5353)))
    print(s.getsockname()[1])
    """
    if landlock_abi == 9:
        pytest.skip("landlock_create_ruleset says ABI 9: no UDP rights, and sends are not trapped for TCP rules")
    denied = "13" if landlock_abi >= 10 else "111"
    done = python(*options, code=textwrap.dedent(code))
    assert done.out.split() == [denied] * 3 + ["13", "13", "0"], done
    # Without any rule there is none.
    assert "PermissionError" in python(code=textwrap.dedent(code)).err


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


# ---------------------------------------------------------------- how many connections


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
    done = explain("bind", "8080")
    assert done.status == 0 and f"8080 ({policy}:7:" in done.out, done
    done = explain("bind", "8081/udp")
    assert done.status == 1 and "to allow: --net-allow-bind udp://8081\n" in done.out, done
    data = json.loads(sandbox.sandlock("policy", "explain", "--json", str(policy), "connect", "127.0.0.2:80").out)
    assert data["verdict"] == "allow" and "suggest" not in data["answers"][0], data


def test_explain_names_what_decides_and_what_would_allow():
    def answer(*words):
        options = words[words.index("--"):] if "--" in words else []
        done = sandbox.sandlock("policy", "explain", "--json", "base-system", *words)
        (answer,) = json.loads(done.out)["answers"]
        assert done.status == (answer["verdict"] == "deny"), done
        if not options and answer["verdict"] == "deny":
            again = sandbox.sandlock("policy", "explain", "base-system", *words, "--", *answer["suggest"].split())
            assert again.status == 0, again
        return answer["rule"], answer["origin"], answer.get("suggest")

    assert answer("connect", "127.0.0.2:80") == ("default", "", "--net-allow tcp://127.0.0.2:80")
    assert answer("connect", "[::1]:53/udp") == ("default", "", "--net-allow udp://[::1]:53")
    assert answer("connect", "127.0.0.2/icmp") == ("default", "", "--net-allow icmp://127.0.0.2")
    assert answer("bind", "80") == ("default", "", "--net-allow-bind 80")
    assert answer("connect", "127.0.0.2:80", "--", "--net-deny", "loopback") == ("loopback", "--net-deny", "drop loopback")
    assert answer("bind", "80", "--", "--net-deny-bind", "80-81") == ("80-81", "--net-deny-bind", "drop 80-81")
    assert answer("bind", "80", "--", "--port", "0:80") == ("0:80", "--port", None)
    assert answer("connect", "[::1]:80", "--", "--net-allow", "*", "--no-ipv6") == ("network.ipv6: false", "--no-ipv6", "drop network.ipv6: false")
    assert answer("connect", "127.0.0.2:80", "--", "--no-net")[0] == "network.disable: true"
    assert answer("connect", "127.0.0.2:80", "--", "--no-supervisor")[2] == "--net-allow tcp://*:80"
