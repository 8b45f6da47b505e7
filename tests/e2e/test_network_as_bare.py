"""What is allowed behaves as without a sandbox, also where the supervisor makes the call."""

import socket
import subprocess
import textwrap

import pytest

import network
import sandbox
from sandbox import PYTHON

OPEN = ["--net-deny", "203.0.113.9", "--net-allow-bind", "*", "--net-allow-bind", "udp://*"]


def both(code, *options, **kwargs):
    """The output of a program without and with a sandbox."""
    code = textwrap.dedent(code)
    bare = subprocess.run([PYTHON, "-I", "-c", code], capture_output=True, text=True, timeout=60, **kwargs).stdout
    done = sandbox.run(*sandbox.SYSTEM, *options, cmd=[PYTHON, "-I", "-c", code], **kwargs)
    assert bare
    assert done.out == bare, done


def test_udp_port_of_its_own():
    """Under port_remap a number that is taken outside leads to the sandbox's own socket, for datagrams too."""
    code = """
    import socket
    u = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); u.bind(("127.0.0.1", %(port)d)); u.settimeout(3)
    v = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    v.sendto(b"to", ("127.0.0.1", %(port)d)); print(u.recv(9))
    v.sendmsg([b"msg"], [], 0, ("127.0.0.1", %(port)d)); print(u.recv(9))
    v.connect(("127.0.0.1", %(port)d)); v.send(b"connected"); print(u.recv(9), v.getpeername()[1] == %(port)d)
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outsider:
        outsider.bind(("127.0.0.1", 0))
        outsider.setblocking(False)
        port = outsider.getsockname()[1]
        done = sandbox.python("--net-allow", "udp://127.0.0.1", "--net-allow-bind", "udp://*", "--port-remap", code=textwrap.dedent(code) % {"port": port})
        assert done.out == "b'to'\nb'msg'\nb'connected' True\n", done
        with pytest.raises(BlockingIOError):
            outsider.recv(9)


def test_a_port_is_not_shared_with_an_outsider():
    """SO_REUSEPORT: a port that was the sandbox's once, and is somebody else's now."""
    code = """
    import socket, sys
    def take():
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        s.bind(("127.0.0.1", %d))
        return s
    take().close()
    print("free", flush=True)
    sys.stdin.readline()
    try: take(); print("shared")
    except OSError as e: print(e.errno)
    """
    port = network.unused_port(kind=socket.SOCK_DGRAM)
    child = subprocess.Popen([sandbox.SANDLOCK, "run", *sandbox.SYSTEM, "--net-allow", "udp://127.0.0.1", "--net-allow-bind", "udp://*",
                              "--net-deny-bind", "udp://7", "--", PYTHON, "-I", "-c", textwrap.dedent(code) % port],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=sandbox.clean_environment())
    assert child.stdout.readline() == "free\n"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outsider:
        outsider.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        outsider.bind(("127.0.0.1", port))
        assert child.communicate("go\n", timeout=10)[0] == "98\n"


@pytest.mark.parametrize("options", [OPEN, [*OPEN, "--net-deny-bind", "22"], [*OPEN, "--port-remap"]], ids=["kernel", "judged", "remap"])
def test_names_of_unix_sockets(tmp_path, view, options):
    code = """
    import os, socket
    os.chdir(%r); os.makedirs("d", exist_ok=True)
    for path in (os.getcwd() + "/a.s", "b.s", "d/../c.s", "./d/d.s"):
        if os.path.exists(path): os.unlink(path)
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); server.bind(path); print(server.getsockname())
        client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); client.bind(path + "c"); client.sendto(b"x", path)
        data, sender = server.recvfrom(9); print(sender); server.sendto(b"y", sender); print(client.recv(9))
        os.unlink(path + "c")
    """
    both(code % str(tmp_path), "-w", str(tmp_path), *view, *options)


def test_sendmsg_takes_what_there_is_room_for():
    """Who waits for an edge gets one: only a socket that is really full makes one later."""
    code = """
    import select, socket, threading
    server = socket.create_server(("127.0.0.2", 0))
    c = socket.socket(); c.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 3 << 20); c.connect(server.getsockname()); c.setblocking(False)
    peer, _ = server.accept()
    data, sent = bytes(24 << 20), 0
    poll = select.epoll(); poll.register(c, select.EPOLLOUT | select.EPOLLET); poll.poll(1)
    def read():
        got = 0
        while got < len(data): got += len(peer.recv(1 << 20))
        print("read", got)
    reader = threading.Thread(target=read)
    begun = False
    while sent < len(data):
        try: sent += c.sendmsg([memoryview(data)[sent:]])
        except BlockingIOError: pass
        if not begun: reader.start(); begun = True
        if sent < len(data) and not poll.poll(5): print("no edge"); break
    c.close(); reader.join(); print("sent", sent)
    """
    both(code, *OPEN, "--net-allow", "127.0.0.2", "-w", "/tmp")


def test_bind_without_a_port():
    code = """
    import socket
    IP_BIND_ADDRESS_NO_PORT = 24
    server = socket.create_server(("127.0.0.2", 0))
    c = socket.socket(); c.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    c.bind(("127.0.0.3", 0)); print(c.getsockname()); c.connect(server.getsockname()); print(c.getsockname()[0])
    s = socket.socket(); s.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
    s.bind(("127.0.0.3", 0)); s.listen(); print(s.getsockname()[0], s.getsockname()[1] > 0)
    socket.create_connection(s.getsockname(), 5); print(s.accept()[1][0])
    """
    both(code, *OPEN, "--net-deny-bind", "22")


def test_shutdown_ends_a_connect():
    code = """
    import socket, threading, time
    server = socket.socket(); server.bind(("127.0.0.2", 0)); server.listen(0)
    filling = [socket.socket() for _ in range(3)]
    for s in filling: s.setblocking(False); s.connect_ex(server.getsockname())
    time.sleep(0.2)
    c = socket.socket()
    threading.Timer(0.3, lambda: c.shutdown(socket.SHUT_RDWR)).start()
    begin = time.monotonic()
    try: c.connect(server.getsockname()); print("connected")
    except OSError as e: print(type(e).__name__, time.monotonic() - begin < 2)
    """
    both(code, *OPEN)
