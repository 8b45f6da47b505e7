"""The binary alone: an empty directory, an empty environment, a root without a C library."""

import os
import shutil
import subprocess

import pytest

from sandbox import IS_ROOT, SANDLOCK, execute

STATIC = "int main(int argc, char **argv) { return argc == 2 ? 42 : 1; }"


def test_static():
    with open(SANDLOCK, "rb") as f:
        data = f.read()
    assert b"PT_INTERP" not in data and b"ld-linux" not in data[:4096] and b"ld-musl" not in data[:4096]


def test_empty_directory_and_environment(scratch, compiled):
    shutil.copy2(SANDLOCK, scratch / "sandlock")
    program = scratch / "program"
    shutil.copy2(compiled("fortytwo", STATIC), program)
    for options in ([], ["--view", "none"], ["--view", "auto"], ["--no-supervisor"], ["-P", "5"]):
        result = execute(["env", "-i", "./sandlock", "run", "-r", "./program", *options, "--", "./program", "x"], cwd=scratch)
        assert (result.status, result.out, result.err) == (42, "", ""), result


def inside_a_bare_root(scratch, compiled, words, proc):
    """chroot into a tree with two static files and nothing else."""
    for name in ("proc", "tmp", "dev"):
        (scratch / name).mkdir()
    shutil.copy2(SANDLOCK, scratch / "sandlock")
    shutil.copy2(compiled("fortytwo", STATIC), scratch / "program")
    mount = f"mount -t proc proc {scratch}/proc && " if proc else ""
    line = f"{mount}exec chroot {scratch} /sandlock {words}"
    unshare = ["unshare", "--mount", "--pid", "--fork"] if IS_ROOT else ["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork"]
    return execute(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *unshare, "sh", "-c", line])


@pytest.mark.parametrize("options", ["--view none", "--view auto", "--no-supervisor", "--view none -P 5"])
def test_bare_root(scratch, compiled, options, needs_view):
    result = inside_a_bare_root(scratch, compiled, f"run -r /program {options} -- /program x", True)
    assert result.status == 42, result


@pytest.mark.parametrize("options", ["--no-supervisor", "--view none", "--view private"])
def test_without_proc(scratch, compiled, options, needs_view):
    """No /proc at all: it runs, or says what is missing; it never runs with less protection than asked for."""
    result = inside_a_bare_root(scratch, compiled, f"run -r /program {options} -- /program x", False)
    assert result.status in (42, 125), result
    assert result.status == 42 or "/proc" in result.err or result.err, result


def test_from_a_deleted_binary(scratch, compiled):
    """Re-execution needs no path: the binary may be replaced while it starts."""
    shutil.copy2(SANDLOCK, scratch / "sandlock")
    program = compiled("fortytwo", STATIC)
    for _ in range(10):
        child = subprocess.Popen([scratch / "sandlock", "run", "-r", program, "-P", "3", "--", program, "x"], env={}, stderr=subprocess.PIPE)
        os.unlink(scratch / "sandlock")
        shutil.copy2(SANDLOCK, scratch / "sandlock")
        assert child.wait(timeout=10) == 42, child.stderr.read()


def test_unreadable_binary(scratch, compiled):
    """Execute permission is enough."""
    if IS_ROOT:
        pytest.skip("id -u says that this is root: permissions do not hold it")
    shutil.copy2(SANDLOCK, scratch / "sandlock")
    (scratch / "sandlock").chmod(0o111)
    program = compiled("fortytwo", STATIC)
    assert execute([scratch / "sandlock", "run", "-r", program, "-P", "3", "--", program, "x"]).status == 42


@pytest.mark.parametrize("argv0", ["", "sandlock", "/no/such/sandlock", "-sandlock"])
def test_any_argv0(argv0, compiled):
    program = compiled("fortytwo", STATIC)
    done = subprocess.run([argv0, "run", "-r", program, "-P", "3", "--", program, "x"], executable=SANDLOCK, env={}, stderr=subprocess.PIPE, timeout=20)
    assert done.returncode == 42, done.stderr
