"""File grants: what -r, -w and their kin open, and that nothing else is open."""

import os

import pytest

from sandbox import IS_ROOT, run, sandlock

MODES = {"supervised": ["--view", "none"], "view": ["--view", "private"], "kernel": ["--no-supervisor"]}


@pytest.fixture(params=MODES)
def mode(request):
    if request.param == "view":
        request.getfixturevalue("needs_view")
    return MODES[request.param]


@pytest.fixture
def trees(scratch):
    for name in ("ro", "rw", "out"):
        (scratch / name).mkdir()
        (scratch / name / "file").write_text(name + "\n")
        (scratch / name / "tool").write_text(f"#!/bin/sh\necho tool {name}\n")
        (scratch / name / "tool").chmod(0o755)
    return scratch


def test_reading(mode, trees):
    result = run(*mode, "-r", trees / "ro", cmd=f"cat {trees}/ro/file; {trees}/ro/tool; ls {trees}/ro")
    assert result.out == "ro\ntool ro\nfile\ntool\n" and result.status == 0, result


@pytest.mark.parametrize("line", ["cat @/out/file", "ls @/out", "@/out/tool", "echo x > @/out/new", "echo x > @/ro/file", "rm @/ro/file",
                                  "mkdir @/ro/d", "mv @/ro/file @/rw/stolen", "ln @/ro/file @/rw/link", "echo x > @/new", "ls @",
                                  "truncate -s 0 @/ro/file", "ln -s x @/ro/link", "mkfifo @/ro/fifo", "cp @/out/file @/rw/copy"])
def test_denied(mode, trees, line):
    before = {p: p.read_bytes() for p in sorted(trees.rglob("*")) if p.is_file() and "rw" not in p.parts}
    result = run(*mode, "-r", trees / "ro", "-w", trees / "rw", cmd=line.replace("@", str(trees)))
    assert result.status != 0 and ("denied" in result.err or "cross-device" in result.err), result
    assert {p: p.read_bytes() for p in sorted(trees.rglob("*")) if p.is_file() and "rw" not in p.parts} == before
    assert not (trees / "rw" / "stolen").exists()


def test_writing(mode, trees):
    line = (f"cd {trees}/rw && echo new > made && mkdir -p d/e && mv made d/e/moved && ln d/e/moved hard && ln -s hard soft && mkfifo p && "
            "cat soft && rm file && rmdir -p nothing 2>/dev/null; chmod 600 hard && touch -d 2001-01-01 hard && truncate -s 2 hard && ls")
    result = run(*mode, "-w", trees / "rw", cmd=line)
    assert result.status == 0 and result.out == "new\nd\nhard\np\nsoft\ntool\n", result
    assert (trees / "rw" / "d" / "e" / "moved").read_text() == "ne"


def test_renaming_between_directories_of_a_write_grant(mode, trees):
    result = run(*mode, "-w", trees / "rw", cmd=f"cd {trees}/rw && mkdir a b && echo 1 > a/f && mv a/f b/g && ln b/g a/h && mv a b/a && cat b/a/h")
    assert result.out == "1\n", result


def test_single_files(mode, trees):
    result = run(*mode, "-r", trees / "ro" / "file", "-w", trees / "rw" / "file", cmd=f"cat {trees}/ro/file; echo x > {trees}/rw/file; cat {trees}/rw/file")
    assert result.out == "ro\nx\n", result
    assert run(*mode, "-r", trees / "ro" / "file", cmd=f"cat {trees}/ro/tool").status != 0
    assert run(*mode, "-w", trees / "rw" / "file", cmd=f"echo x > {trees}/rw/other").status != 0


def test_symlinks_are_judged_by_their_target(mode, trees):
    (trees / "ro" / "to-out").symlink_to(trees / "out" / "file")
    (trees / "out" / "to-ro").symlink_to(trees / "ro" / "file")
    assert run(*mode, "-r", trees / "ro", cmd=f"cat {trees}/ro/to-out").status != 0
    (trees / "link").symlink_to(trees / "ro")
    assert run(*mode, "-r", trees / "link", cmd=f"cat {trees}/ro/file").out == "ro\n", "a grant follows its own symlink"


def test_relative_grants(mode, trees):
    assert run(*mode, "-r", "ro", "-w", "./rw", cmd=f"cat {trees}/ro/file && echo x > {trees}/rw/n", cwd=trees).status == 0
    assert run(*mode, "-w", ".", cmd="echo x > here", cwd=trees / "rw").status == 0
    assert (trees / "rw" / "here").exists()


def test_overlapping_grants(mode, trees):
    (trees / "ro" / "inner").mkdir()
    result = run(*mode, "-r", trees / "ro", "-w", trees / "ro" / "inner", cmd=f"echo x > {trees}/ro/inner/f && cat {trees}/ro/file; echo x > {trees}/ro/new")
    assert result.out == "ro\n" and result.status != 0, result
    assert (trees / "ro" / "inner" / "f").exists() and not (trees / "ro" / "new").exists()


def test_optional_grants(mode, trees):
    result = run(*mode, "--fs-read-if-exists", trees / "nothing", "--fs-read-if-exists", trees / "ro", "--fs-write-if-exists", trees / "nothing",
                 cmd=f"cat {trees}/ro/file")
    assert result.out == "ro\n", result


def test_missing_grants_are_all_named(mode):
    result = run(*mode, "-r", "/no/such/one", "-w", "/no/such/two", cmd="true")
    assert result.status == 125 and "/no/such/one" in result.err and "/no/such/two" in result.err, result


def test_reading_without_executing(mode, trees):
    result = run(*mode, "--fs-read-noexec", trees / "ro", cmd=f"cat {trees}/ro/file; {trees}/ro/tool")
    assert result.out == "ro\n" and result.status == 126, result


def test_special_files_do_not_hang(mode, trees):
    os.mkfifo(trees / "fifo")
    assert run(*mode, "-r", trees / "fifo", "-w", "/dev/null", cmd="echo x > /dev/null", timeout=10).status == 0


def test_default_devices(mode):
    line = "echo x > /dev/null && head -c 4 /dev/zero | od -An -tx1 && head -c 8 /dev/urandom | wc -c && ! echo x > /dev/full"
    result = run(*mode, cmd=line)
    assert result.status == 0 and result.out.split() == ["00"] * 4 + ["8"], result
    assert run(*mode, "--no-default-devices", cmd="cat /dev/null").status != 0


def test_proc_is_not_granted_by_default(mode):
    assert run(*mode, cmd="cat /proc/self/status").status != 0


@pytest.mark.skipif(not IS_ROOT, reason="id -u says that this is not root")
def test_root_has_no_more_than_its_grants(mode, trees):
    os.chown(trees / "ro" / "file", 12345, 12345)
    (trees / "ro" / "file").chmod(0o600)
    assert run(*mode, "-r", "/etc", cmd="cat /etc/shadow > /dev/null && echo read").out == "read\n"
    assert run(*mode, cmd=f"cat {trees}/out/file").status != 0


def test_whole_root_readable(mode, trees):
    result = sandlock("run", "-r", "/", *mode, "--", "cat", trees / "out" / "file")
    assert result.out == "out\n", result


def test_thousands_of_grants(mode, trees):
    (trees / "many").mkdir()
    words = []
    for i in range(2000):
        (trees / "many" / str(i)).write_text("")
        words += ["-r", trees / "many" / str(i)]
    result = run(*mode, *words, cmd=f"cat {trees}/many/0 {trees}/many/1999 && echo ok")
    assert result.out == "ok\n" and result.seconds < 5, result.err
