"""Group N: policy files and caches as an attack on sandlock."""

import os
import resource
import subprocess

import pytest

import sandbox
from sandbox import IS_ROOT, clean_environment, sandlock

GOOD = "version: 1\nfilesystem:\n  read: [/usr, /bin, /lib]\n  read_if_exists: [/lib64, /etc]\n"


def refused(path, *options, env=None, seconds=2, memory=True):
    def small():
        resource.setrlimit(resource.RLIMIT_AS, (64 << 20, 64 << 20))

    result = sandlock("run", "-p", path, *options, "--", "/bin/echo", "started", timeout=20, env=env, preexec_fn=small if memory else None)
    assert result.status in (2, 125) and "started" not in result.out, result
    assert result.err.strip() and len(result.err) < 20000, len(result.err)
    assert result.seconds < seconds
    return result


def write(path, text, mode=0o600):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize("name, text", [
    ("aliases", "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join('*' + chr(97 + i) for _ in range(9))}]\n" for i in range(8))),
    ("cyclic-alias", "a: &a [*a]\n"),
    ("deep-flow", "a: " + "[" * 100000),
    ("deep-block", "".join(" " * i + "a:\n" for i in range(3000))),
    ("large-scalar", "a: " + "x" * (5 << 20) + "\n"),
    ("many-keys", "".join(f"k{i}: 1\n" for i in range(40000))),
    ("many-documents", "---\n" * 100000),
    ("many-errors", "".join(f"  bad{i}: 1\n" if i else "limits:\n" for i in range(5000))),
])
def test_N01_bombs(scratch, name, text):
    result = refused(write(scratch / "bomb.yaml", text))
    assert "bomb.yaml" in result.err
    assert len(result.err.splitlines()) < 120, "at most twenty errors"


def test_N01_endless_stream(scratch):
    result = sandlock("run", "-p", "-", "--", "/bin/echo", "started", stdin=open("/dev/zero"), timeout=10)
    assert result.status in (2, 125) and not result.out, result


@pytest.mark.parametrize("value", ["yes", "no", "on", "off", "1", "0", "y", "True1", "~", "\"true\"", "null true"])
def test_N02_booleans(scratch, value):
    result = sandlock("run", "-p", write(scratch / "p.yaml", GOOD + f"program:\n  clean_env: {value}\n"), "--", "/bin/echo", "started")
    if value in ("~",):
        assert result.out == "started\n", result  # null resets to the default
    elif value == "\"true\"" and result.status == 0:
        assert result.out == "started\n"
    else:
        assert result.status == 125 and not result.out, result


@pytest.mark.parametrize("typo, right", [("fs_wirte", None), ("filesystem:\n  wirte: [/tmp]", "write"), ("filesystem:\n  raed: [/]", "read"),
                                         ("netwrok:\n  allow: []", "network"), ("limits:\n  proceses: 1", "processes")])
def test_N03_typos(scratch, typo, right):
    text = "version: 1\n" if typo.startswith("filesystem") else GOOD
    result = refused(write(scratch / "p.yaml", text + typo + (":\n" if ":" not in typo else "\n")))
    assert not right or right in result.err, result


def test_N04_cycle(scratch):
    write(scratch / "a.yaml", "version: 1\nextends: ./b.yaml\n")
    write(scratch / "b.yaml", "version: 1\nextends: ./a.yaml\n")
    result = refused(scratch / "a.yaml")
    assert "a.yaml" in result.err and "b.yaml" in result.err, "the chain is shown"


def test_N04_levels(scratch):
    for i in range(30):
        write(scratch / f"p{i}.yaml", f"version: 1\nextends: ./p{i + 1}.yaml\n")
    write(scratch / "p30.yaml", GOOD)
    refused(scratch / "p0.yaml")


@pytest.mark.parametrize("target", ["/dev/zero", "/dev/stdin", "./fifo.yaml", "/", "../../../../../../etc/shadow", "/proc/self/mem", "./missing.yaml"])
def test_N04_odd_includes(scratch, target):
    os.mkfifo(scratch / "fifo.yaml", 0o600)
    refused(write(scratch / "p.yaml", GOOD + f"extends: {target}\n"), memory=False)


@pytest.mark.parametrize("value, env", [
    ("${NOT_SET}/x", {}), ("${HOME}", {"HOME": ""}), ("${HOME}", {"HOME": "relative"}), ("~/x", {"HOME": ""}), ("~otheruser/x", {}), ("${", {}), ("${}", {}),
    ("${HOME", {}), ("$(id)", {}), ("${HOME:-}", {"HOME": ""}), ("`id`", {}),
])
def test_N05_expansion(scratch, value, env):
    path = write(scratch / "p.yaml", GOOD.replace("read: [", f"read: ['{value}', "))
    result = sandlock("run", "-p", path, "--", "/bin/cat", sandbox.__file__, env=clean_environment(**env))
    # an unusable HOME gives way to the user database, as in the reference
    assert not result.out and (result.status == 125 or "HOME" in env), f"never expands to / or to nothing\n{result}"


def test_N06_policy_in_its_own_write_grant(scratch):
    path = write(scratch / "p.yaml", GOOD + f"  write: [{scratch}]\n")
    result = sandlock("policy", "check", path)
    assert "write" in result.err + result.out and (result.err + result.out).count("p.yaml"), result
    assert sandlock("policy", "check", "--strict", path).status in (1, 125)


@pytest.mark.parametrize("mode", [0o602, 0o666, 0o620])
def test_N07_writable_policy(scratch, mode):
    path = write(scratch / "p.yaml", GOOD, mode)
    if mode == 0o620:
        groups = [65534] if IS_ROOT else [group for group in os.getgroups() if group != os.getgid()]
        if not groups:
            pytest.skip("id -G names no second group")
        try:
            os.chown(path, -1, groups[-1])
        except OSError:
            pytest.skip("chown to another group is not permitted")
    result = refused(path)
    assert "writ" in result.err, result


def test_N07_writable_directory(scratch):
    directory = scratch / "open"
    directory.mkdir()
    path = write(directory / "p.yaml", GOOD)
    directory.chmod(0o777)
    result = refused(path)
    assert "open" in result.err
    directory.chmod(0o755)
    assert sandlock("run", "-p", path, "--", "/bin/echo", "ok").out == "ok\n"


def test_N07_symlink_is_judged_by_its_target(scratch):
    path = write(scratch / "p.yaml", GOOD, 0o666)
    (scratch / "link.yaml").symlink_to(path)
    refused(scratch / "link.yaml")
    path.chmod(0o600)
    assert sandlock("run", "-p", scratch / "link.yaml", "--", "/bin/echo", "ok").out == "ok\n"


@pytest.mark.skipif(not IS_ROOT, reason="id -u says that this is not root: it cannot give a file away")
def test_N07_file_of_another_user(scratch):
    path = write(scratch / "p.yaml", GOOD)
    os.chown(path, 65534, 65534)
    result = refused(path)
    assert "belong" in result.err
    assert sandlock("run", "-p", path, "--trust-policy", "--", "/bin/echo", "started").status == 125, "no override for root"


@pytest.fixture
def cached(scratch):
    """A policy with one cache entry: (policy, cache directory, environment)."""
    cache = scratch / "cache"
    cache.mkdir(mode=0o700)
    policy = write(scratch / "p.yaml", GOOD + "limits:\n  processes: 1\n")
    env = clean_environment(SANDLOCK_CACHE=cache)
    assert sandlock("run", "-p", policy, "--", "/bin/echo", "ok", env=env).out == "ok\n"
    assert [p for p in cache.rglob("*") if p.is_file()]
    return policy, cache, env


FORKS = ["/bin/sh", "-c", "/bin/true; echo forked"]


def strict(policy, env):
    """The policy allows one process; a poisoned cache would allow more."""
    result = sandlock("run", "-p", policy, "--", *FORKS, env=env)
    assert "forked" not in result.out or "fork" in result.err, result
    return result


def test_N08_entry_of_another_policy(cached, scratch):
    policy, cache, env = cached
    loose_cache = scratch / "loose-cache"
    loose_cache.mkdir(mode=0o700)
    loose = write(scratch / "loose.yaml", GOOD)
    assert sandlock("run", "-p", loose, "--", *FORKS, env=dict(env, SANDLOCK_CACHE=str(loose_cache))).out == "forked\n"
    for target in [p for p in cache.rglob("*") if p.is_file()]:
        for source in [p for p in loose_cache.rglob("*") if p.is_file()]:
            if source.suffix == target.suffix:
                data = source.read_bytes()
                target.unlink()
                target.write_bytes(data)
                target.chmod(0o600)
                assert "forked" not in strict(policy, env).out


def test_N08_hard_link_and_loose_directory(cached):
    policy, cache, env = cached
    for entry in [p for p in cache.rglob("*") if p.is_file()]:
        os.link(entry, cache.parent / f"second-{entry.name}")
    assert "forked" not in strict(policy, env).out
    cache.chmod(0o777)
    result = strict(policy, env)
    assert "forked" not in result.out


def test_N08_older_and_newer_sources(cached):
    policy, cache, env = cached
    before = policy.stat()
    write(policy, GOOD)
    os.utime(policy, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert sandlock("run", "-p", policy, "--", *FORKS, env=env).out == "forked\n", "content decides, not time"
    write(policy, GOOD + "limits:\n  processes: 1\n")
    os.utime(policy, (1, 1))
    assert "forked" not in strict(policy, env).out


def test_N08_every_byte(cached):
    """A flip at any place never widens and never crashes."""
    policy, cache, env = cached
    entries = [p for p in cache.rglob("*") if p.is_file()]
    for entry in entries:
        data = entry.read_bytes()
        for at in range(0, len(data), max(1, len(data) // 60)):
            entry.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1:])
            entry.chmod(0o600)
            assert "forked" not in strict(policy, env).out, at
        entry.write_bytes(data)


def test_N09_concurrent_compile(scratch):
    cache = scratch / "cache"
    cache.mkdir(mode=0o700)
    policy = write(scratch / "p.yaml", GOOD)
    env = clean_environment(SANDLOCK_CACHE=cache)
    runs = [subprocess.Popen([sandbox.SANDLOCK, "run", "-p", policy, "--", "/bin/echo", "ok"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(60)]
    for child in runs:
        out, err = child.communicate(timeout=30)
        assert (child.returncode, out, err) == (0, b"ok\n", b""), err
    left = [p.name for p in cache.rglob("*") if p.is_file()]
    assert left and not [name for name in left if name.startswith(".")], f"no temporary files stay: {left}"


def test_N09_cache_that_cannot_be_written(scratch):
    policy = write(scratch / "p.yaml", GOOD)
    for place in ("/proc/nothing", "/dev/null", scratch / "p.yaml", scratch / "missing" / "deeper"):
        result = sandlock("run", "-p", policy, "--", "/bin/echo", "ok", env=clean_environment(SANDLOCK_CACHE=place))
        assert (result.status, result.out) == (0, "ok\n"), result


@pytest.mark.parametrize("flag", ["--net-allow-bind=0x50", "--net-allow-bind=65536", "--net-allow-bind=-1", "--net-allow-bind=22-21", "--net-allow-bind=1e3",
                                  "--net-allow-bind= 80x", "--net-allow=tcp://*:080x", "--net-allow=tcp://*:1-65536", "--max-processes=1.5", "-P=0x",
                                  "--max-open-files=18446744073709551616", "--rlimit=nofile=1.5", "--rlimit=fsize=-1", "--rlimit=fsize=9E", "--tmpfs=/tmp:1.3"])
def test_N17_L13_numbers(flag):
    result = sandlock("run", *sandbox.SYSTEM, flag, "--", "/bin/echo", "started")
    assert result.status in (2, 125) and not result.out and result.err, result


def test_guest_cannot_write_policies_or_caches(scratch):
    """A write grant over sandlock's own places is refused, or they stay closed."""
    home = scratch / "home"
    policies = home / ".config/sandlock/policies"
    policies.mkdir(parents=True, mode=0o700)
    write(policies / "mine.yaml", GOOD)
    env = clean_environment(HOME=home)
    for options in ([], ["--no-supervisor"]):
        result = sandlock("run", *sandbox.SYSTEM, "-w", home, *options, "--", "/bin/sh", "-c", f"echo 'version: 1' > {policies}/mine.yaml; echo started", env=env)
        assert (policies / "mine.yaml").read_text() == GOOD, result
