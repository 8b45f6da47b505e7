"""
Group J: names, and what answers for them. Bare, the attack works; with a rule for it too; without one it is stopped. Names are looked up by
sandlock before the program starts, so half of the attacks are made by the server that answers, against sandlock itself.
"""

import random
import socket
import string
import struct
import subprocess

import pytest

import names
import network
import sandbox
from names import A, CNAME, HTTPS, SVCB, Machine, address, record, wire
from network import Caller, Server

pytestmark = network.needs_namespace

GOOD, BAD = "127.0.0.2", "127.0.0.3"
REFUSED, UNKNOWN = "ConnectionRefusedError", "gaierror"
DENY_LOCAL = [word for group in ("loopback", "private", "link-local", "metadata") for word in ("--net-deny", group)]
RESOLVER = ["--net-allow", f"udp://{names.AT}:53"]


@pytest.fixture(params=["none", "private"])
def view(request, views):
    if request.param == "private" and not views:
        pytest.skip("unshare --user --mount --pid fails on this host: no kernel view")
    return request.param


# As in differences.md: what is not stopped, asserted like a promise, so that a row that is no longer true fails.
ESCAPES = {
    **dict.fromkeys(["other-owner", "other-class", "question", "type", "query"], "musl 1.2.3 takes every address of a packet that comes from the server and has the "
                    "number of the question, and does not read what it says it is about; who can send that can send the address outright"),
    "dot": "the dot is dropped before the name is looked up, and the search list applies",
}


def stopped(how):
    return "reached" if how in ESCAPES else REFUSED


def bare():
    return Caller(env=sandbox.clean_environment())


def confined(*options, view="none"):
    return Caller(sandbox.SANDLOCK, "run", *sandbox.SYSTEM, "--view", view, *options, "--", env=sandbox.clean_environment())


def allow(host, port="*"):
    return ["--net-allow", f"tcp://{host}:{port}"]


def two_servers():
    """The same port at the address that is meant, and at the one that is not."""
    good = Server(GOOD)
    return good, Server(BAD, good.port)


def not_started(options, within=8):
    """Refused with a reason, in bounded time."""
    with confined(*options) as caller:
        assert not caller.up and caller.status in (2, 125) and caller.err.strip() and caller.seconds < within, (caller.err, caller.seconds)
        return caller.err


@network.in_namespace
def test_J01_J10_a_name_that_moves(view):
    """An address is pinned for the whole run: the new one is nobody's, however the program learns of it."""
    good, bad = two_servers()
    with Machine({"moves.test": [GOOD]}) as machine, bare() as free, confined(*allow("moves.test"), *RESOLVER, view=view) as guest, \
         confined(*allow("moves.test"), *allow(BAD), view=view) as granted:
        assert [c.to("moves.test", good.port) for c in (free, guest, granted)] == ["reached"] * 3
        machine.zone["moves.test"] = [BAD]
        before = good.connections
        assert free.to("moves.test", bad.port) == "reached" and bad.connections == 1 and granted.to(BAD, bad.port) == "reached"
        assert guest.to("moves.test", bad.port) == "reached", "the pinned address, from the hosts file of the sandbox"
        assert guest.to(BAD, bad.port) == REFUSED
        assert (good.connections, bad.connections) == (before + 1, 2)


@pytest.mark.parametrize("local", [BAD, "::1", f"::ffff:{BAD}", "10.66.0.1", "::ffff:10.66.0.1", "169.254.169.254", "::ffff:169.254.169.254", "fd66::1"])
@network.in_namespace
def test_J01_a_name_that_leads_home(local):
    """An owner of a name may answer with addresses of this machine and its neighbours: denied ones stay denied."""
    subprocess.run([network.IP, *"addr add 169.254.169.254/32 dev lo".split()], check=True)
    with Machine({"evil.test": [local]}), Server("::", family=socket.AF_INET6) as home:
        for caller, expected in ((bare(), "reached"), (confined(*allow("evil.test")), "reached"), (confined(*allow("evil.test"), *DENY_LOCAL), REFUSED)):
            before = home.connections
            with caller:
                assert [caller.to(host, home.port) for host in ("evil.test", local)] == [expected] * 2
            assert home.connections - before == (2 if expected == "reached" else 0)


# Each leads to GOOD, and mentions BAD where it does not answer the question.
MENTIONS = {
    "additional": lambda q: q.reply(address(GOOD), additional=[address(BAD, owner="ns.test")]),
    "authority": lambda q: q.reply(address(GOOD), authority=[address(BAD)]),
    "HTTPS": lambda q: q.reply(address(GOOD), record(HTTPS, struct.pack("!HBHH", 1, 0, 4, 4) + socket.inet_aton(BAD))),
    "SVCB": lambda q: q.reply(address(GOOD), record(SVCB, struct.pack("!HBHH", 1, 0, 4, 4) + socket.inet_aton(BAD))),
    "HTTPS-ech": lambda q: q.reply(address(GOOD), record(HTTPS, struct.pack("!HBHH", 1, 0, 5, 4) + b"ech!")),
    "other-owner": lambda q: q.reply(address(GOOD), address(BAD, owner="other.test")),
    "other-class": lambda q: q.reply(address(GOOD), record(A, socket.inet_aton(BAD)).replace(b"\0\1\0\1", b"\0\1\0\3", 1)),
}


@pytest.mark.parametrize("how", MENTIONS)
@network.in_namespace
def test_J02_what_is_only_mentioned(how):
    good, bad = two_servers()
    with Machine({"a.test": lambda q: [MENTIONS[how](q) if q.type == A else q.reply()]}), bare() as free, \
         confined(*allow("a.test"), *allow(BAD)) as granted, confined(*allow("a.test")) as guest:
        assert [c.to(BAD, bad.port) for c in (free, granted, guest)] == ["reached", "reached", stopped(how)]
        assert bad.connections == (3 if how in ESCAPES else 2) and guest.to(GOOD, good.port) == "reached"


@network.in_namespace
def test_J02_an_alias_of_a_denied_host():
    """Names of a chain open nothing: the address at its end is judged, and denied when it is denied."""
    chain = {"a.test": lambda q: [q.reply(record(CNAME, wire("b.test")), record(CNAME, wire("denied.test"), owner="b.test"),
                                          *([address(BAD, owner="denied.test")] if q.type == A else []))],
             "b.test": [GOOD], "denied.test": [BAD]}
    good, bad = two_servers()
    with Machine(chain), bare() as free, confined(*allow("a.test")) as granted, confined(*allow("a.test"), "--net-deny", BAD, *RESOLVER) as guest:
        assert [c.to("a.test", bad.port) for c in (free, granted, guest)] == ["reached", "reached", REFUSED]
        assert [guest.to(host, good.port) for host in ("b.test", "denied.test", GOOD, BAD)] == [REFUSED] * 4
        assert (good.connections, bad.connections) == (0, 2)


LONG = ".".join(["x" * 63] * 3 + ["y" * 61])  # 253 bytes


@pytest.mark.parametrize("written, meant", [("A.Test", "a.test"), ("a.test.", "a.test"), ("_srv.a.test", "_srv.a.test"), ("xn--bcher-kva.test", "xn--bcher-kva.test"),
                                            ("a--b.test", "a--b.test"), ("1.2.test", "1.2.test"), ("x" * 63 + ".test", "x" * 63 + ".test"), (LONG, LONG),
                                            (LONG + ".", LONG)])
@network.in_namespace
def test_J03_one_form_of_a_name(written, meant):
    good, bad = two_servers()
    with Machine({meant: [GOOD]}) as machine, bare() as free, confined(*allow(written)) as guest:
        assert set(machine.asked) == {meant}
        assert [guest.to(host, good.port) for host in (meant, GOOD, BAD)] == ["reached", "reached", REFUSED]
        assert free.to(meant, good.port) == "reached"


@pytest.mark.parametrize("name", ["a..test", ".a.test", "a.test..", "-a.test", "a-.test", "a b.test", "a\tb.test", "a.test\n", "a\r.test", "a\x7f.test", "user@a.test",
                                  "a#.test", "a\\.test", "a\\000.test", "a%00.test", "a%2etest", "a.test/x", "a.test?x", "a;b.test", "b\u00fccher.test",
                                  "\u0430.test", "a\uff0etest", "a\u3002test", "a\u200b.test", "x" * 64 + ".test", "x." + LONG[1:], "a.0x7f", "a.1"])
@network.in_namespace
def test_J03_not_a_name(name):
    """Refused before anybody is asked: what a resolver would make of it is nobody's guess."""
    with Machine() as machine:
        machine.answers = lambda data, stream=False: machine.asked.append(data) or [names.Query(data, stream).addresses(GOOD)]
        not_started(allow(name))
        assert not machine.asked


@pytest.mark.parametrize("text", ['"tcp://a.test\\0.evil.test:1"', '"tcp://a\\x00:1"', '"tcp://a\\u0000.test:1"'])
@network.in_namespace
def test_J03_a_name_with_nul(text, scratch):
    policy = scratch / "p.yaml"
    policy.write_text(f"version: 1\nnetwork:\n  allow: [{text}]\n")
    policy.chmod(0o600)
    with Machine() as machine:
        not_started(["-p", str(policy)])
        assert not machine.asked


@network.in_namespace
def test_J04_names_that_look_alike(view):
    """A rule is for one name, whole. The guest may ask the resolver, and gains nothing from it."""
    others = ["evila.test", "x.a.test", "a.test.evil.test", "a.tes", "a.testt", "test"]
    good, bad = two_servers()
    with Machine({"a.test": [GOOD], **dict.fromkeys(others, [BAD])}), bare() as free, confined(*allow("a.test"), *RESOLVER, view=view) as guest, \
         confined(*(word for host in ["a.test", *others] for word in allow(host)), view=view) as granted:
        for host in ["a.test", "A.TEST", "a.test.", *others]:
            expected = "reached" if host not in others else REFUSED
            assert [free.to(host, good.port), guest.to(host, good.port)] == ["reached", expected], host
            assert host.endswith(".") or granted.to(host, good.port) == "reached"
        assert bad.connections == 2 * len(others)


@pytest.mark.parametrize("name", ["*.a.test", "*a.test", "a.*.test", "**.a.test", "*.*.test", "*.test", "*.", "*..a.test"])
@network.in_namespace
def test_J04_no_wildcards(name):
    """Without a resolver that watches answers a wildcard cannot be kept: it is refused, not taken for something else."""
    with Machine() as machine:
        not_started(allow(name))
        assert not machine.asked


@pytest.mark.parametrize("host", ["2130706434", "0x7f000002", "0x7f.2", "0177.0.0.2", "127.2", "017700000002", "127.0.2"])
@network.in_namespace
def test_J05_a_number_is_an_address(host):
    """As the C library reads it, and nobody is asked for it."""
    good, bad = two_servers()
    with Machine() as machine, bare() as free, confined(*allow(host, good.port)) as guest, confined(*allow("*"), "--net-deny", host) as denied:
        assert [guest.to(to, good.port) for to in (host, GOOD, BAD)] == ["reached", "reached", REFUSED]
        assert [denied.to(to, good.port) for to in (host, GOOD, BAD)] == [REFUSED, REFUSED, "reached"]
        assert free.to(host, good.port) == "reached" and not machine.asked


# Sent before the honest answer; none may be taken for it.
MISMATCHES = {
    "id": lambda q, s: [q.reply(address(BAD), id=bytes([q.id[0] ^ 0x40, q.id[1]]))],
    "port": lambda q, s: [(s["port"], q.reply(address(BAD)))],
    "source": lambda q, s: [(s["source"], q.reply(address(BAD)))],
    "question": lambda q, s: [q.reply(address(BAD), question=wire("other.test") + q.question[-4:])],
    "type": lambda q, s: [q.reply(address(BAD), question=q.question[:-4] + b"\0\x10\0\1")],
    "short": lambda q, s: [b"", q.id, q.id + b"\x81"],
    "query": lambda q, s: [q.reply(address(BAD), flags=0x0100)],
}


@pytest.mark.parametrize("how", MISMATCHES)
@network.in_namespace
def test_J07_not_an_answer_to_the_question(how):
    good, bad = two_servers()
    with Machine() as machine:
        sockets = {"port": machine.bound(names.AT, 0), "source": machine.bound(GOOD)}
        machine.zone["a.test"] = lambda q: (MISMATCHES[how](q, sockets) if q.type == A else []) + [q.addresses(GOOD)]
        with bare() as free, confined(*allow("a.test"), *allow(BAD)) as granted, confined(*allow("a.test")) as guest:
            assert [c.to(BAD, bad.port) for c in (free, granted, guest)] == ["reached", "reached", stopped(how)]
            # the packet was there first, and where it is taken the honest one is not
            assert guest.to(GOOD, good.port) == (REFUSED if how in ESCAPES else "reached")


def header(q, answers, flags=0x8180):
    return q.id + struct.pack("!H4H", flags, 1, answers, 0, 0)


MALFORMED = {
    "header-cut-short": lambda q: header(q, 1)[:11],
    "header-alone": lambda q: header(q, 1),
    "pointer-loop": lambda q: q.reply(record(A, socket.inet_aton(GOOD), owner=b"\xc0" + bytes([12 + len(q.question)]))[:-8]),
    "pointer-loop-in-question": lambda q: header(q, 1) + b"\xc0\x0c\0\1\0\1" + address(GOOD)[:6],
    "pointer-forward": lambda q: q.reply(b"\xff\xff\0\1"),
    "label-beyond-the-end": lambda q: header(q, 1) + b"\x3fa",
    "counts-without-records": lambda q: q.reply(counts=(1, 65535, 65535, 65535)),
    "many-questions": lambda q: q.reply(counts=(65535, 1, 0, 0)),
    "data-beyond-the-end": lambda q: q.reply(wire("a.test") + struct.pack("!HHIH", q.type, 1, 60, 65535) + b"\x7f"),
    "short-address": lambda q: q.reply(record(q.type, b"\x7f\0\0")),
    "empty-address": lambda q: q.reply(record(q.type, b"")),
    "long-address": lambda q: q.reply(record(q.type, b"\x7f" * 300)),
    "alias-loop": lambda q: q.reply(record(CNAME, wire("a.test"))),
    "alias-to-a-loop": lambda q: q.reply(record(CNAME, b"\xc0" + bytes([12 + len(q.question) + 12]))),
    "endless-junk": lambda q: q.id + b"\x81\x80" + b"\xff" * 65000,
    "zeros": lambda q: q.id + b"\x81\x80" + b"\0" * 65000,
    "cut": lambda q: q.reply(flags=0x8380),
    "no-such-name": lambda q: q.reply(flags=0x8183),
    "no-such-name-and-its-address": lambda q: q.reply(address(GOOD), flags=0x8183),
    "refused": lambda q: q.reply(flags=0x8185),
    "failed": lambda q: q.reply(flags=0x8182),
}


@pytest.mark.parametrize("how", MALFORMED)
@network.in_namespace
def test_J07_answers_that_are_none(how):
    """The run does not start, the reason names the host, and it does not take long."""
    with Machine({"a.test": lambda q: [MALFORMED[how](q)]}):
        assert "a.test" in not_started(allow("a.test"))


@network.in_namespace
def test_J07_no_answer():
    with Machine({"a.test": lambda q: []}):
        assert "a.test" in not_started([*allow("a.test"), *(word for i in range(50) for word in allow(f"a{i}.test"))])


@pytest.mark.parametrize("ttl", [0, 1 << 31, -1])
@network.in_namespace
def test_J07_times_to_live(ttl):
    good, bad = two_servers()
    with Machine({"a.test": lambda q: [q.addresses(GOOD, ttl=ttl)]}), confined(*allow("a.test")) as guest:
        assert [guest.to("a.test", good.port), guest.to(BAD, bad.port)] == ["reached", REFUSED]


@pytest.mark.parametrize("count, starts", [(40, True), (3900, False), (4092, True)])
@network.in_namespace
def test_J07_very_many_addresses(count, starts):
    """Sixty at most, or none: an answer of 64 KiB is bounded. The last does not fit into a datagram, whose reader is told so and has one address."""
    many = [address(f"127.1.{i >> 8}.{i & 255}") for i in range(count)]

    def answer(q):
        whole = q.reply(address(GOOD), *many) if q.type == A else q.reply()
        return [whole if q.stream or len(whole) < 65500 else q.reply(address(GOOD), flags=0x8380)]

    good, bad = two_servers()
    with Machine({"a.test": answer}):
        if not starts:
            assert "a.test" in not_started(allow("a.test"))
            return
        with confined(*allow("a.test")) as guest:
            assert [guest.to(host, good.port) for host in (GOOD, BAD)] == ["reached", REFUSED] and guest.seconds < 8


@network.in_namespace
def test_J08_telling_by_asking(view):
    """Questions are messages. Nobody hears them unless a rule names a resolver."""
    good = Server(GOOD)
    labels = ["".join(random.choices(string.ascii_lowercase, k=60)) + ".a.test" for _ in range(3)]
    with Machine({"a.test": [GOOD]}) as machine, bare() as free, confined(*allow("a.test"), view=view) as guest, \
         confined(*allow("a.test"), *RESOLVER, view=view) as granted:
        machine.asked.clear()
        assert [guest.to(name, good.port) for name in labels] == [UNKNOWN] * 3 and guest.to("a.test", good.port) == "reached" and not machine.asked
        for caller in (granted, free):
            assert caller.to(labels[0], good.port) == UNKNOWN and labels[0] in machine.asked
            machine.asked.clear()


POISON = f"""
import os, socket, sys
def attempt(step, *words):
    try:
        step(*words)
        return "done"
    except OSError as e:
        return type(e).__name__
def fill(fd):
    os.write(fd, b"{BAD} a.test")
path, name, port = "/etc/hosts", sys.argv[1], sys.argv[2]
print(attempt(lambda: fill(os.open(path, os.O_WRONLY | os.O_TRUNC))), attempt(lambda: fill(os.open(path, os.O_RDWR | os.O_APPEND))),
      attempt(lambda: fill(os.open(f"/proc/self/fd/{{os.open(path, os.O_RDONLY)}}", os.O_WRONLY))), attempt(os.rename, name, path), attempt(os.unlink, path),
      attempt(socket.create_connection, ("a.test", port)), attempt(os.truncate, path, 0))
"""


@network.in_namespace
def test_J11_a_hosts_file_of_the_guests(view, scratch):
    """A write grant for /etc/hosts is no way to give pinned names other addresses, nor to reach those."""
    good, bad = two_servers()
    (scratch / "hosts").write_text(f"{BAD} a.test\n")
    words = [sandbox.PYTHON, "-I", "-c", POISON, str(scratch / "hosts"), str(good.port)]

    def poison(*options):
        done = sandbox.run("--view", view, "-r", "/proc", "-w", scratch, "-w", "/etc/hosts", *options, cmd=words) if options else sandbox.execute(words)
        *ways, connects, cut = done.out.split()
        return ways, connects, cut

    with Machine({"a.test": [GOOD]}) as machine:
        hosts = machine.directory / "hosts"
        before = hosts.read_text()
        ways, connects, cut = poison(*allow("a.test"))
        assert "done" not in ways and connects == "done" and (good.connections, bad.connections) == (1, 0), ways
        # Without a view the granted file itself is there, behind what is read: it can be emptied, and nothing can be put into it.
        assert cut == ("done" if view == "none" else "OSError") and hosts.read_text() == ("" if view == "none" else before)
        for reached, options in ((1, allow("*")), (2, [])):
            hosts.write_text(before)
            ways, connects, _ = poison(*options)
            assert ways[0] == connects == "done" and bad.connections == reached


@network.in_namespace
def test_J11_search_domains_of_the_guests():
    """Variables that make its resolver look elsewhere first: pinned names are in the hosts file, and others lead to addresses that are judged."""
    good, bad = two_servers()
    elsewhere = ["--env", "LOCALDOMAIN=evil.test", "--env", "RES_OPTIONS=ndots:15"]
    with Machine({"a.test": [GOOD], "a.test.evil.test": [BAD], "www.evil.test": [BAD]}) as machine, \
         confined(*allow("a.test"), *RESOLVER, *elsewhere) as guest, confined(*allow("*"), *RESOLVER, *elsewhere) as granted, \
         Caller(env=sandbox.clean_environment(LOCALDOMAIN="evil.test", RES_OPTIONS="ndots:15")) as free:
        machine.asked.clear()
        assert [guest.to("a.test", good.port), guest.to("www", good.port)] == ["reached", REFUSED]
        assert machine.asked and set(machine.asked) == {"www.evil.test"} and (good.connections, bad.connections) == (1, 0)
        for caller in (granted, free):
            assert [caller.to("a.test", good.port), caller.to("www", good.port)] == ["reached"] * 2
        assert (good.connections, bad.connections) == (1, 4)


SEARCH = {"resolv": "search evil.test\noptions ndots:15\n"}


@network.in_namespace
def test_J11_search_domains_of_the_machine():
    """The machine's list counts as it does for every program: what it makes of a name is pinned, and nothing else."""
    good, bad = two_servers()
    with Machine({"a.test": [GOOD], "a.test.evil.test": [BAD]}, **SEARCH), bare() as free, confined(*allow("a.test")) as guest:
        assert free.to("a.test", good.port) == "reached" and bad.connections == 1
        assert [guest.to(host, good.port) for host in ("a.test", BAD, GOOD)] == ["reached", "reached", REFUSED] and good.connections == 0


@network.in_namespace
def test_J11_a_dot_at_the_end_of_a_rule():
    """It says that the name is whole, whatever the machine searches."""
    good, bad = two_servers()
    with Machine({"a.test": [GOOD], "a.test.evil.test": [BAD]}, **SEARCH), confined(*allow("a.test.")) as guest, confined(*allow("a.test")) as granted, bare() as free:
        assert [c.to(BAD, good.port) for c in (free, granted, guest)] == ["reached", "reached", stopped("dot")]
        assert guest.to(GOOD, good.port) == (REFUSED if "dot" in ESCAPES else "reached")


@network.in_namespace
def test_J01_without_a_supervisor():
    """The kernel alone knows ports: a rule with a name is refused, not widened."""
    with Machine({"a.test": [GOOD]}):
        assert "a.test" in not_started([*allow("a.test", 80), "--no-supervisor"])
