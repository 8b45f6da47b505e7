"""Resource limits and process attributes."""

import os
import re

import pytest

from sandbox import python, run

MODES = {"supervised": ["--view", "none"], "view": ["--view", "private"], "kernel": ["--no-supervisor"]}


@pytest.fixture(params=MODES)
def mode(request):
    if request.param == "view":
        request.getfixturevalue("needs_view")
    return MODES[request.param]


@pytest.mark.parametrize("value, name, expected", [
    ("nofile=32:64", "NOFILE", "(32, 64)"), ("core=0", "CORE", "(0, 0)"), ("fsize=1M", "FSIZE", "(1048576, 1048576)"),
    ("stack=4M:8M", "STACK", "(4194304, 8388608)"), ("cpu=100:200", "CPU", "(100, 200)"), ("as=1G", "AS", "(1073741824, 1073741824)"),
])
def test_rlimits(mode, value, name, expected):
    result = python(*mode, "--rlimit", value, code=f"import resource; print(resource.getrlimit(resource.RLIMIT_{name}))")
    assert result.out.strip() == expected, result


@pytest.mark.parametrize("value", ["nofile", "nofile=", "nofile=x", "nofile=5:4", "nosuch=1", "nofile=-1", "=5", "nofile=1:2:3"])
def test_bad_rlimits(value):
    result = run("--rlimit", value, cmd="true")
    assert result.status in (2, 125) and "rlimit" in result.err, result


def test_open_files(mode):
    code = ("import resource, os\nn = 0\ntry:\n    while True:\n        os.open('/dev/null', os.O_RDONLY); n += 1\n"
            "except OSError as e:\n    print(n + 3, e.errno, resource.getrlimit(resource.RLIMIT_NOFILE))")
    assert python(*mode, "--max-open-files", "40", code=code).out.strip() == "40 24 (40, 40)"


def test_fsize_is_enforced(mode, scratch):
    result = run(*mode, "--rlimit", "fsize=64K", "-w", scratch, cmd=f"head -c 100000 /dev/zero > {scratch}/f")
    assert result.status != 0 and (scratch / "f").stat().st_size == 65536


def test_affinity(mode):
    result = python(*mode, "--cpu-cores", "0", code="import os; print(os.sched_getaffinity(0))")
    assert result.out.strip() == "{0}", result
    result = python(*mode, "--cpu-cores", "4095", code="print('started')")
    assert result.status in (2, 125) and "started" not in result.out


def test_cpus(mode):
    assert python(*mode, "--cpus", "1", code="import os; print(len(os.sched_getaffinity(0)))").out.strip() == "1"


def test_no_core_dumps(mode, scratch):
    result = run(*mode, "--no-coredump", "-w", scratch, "--cwd", scratch, cmd="ulimit -c unlimited 2>/dev/null; kill -SEGV $$")
    assert result.status == 139 and not list(scratch.glob("core*"))


def test_no_huge_pages(mode):
    code = "import ctypes; print(ctypes.CDLL(None).prctl(42, 0, 0, 0, 0))"
    assert python(*mode, "--no-huge-pages", code=code).out.strip() == "1"
    assert python(*mode, code=code).out.strip() == "0"


def test_memory_layout_repeats(mode):
    code = "import ctypes; print(ctypes.CDLL(None).personality(0xffffffff) & 0x40000, id(object()))"
    runs = {python(*mode, "--no-randomize-memory", code=code, env={"PATH": "/usr/bin", "PYTHONHASHSEED": "0"}).out for _ in range(3)}
    assert len(runs) == 1 and runs.pop().startswith("262144 "), runs
    assert python(*mode, code=code).out.startswith("0 ")


def test_signal_dispositions_are_default(mode):
    """Whatever the caller ignores or blocks, the command starts with defaults."""
    import signal
    import subprocess
    from sandbox import SANDLOCK, SYSTEM, clean_environment

    def disturb():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1, signal.SIGTERM, signal.SIGCHLD})

    options = [*mode, "-r", "/proc"]
    done = subprocess.run([SANDLOCK, "run", *SYSTEM, *options, "--", "/bin/grep", "-E", "Sig(Blk|Ign)", "/proc/self/status"], preexec_fn=disturb,
                          env=clean_environment(), stdout=subprocess.PIPE, text=True, timeout=20)
    assert re.findall(r"\s0{16}\n", done.stdout) and done.stdout.count("0" * 16) == 2, done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="id -u says that this is not root")
@pytest.mark.parametrize("caps, expected", [("none", 0), ("files", None)])
def test_capabilities_of_root(mode, caps, expected):
    result = run(*mode, "--caps", caps, "-r", "/proc", cmd=["/bin/grep", "-E", "Cap(Prm|Eff|Bnd|Amb)", "/proc/self/status"])
    values = dict(re.findall(r"Cap(\w+):\s*(\w+)", result.out))
    assert len(values) == 4, result
    admin = 1 << 21 | 1 << 19 | 1 << 12 | 1 << 27 | 1 << 13 | 1 << 16
    for name, value in values.items():
        assert int(value, 16) & admin == 0, (name, value)
        if expected is not None and name != "Bnd":
            assert int(value, 16) == expected, (name, value)
