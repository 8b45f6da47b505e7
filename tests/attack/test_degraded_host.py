"""
Groups R and parts of C, D, G: hosts that lack things, lie about them, or start sandlock from odd states. Whatever happens, the guest either runs
fully confined or does not run (promise PR6).
"""

import errno
import os
import re
import subprocess

import pytest

import sandbox
import world as worlds
from test_attack import MODES, guest_world, probes, verdict  # noqa: F401 (fixtures)


def attempt(world, rules, options, id="A00-direct", probe="files", prefix=()):
    case = worlds.Case(probe, id, "")
    faulty = [world.bin / "faulty", rules] if rules else []
    options = ["5" if word == "30" else word for word in options]
    return sandbox.execute([*prefix, *faulty, sandbox.SANDLOCK, "run", *world.grants(case), *options, "--", world.bin / probe, "attack", id],
                           env=world.env("supervised"), timeout=10)


def fail_closed(world, result, must_fail=False):
    ran = "verdict" in result.out
    assert not world.oracle(result), result
    assert not ran or verdict(result) == "stopped", f"the guest ran with less protection than promised\n{result}"
    if must_fail:
        assert result.status == 125 and not ran, f"a missing protection must stop the start with 125\n{result}"
    if not ran:
        assert result.status in (125, 126) and result.err.strip(), f"not started: status 125 and a reason\n{result}"
        assert len(result.err.splitlines()) < 15


@pytest.fixture(params=MODES)
def mode(request, views):
    if request.param == "view" and not views:
        pytest.skip("unshare --user --mount --pid fails on this host: no kernel view")
    return MODES[request.param]


@pytest.mark.parametrize("call", ["landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self", "seccomp", "prctl@0=26"])
@pytest.mark.parametrize("error", ["ENOSYS", "EOPNOTSUPP", "EINVAL", "EPERM", "ENOMEM"])
def test_R01_no_landlock_or_seccomp(guest_world, mode, call, error):
    rule = f"{call}:{getattr(errno, error)}"
    fail_closed(guest_world, attempt(guest_world, rule, mode), must_fail=True)


@pytest.mark.parametrize("rules", ["landlock_restrict_self:0", "landlock_add_rule:0", "seccomp:0", "prctl@0=26:0", "landlock_restrict_self:0,seccomp:0"])
def test_R03_faked_success(guest_world, mode, rules):
    """The call says yes and does nothing: only a canary before the exec can tell."""
    fail_closed(guest_world, attempt(guest_world, rules, mode))


@pytest.mark.parametrize("call", [
    "setns", "mount", "move_mount", "pivot_root", "unshare", "memfd_create", "pidfd_open", "pidfd_getfd", "pidfd_send_signal", "close_range", "setpgid",
    "capset", "prlimit64", "chdir", "fchdir", "openat2", "keyctl", "add_key", "signalfd4", "epoll_create1", "ioctl", "rt_sigaction",
    "rt_sigprocmask", "getrandom", "execveat", "pipe2", "socketpair", "process_vm_readv", "clone3",
    "clone@0&10000000", "clone@0&30020000", "prctl@0=1", "prctl@0=4", "prctl@0=24", "prctl@0=36",
])
@pytest.mark.parametrize("error", ["EPERM", "ENOSYS"])
def test_R02_setup_call_fails(guest_world, mode, call, error):
    if call.startswith("prlimit64"):
        error = "EPERM"
    result = attempt(guest_world, f"{call}:{getattr(errno, error)}", mode)
    fail_closed(guest_world, result)


@pytest.mark.parametrize("call", ["capset:0", "close_range:0", "setns:0", "prctl@0=24:0"])
def test_R02_setup_call_is_faked(guest_world, mode, call):
    """Dropping capabilities, sweeping descriptors or entering the view silently did not happen."""
    result = attempt(guest_world, call, mode)
    fail_closed(guest_world, result)


def test_R04_no_user_namespaces(guest_world):
    """As a host that forbids them: auto goes on without a view, private says why it cannot."""
    rules = f"clone@0&10000000:{errno.EPERM},unshare@0&10000000:{errno.EPERM}"
    if sandbox.IS_ROOT:
        rules += f",clone@0&20020000:{errno.EPERM},unshare@0&20020000:{errno.EPERM}"
    result = attempt(guest_world, rules, ["--view", "auto", "-P", "9"])
    assert verdict(result) == "stopped", result
    result = attempt(guest_world, rules, ["--view", "private", "-P", "9"])
    assert result.status == 125 and "view" in result.err, result
    checked = sandbox.execute([guest_world.bin / "faulty", rules, sandbox.SANDLOCK, "check"], env=guest_world.env("supervised"))
    assert checked.status in (0, 1) and "namespace" in checked.out.lower(), checked


def test_R01_check_says_so(guest_world):
    rules = f"landlock_create_ruleset:{errno.ENOSYS}"
    checked = sandbox.execute([guest_world.bin / "faulty", rules, sandbox.SANDLOCK, "check"], env=guest_world.env("supervised"))
    assert checked.status == 125 and "unavailable" in checked.out and "UNSUPPORTED" in checked.out, checked


@pytest.mark.parametrize("layers", [1, 8, 13, 14, 15, 16])
def test_D20_inside_existing_layers(guest_world, mode, layers):
    result = attempt(guest_world, f"layers:{layers}", mode)
    fail_closed(guest_world, result)
    if "private" in mode:
        assert result.status == 125 and "--view" in result.err, f"Landlock forbids its tasks to mount: a view cannot be built inside\n{result}"
    elif layers <= 13:
        assert verdict(result) == "stopped", f"there is room for more layers\n{result}"


@pytest.mark.parametrize("rules", [f"keyctl:{errno.ENOSYS},add_key:{errno.ENOSYS}", f"pidfd_getfd:{errno.EPERM}", f"clone3:{errno.ENOSYS}",
                                   f"close_range:{errno.ENOSYS}"])
def test_R04_old_and_container_kernels(guest_world, mode, rules):
    """These are missing on kernels and in containers that sandlock means to support: it runs."""
    result = attempt(guest_world, rules, mode)
    assert verdict(result) == "stopped", result


@pytest.mark.parametrize("prefix", [["/bin/sh", "-c", 'ulimit -n 64; exec "$@"', "sh"], ["/bin/sh", "-c", 'ulimit -c 0; umask 777; exec "$@"', "sh"],
                                    ["env", "-i", "W_MODE=supervised", "HOME="], ["setsid", "-w"], ["nice", "-n", "19"],
                                    ["/bin/sh", "-c", 'trap "" HUP INT TERM CHLD; exec "$@"', "sh"]],
                         ids=["ulimit-n-64", "umask-777", "env-i", "setsid", "nice", "ignored-signals"])
def test_R04_D21_odd_starts(guest_world, mode, prefix):
    env = guest_world.env("supervised")
    if prefix[0] == "env":
        prefix = [*prefix, *(f"{k}={v}" for k, v in env.items() if k.startswith("W_") or k == "E2E_MARK")]
    result = attempt(guest_world, None, mode, prefix=prefix)
    assert verdict(result) == "stopped", result
    assert not guest_world.oracle(result)


@pytest.mark.skipif(not sandbox.IS_ROOT, reason="id -u says that this is not root: setpriv needs it")
@pytest.mark.parametrize("words", [["--no-new-privs"], ["--inh-caps", "+sys_admin", "--ambient-caps", "+sys_admin"], ["--securebits", "+no_setuid_fixup"],
                                   ["--bounding-set", "-all"], ["--reuid", "65534", "--regid", "65534", "--clear-groups"]],
                         ids=["no-new-privs", "ambient", "no-setuid-fixup", "no-bounding-set", "nobody"])
def test_D21_D23_odd_privileges(guest_world, mode, words):
    if "-all" in words and "--view" in mode and "private" in mode:
        pytest.skip("a bounding set without CAP_SETUID cannot write the id map of a view")
    os.chmod(guest_world.base / "rw", 0o777)
    id, probe = ("A00-direct", "files") if "--reuid" in words else ("D23-capabilities", "processes")
    result = attempt(guest_world, None, mode, id=id, probe=probe, prefix=["setpriv", *words])
    assert verdict(result) == "stopped", result


def nested(world, outer, inner):
    case = worlds.Case("files", "A00-direct", "")
    inside = [sandbox.SANDLOCK, "run", *world.grants(case), *inner, "--", world.bin / "files", "attack", "A00-direct"]
    return sandbox.sandlock("run", *world.grants(case), "-r", sandbox.SANDLOCK, *outer, "--", *inside, env=world.env("supervised"), timeout=40)


@pytest.mark.parametrize("outer", [["--no-supervisor", "--nestable", "-r", "/proc"], ["--view", "none", "--nestable"]])
@pytest.mark.parametrize("inner", [["--no-supervisor"], ["--view", "none", "-P", "9"]])
def test_G13_nested(guest_world, outer, inner):
    result = nested(guest_world, outer, inner)
    fail_closed(guest_world, result)
    if "--no-supervisor" in outer:
        assert verdict(result) == "stopped", f"an outer sandbox without a supervisor leaves room for any inner one\n{result}"


@pytest.mark.parametrize("outer", [["--view", "none", "-P", "20"], ["--view", "private", "-P", "20"]])
def test_G13_nested_listener(guest_world, outer, views):
    """The outer sandbox owns the listener: the inner one says so, or runs by the kernel alone; it never runs weaker."""
    if "private" in outer and not views:
        pytest.skip("unshare --user --mount --pid fails on this host: no kernel view")
    result = nested(guest_world, outer, ["--view", "none", "-P", "9"])
    fail_closed(guest_world, result)
    if "verdict" not in result.out:
        assert re.search("sandbox|nest|listener|supervisor", result.err), result


def test_D25_no_core_of_sandlock(guest_world, mode, tmp_path):
    """The supervisor never leaves a core file, whatever the caller's limit."""
    child = subprocess.Popen(["/bin/sh", "-c", f"cd {tmp_path}; ulimit -c unlimited; exec \"$@\"", "sh", sandbox.SANDLOCK, "run", *sandbox.SYSTEM, *mode,
                              "--", "/bin/sleep", "0.5"], env=guest_world.env("supervised"))
    import time
    time.sleep(0.2)
    if "--no-supervisor" not in mode:
        child.send_signal(11)
    child.wait(10)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(sandbox.IS_ROOT, reason="id -u says that this is root: it may always look")
@pytest.mark.parametrize("name", ["mem", "environ", "maps"])
def test_D32_supervisor_is_closed_to_its_user(guest_world, name):
    """Not dumpable: another process of the same user outside cannot look into it either."""
    child = subprocess.Popen([sandbox.SANDLOCK, "run", *sandbox.SYSTEM, "--view", "none", "-P", "9", "--", "/bin/sh", "-c", "echo up; sleep 5"],
                             env=guest_world.env("supervised"), stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "up\n"
        with pytest.raises(PermissionError):
            open(f"/proc/{child.pid}/{name}").read()
    finally:
        child.terminate()
        child.wait(10)


def test_D32_no_policy_in_the_command_line(guest_world):
    """What runs as supervisor shows no paths, variables or secrets in its arguments."""
    child = subprocess.Popen([sandbox.SANDLOCK, "run", *sandbox.SYSTEM, "--env", "TOKEN=very-secret", "-P", "9", "--", "/bin/sh", "-c", "echo up; sleep 5"],
                             env=guest_world.env("supervised"), stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout.readline() == "up\n"
        assert "very-secret" not in sandbox.command_line(child.pid)
        for pid in sandbox.children(child.pid):
            assert "very-secret" not in sandbox.command_line(pid)
    finally:
        child.terminate()
        child.wait(10)
