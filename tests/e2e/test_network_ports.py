"""Binding, and ports that are others outside: --port-remap and --port."""

import socket
import subprocess
import textwrap

import pytest

import network
import sandbox
from network import REFUSED, Server, connects
from sandbox import PYTHON, python, run


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


def test_a_published_port_that_is_denied_starts_nothing(tmp_path):
    policy = tmp_path / "p.yaml"
    policy.write_text("version: 1\nnetwork:\n  deny_bind: [80-90]\n")
    policy.chmod(0o600)
    done = run("-p", str(policy), "--port", "0:85", cmd=["/bin/echo", "started"])
    assert done.status == 125 and done.out == "", done
    assert "--port" in done.err and f'network.deny_bind "80-90" at {policy}:3' in done.err, done


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


LOW = """
import os, socket
def attempt():
    try: return socket.create_server(("127.0.0.1", 81)).getsockname()[1]
    except OSError as e: return type(e).__name__
print(attempt(), end=" ")
os.setgid(1000); os.setuid(1000)
print(attempt())
"""


@pytest.mark.skipif(not sandbox.IS_ROOT, reason="id -u says that this is an ordinary user: low ports are not its own")
@pytest.mark.parametrize("options", [["--net-allow-bind", "81"], ["--net-allow-bind", "*"], ["--net-allow-bind", "*", "--net-deny-bind", "22"],
                                     ["--net-allow-bind", "81", "--port-remap"], ["--net-allow-bind", "81", "--net-allow", "tcp://127.0.0.1:80"]],
                         ids=" ".join)
def test_low_ports_are_for_root(view, options):
    """Granted to root inside as outside, and to nobody that root has become."""
    assert python(*view, *options, code=LOW).out == "81 PermissionError\n"
    assert python(*view, *options, "--caps", "keep", code=LOW).out == "81 PermissionError\n"
    assert python(*view, *options, "--caps", "none", code=LOW.replace("os.setgid(1000); os.setuid(1000)", "")).out == "PermissionError PermissionError\n"
