"""What the network tests share: servers, programs that connect, silent hosts and network namespaces."""

import contextlib
import ctypes
import os
import pickle
import shutil
import socket
import struct
import subprocess
import threading
import time
import traceback

import pytest

from sandbox import python

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000

IP = shutil.which("ip", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")

# All of 127/8 is this machine: different hosts without any set-up.
ALLOWED, OTHER = "127.0.0.2", "127.0.0.3"
REFUSED = "ConnectionRefusedError"


def needs(program):
    return pytest.mark.skipif(not shutil.which(program), reason=f"command -v {program} finds nothing: it is not installed")


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
    """A program that connects to each of `to`; it prints "ping", or the name of the error."""
    return python(*options, code=CONNECT % [f"{h}:{p}" for h, p in to], **kwargs)


class Server:
    """A TCP server on a port of its own; counts connections and answers with what it got."""

    def __init__(self, host=ALLOWED, port=0, family=socket.AF_INET, backlog=4096):
        self.socket = socket.socket(family, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind((host, port))
        self.socket.listen(backlog)
        self.host, self.port = self.socket.getsockname()[:2]
        self.connections, self.peers = 0, []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, peer = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            self.peers.append(peer)
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    @staticmethod
    def answer(connection):
        with connection, contextlib.suppress(OSError):
            while data := connection.recv(65536):
                connection.sendall(data)

    def close(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Datagrams:
    """A UDP server that remembers and echoes what arrives."""

    def __init__(self, host=ALLOWED, port=0, family=socket.AF_INET):
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((host, port))
        self.host, self.port = self.socket.getsockname()[:2]
        self.received = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                data, peer = self.socket.recvfrom(65536)
                if peer is None:  # shut down
                    return
                self.received.append(data)
                self.socket.sendto(data, peer)
            except OSError:
                return

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


def unused_port(host="127.0.0.1", kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        return probe.getsockname()[1]


def no_namespace():
    """Why there is no network namespace of one's own: it needs root or user namespaces, and ip to set it up."""
    if not IP:
        return "command -v ip finds nothing: no network namespace can be set up"
    flags = "-n" if os.geteuid() == 0 else "-Urn"
    if subprocess.run(["unshare", flags, "true"], stderr=subprocess.DEVNULL).returncode != 0:
        return f"unshare {flags} fails on this host: no network namespace"
    return None


needs_namespace = pytest.mark.skipif(bool(no_namespace()), reason=str(no_namespace()))


def in_namespace(function):
    """Runs a test in a child process with a network namespace of its own: lo, and a link "void" with 10.66.0.1, 10.66.0.2 and
    fd66::1, fd66::2. Everything else in 10.66.0.0/24 is silent: packets leave and nobody answers."""

    def wrapper(*args, **kwargs):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(read)
                enter_namespace()
                function(*args, **kwargs)
                result = None
                status = 0
            except BaseException as error:  # pytest's failures and skips are none of Exception
                result = (type(error).__name__, str(error), traceback.format_exc())
            with os.fdopen(write, "wb") as out:
                pickle.dump(result, out)
            os._exit(status)
        os.close(write)
        with os.fdopen(read, "rb") as source:
            data = source.read()
        os.waitpid(pid, 0)
        result = pickle.loads(data) if data else ("Died", "the child died", "")
        if result:
            if result[0] == "Skipped":
                pytest.skip(result[1])
            pytest.fail(result[2], pytrace=False)

    wrapper.__name__, wrapper.__doc__ = function.__name__, function.__doc__
    wrapper.__wrapped__ = function  # pytest reads the fixtures from its signature
    return wrapper


def enter_namespace():
    uid, gid = os.geteuid(), os.getegid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET | (0 if uid == 0 else CLONE_NEWUSER)):
        raise OSError(ctypes.get_errno(), "unshare")
    if uid:
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w") as f:
                f.write(text)
    for line in ("link set lo up", "link add void type veth peer name hole", "link set void up", "link set hole up", "addr add 10.66.0.1/24 dev void",
                 "addr add 10.66.0.2/24 dev void", "addr add fd66::1/64 dev void nodad", "addr add fd66::2/64 dev void nodad"):
        subprocess.run([IP, *line.split()], check=True)
    # Neighbours that never answer would give EHOSTUNREACH: a fixed one swallows everything.
    subprocess.run(f"{IP} neigh add 10.66.0.99 lladdr 02:00:00:00:00:99 dev void nud permanent".split(), check=True)


class Capture:
    """Every IP packet of the namespace, from the moment of entering."""

    def __enter__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self.socket.settimeout(0.2)
        return self

    def destinations(self):
        """(protocol, address, port) of everything seen until now."""
        seen = set()
        while True:
            try:
                data, (interface, ethertype, *_) = self.socket.recvfrom(65536)
            except (TimeoutError, socket.timeout):
                return seen
            if ethertype == 0x0800 and len(data) >= 20:
                length, protocol = (data[0] & 15) * 4, data[9]
                address = socket.inet_ntop(socket.AF_INET, data[16:20])
                rest = data[length:]
            elif ethertype == 0x86DD and len(data) >= 40:
                protocol, address, rest = data[6], socket.inet_ntop(socket.AF_INET6, data[24:40]), data[40:]
            else:
                continue
            port = struct.unpack("!H", rest[2:4])[0] if protocol in (6, 17) and len(rest) >= 4 else 0
            seen.add((protocol, address, port))

    def __exit__(self, *_):
        self.socket.close()


TALK = """
import socket, sys
print("up", flush=True)
for line in sys.stdin:
    host, port = line.split()
    try:
        with socket.create_connection((host, int(port)), 5) as s:
            s.sendall(b"x")
            print("reached" if s.recv(1) == b"x" else "nothing", flush=True)
    except OSError as e:
        print(type(e).__name__, flush=True)
"""


class Caller:
    """A program that connects to whom it is told to. ARGV before it: a sandbox, or nothing."""

    def __init__(self, *argv, env):
        self.argv = [*argv, "/usr/bin/python3", "-I", "-c", TALK]
        self.env = env

    def __enter__(self):
        self.started = time.monotonic()
        self.child = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.env)
        self.up = self.child.stdout.readline() == "up\n"
        if not self.up:
            self.err, self.status = self.child.stderr.read(), self.child.wait(10)
        self.seconds = time.monotonic() - self.started
        return self

    def to(self, host, port):
        assert self.up, self.err
        self.child.stdin.write(f"{host} {port}\n")
        self.child.stdin.flush()
        return self.child.stdout.readline().strip()

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait(10)
        self.child.stdout.close()
        self.child.stderr.close()
