"""A file system that does not answer holds up who asked for it, and nobody else."""

import ctypes
import os
import socket
import subprocess
import textwrap
import threading
import time

import pytest

import network
import sandbox
from sandbox import PYTHON

LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture
def silent(tmp_path):
    """A mounted file system whose server reads nothing and answers nothing."""
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError as error:
        pytest.skip(f"opening /dev/fuse fails: {error}")
    place = tmp_path / "silent"
    place.mkdir()
    options = f"fd={device},rootmode=40000,user_id=0,group_id=0".encode()
    if LIBC.mount(b"none", bytes(place), b"fuse", 0, options) < 0:
        os.close(device)
        pytest.skip(f"mounting fuse fails: {os.strerror(ctypes.get_errno())}")
    # The kernel's first request; without its answer not even the root could be opened (FUSE_INIT, protocol 7.31).
    request = os.read(device, 65536)
    unique = request[8:16]
    init = (7).to_bytes(4, "little") + (31).to_bytes(4, "little") + bytes(8) + bytes(4) + (4096).to_bytes(4, "little") + bytes(40)
    os.write(device, (16 + len(init)).to_bytes(4, "little") + bytes(4) + unique + init)
    yield place
    os.close(device)  # ends the connection: whoever waits gets an error
    LIBC.umount2(bytes(place), 2)


def test_a_silent_file_system_delays_nobody_else(silent, tmp_path):
    code = """
    import socket, threading, time, sys
    def hang():
        s = socket.socket(socket.AF_UNIX)
        try: s.connect("%s/sub/socket")
        except OSError as e: pass
    for _ in range(2): threading.Thread(target=hang, daemon=True).start()
    time.sleep(0.3)
    worst = 0
    for _ in range(200):
        begin = time.perf_counter()
        s = socket.create_connection(("%s", %d)); s.close()
        worst = max(worst, time.perf_counter() - begin)
    print("worst", worst, flush=True)
    sys.stdin.read()
    """
    with network.Server(network.ALLOWED) as server:
        code = textwrap.dedent(code) % (silent, network.ALLOWED, server.port)
        child = subprocess.Popen([sandbox.SANDLOCK, "run", *sandbox.SYSTEM, "-w", str(tmp_path), "--net-allow", f"tcp://{network.ALLOWED}:{server.port}",
                                  "--", PYTHON, "-I", "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                 env=sandbox.clean_environment())
        watch = threading.Timer(20, child.kill)
        watch.start()
        try:
            line = child.stdout.readline()
            assert line.startswith("worst") and float(line.split()[1]) < 0.1, line
            begin = time.monotonic()
            child.terminate()
            assert child.wait(10) == 143 and time.monotonic() - begin < 5
        finally:
            watch.cancel()
            child.kill()
            child.communicate()


def test_a_path_that_is_not_cached_is_found(tmp_path):
    """On the loop only what the kernel has at hand is followed; the rest goes to a worker, with the same answer."""
    place = tmp_path / "a" / "b"
    place.mkdir(parents=True)
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(place / "s"))
    server.listen(8)
    cold = sandbox.IS_ROOT and os.access("/proc/sys/vm/drop_caches", os.W_OK)
    code = "import socket\nfor path in ('s', 'none'):\n    try: s = socket.socket(socket.AF_UNIX); s.connect('%s/' + path); print('connected')\n    except OSError as e: print(type(e).__name__)"
    for _ in range(3):
        if cold:
            open("/proc/sys/vm/drop_caches", "w").write("2")
        done = sandbox.python("-w", str(tmp_path), code=code % place)
        assert done.out.split() == ["connected", "FileNotFoundError"], done
    server.close()
