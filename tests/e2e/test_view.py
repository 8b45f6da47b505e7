"""The kernel view: PID namespace, private /proc, host name, mounts, user mapping."""

import os
import socket

import pytest

from sandbox import IS_ROOT, execute, python, run

pytestmark = pytest.mark.usefixtures("needs_view")
VIEW = ["--view", "private"]


def test_small_pids():
    out = run(*VIEW, cmd="echo $$").out.strip()
    assert 2 <= int(out) <= 5


def test_proc_shows_only_own_processes():
    code = "import os; print(sorted(int(e) for e in os.listdir('/proc') if e.isdigit()), os.getpid(), os.getppid())"
    result = python(*VIEW, "-r", "/proc", code=code)
    words = result.out.replace("[", " ").replace("]", " ").replace(",", " ").split()
    pids, own, parent = [int(w) for w in words[:-2]], int(words[-2]), int(words[-1])
    assert set(pids) <= {1, own} and own in pids and parent in (0, 1), result


def test_granting_proc_alone_makes_it_private():
    out = python("-r", "/proc", code="import os; print(len([e for e in os.listdir('/proc') if e.isdigit()]), os.getpid())").out.split()
    assert int(out[0]) <= 2 and int(out[1]) < 10, out


def test_own_proc_works():
    assert run(*VIEW, "-r", "/proc", cmd="cat /proc/self/comm; readlink /proc/self/exe; ls /proc/self/fd >/dev/null && echo ok").out.split()[0] == "cat"
    assert run(*VIEW, "-r", "/proc", cmd="cat < /proc/self/fd/0", input="through\n").out == "through\n"
    assert run(*VIEW, "-r", "/proc", "-r", "/dev", cmd=["/bin/bash", "-c", "cat <(echo substituted)"]).out == "substituted\n"


def test_ps_and_kill_see_only_inside():
    result = run(*VIEW, "-r", "/proc", cmd="sleep 30 & kill -0 $! && kill $! && wait $!; echo $?")
    assert result.out == "143\n", result
    assert run(*VIEW, cmd=f"kill -0 {os.getpid()}").status != 0


@pytest.mark.parametrize("view", ["private", "none", "auto"])
def test_hostname(view):
    code = "import os, socket; print(os.uname().nodename, socket.gethostname())"
    result = python("--view", view, "--hostname", "box.example", code=code)
    assert result.out == "box.example box.example\n", result
    result = run("--view", view, "--hostname", "box.example", "-r", "/proc", cmd="hostname; cat /proc/sys/kernel/hostname /etc/hostname; uname -n")
    assert result.out == "box.example\n" * 4, result
    assert socket.gethostname() != "box.example"


def test_hostname_is_the_hosts_by_default():
    assert run("--view", "none", cmd="uname -n").out.strip() == os.uname().nodename


@pytest.mark.parametrize("name", ["", "a" * 65, "a\nb", "a b", "-x", "ä"])
def test_bad_hostnames(name):
    result = run(f"--hostname={name}", cmd="echo started")
    assert result.status in (2, 125) and "started" not in result.out, result


def test_hostname_cannot_be_changed_from_inside():
    assert python(*VIEW, "--hostname", "box", code="import socket; socket.sethostname('other')").status != 0


@pytest.fixture
def trees(scratch):
    for name in ("source", "target", "rw"):
        (scratch / name).mkdir()
        (scratch / name / "file").write_text(name + "\n")
    return scratch


def test_bind_read_only(trees):
    result = run("--fs-mount", f"{trees}/target:{trees}/source:ro", cmd=f"cat {trees}/target/file; echo x > {trees}/target/new")
    assert result.out == "source\n" and result.status != 0, result
    assert not (trees / "source" / "new").exists() and (trees / "target" / "file").read_text() == "target\n"


def test_bind_writable(trees):
    result = run("--fs-mount", f"{trees}/target:{trees}/rw:rw", cmd=f"echo x > {trees}/target/new; cat {trees}/target/new; cat {trees}/rw/file")
    assert result.out == "x\nrw\n" and (trees / "rw" / "new").read_text() == "x\n", "the grant is on the tree, whatever its name"
    assert not (trees / "target" / "new").exists()


def test_bind_of_a_file(trees):
    result = run("--fs-mount", f"{trees}/target/file:{trees}/source/file:ro", cmd=f"cat {trees}/target/file")
    assert result.out == "source\n", result


def test_bind_missing_source(trees):
    result = run("--fs-mount", f"{trees}/target:{trees}/nothing", cmd="echo started")
    assert result.status == 125 and "nothing" in result.err and not result.out, result


def test_volume(trees):
    result = run("-v", f"{trees}/source:{trees}/target:ro", cmd=f"cat {trees}/target/file; echo x > {trees}/target/new")
    assert result.out == "source\n" and result.status != 0, result


def test_tmpfs(trees):
    result = run("--tmpfs", f"{trees}/target:1M", cmd=f"ls {trees}/target; echo x > {trees}/target/f && cat {trees}/target/f; "
                 f"head -c 3000000 /dev/zero > {trees}/target/large; stat -c %s {trees}/target/large")
    assert result.out.startswith("x\n") and int(result.out.split()[1]) <= 1 << 20 and "space" in result.err, result
    assert sorted(p.name for p in (trees / "target").iterdir()) == ["file"]


@pytest.mark.parametrize("spec", ["", ":1M", "relative", "/x:y", "/x:0", "/x:-1", "/x:1M:nonsense", "/x:99999999999999999999G"])
def test_bad_tmpfs(spec):
    result = run(f"--tmpfs={spec}", cmd="echo started")
    assert result.status in (2, 125) and not result.out and result.err, result


@pytest.mark.parametrize("spec", ["", "/a", ":/a", "/a:", "a:/usr", "/a:/usr:xx", "/a:usr:ro:ro"])
def test_bad_mounts(spec):
    result = run(f"--fs-mount={spec}", cmd="echo started")
    assert result.status in (2, 125) and not result.out and result.err, result


@pytest.mark.parametrize("user, expected", [("0:0", "0 0"), ("1234:5678", "1234 5678"), ("7", "7 7")])
def test_user(user, expected):
    result = run("--user", user, cmd="echo $(id -u) $(id -g)")
    assert result.out.strip() == expected, result


def test_user_of_itself_needs_no_mapping():
    result = run("--view", "none", "--user", f"{os.getuid()}:{os.getgid()}", cmd="id -u")
    assert result.out.strip() == str(os.getuid()), result


@pytest.mark.parametrize("user", ["", ":", "0:", ":0", "-1:0", "0:x:0", "4294967295:0", "nosuchuser:0", "1.5"])
def test_bad_users(user):
    result = run(f"--user={user}", cmd="echo started")
    assert result.status in (2, 125) and not result.out, result


@pytest.mark.skipif(IS_ROOT, reason="id -u says that this is root: it has no single id map")
def test_inside_ids_are_the_callers():
    assert run(*VIEW, cmd="id -u").out.strip() == str(os.getuid())


def test_own_files_look_own(scratch):
    (scratch / "f").write_text("")
    result = run(*VIEW, "-r", scratch, cmd=f"stat -c %u {scratch}/f")
    assert result.out.strip() == str(os.getuid()), result


def test_ssh_accepts_its_configuration():
    if not os.path.exists("/usr/bin/ssh"):
        pytest.skip("there is no /usr/bin/ssh: it is not installed")
    if execute(["ssh", "-G", "host.example"]).status != 0:
        pytest.skip("ssh -G host.example fails unconfined as well (a user without an entry in passwd?)")
    result = run(*VIEW, cmd="ssh -G host.example")
    assert result.status == 0 and "hostname host.example" in result.out, result


def test_view_none_shares_the_pids():
    assert int(run("--view", "none", cmd="echo $$").out) > 5


def test_nothing_is_mounted_outside(trees):
    with open("/proc/self/mountinfo") as f:
        before = f.read()
    run("--tmpfs", f"{trees}/target:1M", "--fs-mount", f"{trees}/rw:{trees}/source:ro", cmd="true")
    with open("/proc/self/mountinfo") as f:
        assert f.read() == before
