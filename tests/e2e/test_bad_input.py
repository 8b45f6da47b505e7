"""Bad input: every malformed flag and policy file gives status 2 or 125, a message that says where, and no started program."""

import json
import os

import pytest

from sandbox import IS_ROOT, clean_environment, run, sandlock

FLAGS = """
--cpu-cores=x --cpu-cores=-1 --cpu-cores= --cpu-cores=0,,1 --cpu-cores=99999999999
--cpus=0 --cpus=x --gpu=x --gpu=-1 --gpu=256
--max-open-files=0 --max-open-files=-1 --max-open-files=x --max-open-files=4294967296
--max-processes=0 --max-processes=1k
--kill-after=x --kill-after=-1 --max-duration=0 --max-duration=x
--view=x --view= --backend=x --caps=x --descendants=x --unknown-syscalls=x --errno-compat=x
--net-allow-bind=65536 --net-allow-bind=-1 --net-allow-bind=x --net-allow-bind=20-10 --net-allow-bind= --net-allow-bind=1-2-3 --net-allow-bind=1,,2
--net-allow=tcp://*:0 --net-allow=tcp://*:65536 --net-allow=tcp://*:x --net-allow=tcp://*:22-21 --net-allow= --net-allow=tcp:// --net-allow=icmp
--net-allow=sctp://x:1 --net-allow=host.test:0 --net-allow=u@host.test --net-allow=host.test/path --net-allow=443 --net-allow=[::1] --net-allow=*.example.com
--net-deny=host.test --net-deny=10.0.0.0/33 --net-deny=10/8 --net-deny= --net-deny-bind=* --net-deny-bind=70000 --net-allow-bind=sctp://1
--net-rule=allow --net-rule=alow@any --net-rule=allow@privat --net-rule=allow@any:443 --net-rule=allow@::1 --net-rule=allow@any:tcp:9-8 --net-rule=deny:ingress@host.test --net-rule=allow@any:tcp:0 --net-rule=allow@dns
--port=80 --port=80:0 --port=80:80/sctp --port=localhost:80:80 --port=::1:80:80 --net-default=x --net-default-egress= --net-deny-errno=EINVAL --max-connections=0
--extra-deny-syscall=nosuchcall --extra-deny-syscall= --extra-allow-syscall=nosuchgroup --extra-allow-syscall=mount
--allow-degraded=nothing --disable=nothing --disable=fs-refer
--set=nonsense --set=limits.nothing=1 --set=limits.processes=x --set= --set== --reset=limits.nothing
--policy=no-such-policy --policy= --policy=../etc/passwd --policy=/no/such/file.yaml --profile-file=/no/such/file.yaml --policy=fd:99
--env-file=/no/such/file --cwd=
--name= --name=a/b --name=. --name=..
--report=/no/such/dir/report
--rlimit=nofile=1:2:3
--fs-isolation=overlayfs
""".split()


@pytest.mark.parametrize("flag", FLAGS)
def test_malformed_flag(flag, scratch):
    result = run("-w", scratch, flag, cmd=f"echo started; echo x > {scratch}/made")
    assert result.status in (2, 125), result
    assert not result.out and not (scratch / "made").exists(), result
    name = flag.split("=")[0]
    assert name in result.err, f"the message names the flag\n{result}"
    assert "Sanitizer" not in result.err


def test_usage_errors_as_json():
    for words in (["--json", "run", "--cpus=x"], ["run", "--json", "--cpus=x"], ["run", "--cpus=x", "--json"], ["confine", "--json", "--cpus=x"], ["preload", "--json", "--cpus=x"]):
        done = sandlock(*words, "--", "true")
        assert done.status == 2, done
        error = json.loads(done.err)["error"]
        assert error["code"] == 2 and error["file"] == "--cpus", done
    done = sandlock("run", "--json", "--no-such-option", "--", "true")
    assert "no-such-option" in json.loads(done.err)["error"]["message"], done


def test_statuses_of_the_reference():
    """Rules, sizes and words are read late there, numbers and durations with the arguments."""
    flags = {"--net-allow=10.0.0.1:99999": 1, "--net-deny=host.test": 1, "--net-allow-bind=x": 1, "--memory=12Q": 1, "--on-exit=x": 1,
             "--nonsense": 2, "--max-processes=x": 2, "--timeout=x": 2, "--clean-env=x": 2}
    for flag, status in flags.items():
        assert run(flag, cmd="true").status == 2
        assert run(flag, cmd="true", env=clean_environment(SANDLOCK_EXIT_COMPAT="1")).status == status, flag
    assert run("--nonsense", "--net-deny=host.test", cmd="true", env=clean_environment(SANDLOCK_EXIT_COMPAT="1")).status == 2


def test_name_of_65_bytes():
    assert run("--name", "n" * 65, cmd="echo started").out == ""
    assert run("--name", "n" * 64, cmd="echo started").out == "started\n"


def test_several_errors_are_all_reported():
    result = run("--view=x", "--caps=x", "-t", "never", cmd="echo started")
    assert all(word in result.err for word in ("--view", "--caps", "-t")), result


GOOD = "version: 1\nfilesystem:\n  read: [/usr, /bin, /lib]\n  read_if_exists: [/lib64, /etc]\n"

# (file, words the message has, line)
BAD = [
    ("[]\n", ["mapping"], 1),
    ("just text\n", ["mapping"], 1),
    (GOOD + "filesystm:\n  read: [/]\n", ["filesystm", "filesystem"], 5),
    (GOOD + "limits:\n  processes: 5\n  processes: 6\n", ["processes"], 7),
    (GOOD + "limits:\n  procesess: 5\n", ["procesess", "processes"], 6),
    (GOOD + "limits:\n  processes: five\n", ["processes", "five"], 6),
    (GOOD + "limits:\n  processes: -1\n", ["processes"], 6),
    (GOOD + "limits:\n  processes: 010\n", ["processes"], 6),
    (GOOD + "limits:\n  processes: 1_000\n", ["processes"], 6),
    (GOOD + "limits:\n  processes: [1, 2]\n", ["processes"], 6),
    (GOOD + "limits:\n  processes: {a: 1}\n", ["processes"], 6),
    (GOOD + "limits: 5\n", ["limits"], 5),
    (GOOD + "limits:\n- processes\n", ["limits"], None),
    (GOOD + "program:\n  clean_env: yes\n", ["clean_env", "true"], 6),
    (GOOD + "program:\n  clean_env: 1\n", ["clean_env"], 6),
    (GOOD + "program:\n  env: [A=1]\n", ["env"], 6),
    (GOOD + "lifecycle:\n  timeout: soon\n", ["timeout", "soon"], 6),
    (GOOD + "lifecycle:\n  timeout: 1:20\n", ["timeout"], 6),
    (GOOD + "lifecycle:\n  timeout: .inf\n", ["timeout"], 6),
    (GOOD + "network:\n  allow_bind: [0x]\n", ["allow_bind"], 6),
    (GOOD + "network:\n  allow_bind: [70000]\n", ["allow_bind", "70000"], 6),
    (GOOD + "network:\n  allow: [*]\n", ["quote"], 6),
    (GOOD + "a: &anchor 1\n", ["anchor"], 5),
    (GOOD + "program:\n  env: &e {A: 1}\n", ["anchor"], 6),
    (GOOD + "program:\n  <<: {cwd: /}\n", ["<<"], 6),
    (GOOD + "program:\n  cwd: !!str /\n", ["tag"], 6),
    (GOOD + "program:\n  cwd: !!python/object:os.system x\n", ["tag"], 6),
    (GOOD + "---\nversion: 1\n", ["document"], None),
    (GOOD + "program:\n\tcwd: /\n", ["tab"], 6),
    (GOOD + "? [a, b]\n: 1\n", ["key"], 5),
    (GOOD + "program: {cwd: /\n", [], None),
    (GOOD + 'program:\n  cwd: "/\n', [], None),
    (GOOD + "program:\n  cwd: /a\0b\n", [], None),
    ("version: 99\n", ["version", "99"], 1),
    ("version: one\n", ["version"], 1),
    (GOOD + "filesystem:\n  read: [/]\n", ["filesystem"], 5),
    (GOOD.replace("[/usr", "[${NO_SUCH_VARIABLE}/x, /usr"), ["NO_SUCH_VARIABLE"], 3),
    (GOOD.replace("[/usr", "['$(id)', /usr"), [], 3),
    (GOOD.replace("[/usr", "[/no/such/path, /usr"), ["/no/such/path"], 3),
    (GOOD.replace("[/usr", "['', /usr"), ["read"], 3),
    (GOOD + "extends: no-such-policy\n", ["no-such-policy"], 5),
    (GOOD + "extends: ./self.yaml\n", ["cycle"], None),
    (GOOD + "extends: /dev/zero\n", [], None),
    (GOOD + "extends: ./fifo.yaml\n", [], None),
    (GOOD + "syscalls:\n  extra_deny: [nosuchcall]\n", ["nosuchcall"], 6),
    (GOOD + "protection:\n  disable: [nothing]\n", ["nothing"], 6),
    (GOOD + "limits:\n  memory: 64M\n", ["memory", "not available"], 6),
    (GOOD + "name: another\n", ["name"], 5),
    (GOOD + "x" * 70000 + ": 1\n", [], 5),
    ("a: " + "[" * 100 + "]" * 100 + "\n", ["deep"], 1),
    ("a: " + "[" * 100000 + "\n", [], 1),
    ("# " + "x" * (1 << 20) + "\n" + GOOD, ["large"], None),
    ("version: 1\nprogram:\n  args: [" + "a, " * 30000 + "a]\n", [], None),
]


@pytest.mark.parametrize("text, words, line", BAD, ids=[repr(text[-40:].replace(GOOD[-40:], ""))[:50] for text, _, _ in BAD])
def test_malformed_policy(scratch, text, words, line):
    path = scratch / "self.yaml"
    path.write_bytes(text.encode())
    path.chmod(0o600)
    os.mkfifo(scratch / "fifo.yaml")
    result = sandlock("run", "-p", path, "--", "/bin/sh", "-c", "echo started", timeout=10)
    assert result.status in (2, 125) and not result.out, result
    assert str(path) in result.err or "self.yaml" in result.err, "the message names the file"
    for word in words:
        assert word in result.err, result.err[:2000]
    if line:
        assert f"self.yaml:{line}:" in result.err, f"expected line {line}\n{result.err[:2000]}"
    assert result.seconds < 2 and "Sanitizer" not in result.err


@pytest.mark.parametrize("prefix", [b"\xff\xfe", b"\xfe\xff", b"\xff", b"\x00"])
def test_policy_in_another_encoding(scratch, prefix):
    path = scratch / "p.yaml"
    path.write_bytes(prefix + GOOD.encode("utf-16-le" if prefix == b"\xff\xfe" else "utf-16-be" if prefix == b"\xfe\xff" else "ascii"))
    path.chmod(0o600)
    result = sandlock("run", "-p", path, "--", "/bin/echo", "started")
    assert result.status in (2, 125) and not result.out and "p.yaml" in result.err, result


def test_good_policy(scratch):
    """The twin of all of the above."""
    path = scratch / "p.yaml"
    path.write_text(GOOD + "program:\n  env: {NO: no, NUM: 010, S: \"x y\"}\nlimits:\n  processes: 0x10\n")
    path.chmod(0o600)
    result = sandlock("run", "-p", path, "--", "/bin/sh", "-c", "echo $NO $NUM $S")
    assert (result.status, result.out) == (0, "no 010 x y\n"), result


def test_policy_on_stdin_and_descriptor(scratch):
    result = sandlock("run", "-p", "-", "--", "/bin/echo", "ok", input=GOOD)
    assert result.out == "ok\n", result
    path = scratch / "p.yaml"
    path.write_text(GOOD)
    path.chmod(0o600)
    fd = os.open(path, os.O_RDONLY)
    try:
        assert sandlock("run", "-p", f"fd:{fd}", "--", "/bin/echo", "ok", pass_fds=[fd]).out == "ok\n"
    finally:
        os.close(fd)


@pytest.mark.parametrize("text, word", [
    ("[filesystem]\nread = [\"/usr\"\n", ""), ("[filesystm]\nread = []\n", "filesystm"), ("[limits]\nprocesses = \"many\"\n", "processes"),
    ("[limits]\nprocesses = 5\nprocesses = 6\n", "processes"), ("[filesystem]\nread = 5\n", "read"), ("= 5\n", ""), ("[limits\n", ""),
    ("[program]\nenv = 5\n", "env"), ("\0", ""), ("[program]\nuid = 4294967296\n", "uid"),
])
def test_malformed_toml(scratch, text, word):
    path = scratch / "p.toml"
    path.write_text(text)
    path.chmod(0o600)
    result = sandlock("run", "--profile-file", path, "--", "/bin/echo", "started")
    assert result.status in (2, 125) and not result.out and "p.toml" in result.err and word in result.err, result


def test_toml_profile(scratch):
    path = scratch / "p.toml"
    path.write_text('[filesystem]\nread = ["/usr", "/bin", "/lib", "/lib64", "/etc"]\n\n[program]\nenv = { A = "1" }\nclean_env = true\n\n[limits]\nprocesses = 9\n')
    path.chmod(0o600)
    result = sandlock("run", "--profile-file", path, "--", "/bin/sh", "-c", "echo $A")
    assert (result.status, result.out) == (0, "1\n"), result


@pytest.mark.parametrize("kind", ["empty", "short", "garbage", "flipped", "huge", "directory", "symlink", "fifo", "readable"])
def test_corrupt_caches_are_rebuilt(scratch, kind):
    """A bad cache entry never changes a run and is never an error."""
    cache, policy = scratch / "cache", scratch / "p.yaml"
    cache.mkdir(mode=0o700)
    policy.write_text(GOOD)
    policy.chmod(0o600)
    env = clean_environment(SANDLOCK_CACHE=cache)
    good = sandlock("run", "-p", policy, "--", "/bin/echo", "ok", env=env)
    assert (good.status, good.out, good.err) == (0, "ok\n", ""), good
    entries = [p for p in cache.rglob("*") if p.is_file()]
    assert entries, "something is cached"
    for entry in entries:
        data = entry.read_bytes()
        assert entry.stat().st_mode & 0o077 == 0
        if kind == "empty":
            entry.write_bytes(b"")
        elif kind == "short":
            entry.write_bytes(data[:len(data) // 2])
        elif kind == "garbage":
            entry.write_bytes(os.urandom(len(data)))
        elif kind == "flipped":
            for at in range(0, len(data), max(1, len(data) // 40)):
                entry.write_bytes(data[:at] + bytes([data[at] ^ 0x40]) + data[at + 1:])
                result = sandlock("run", "-p", policy, "--", "/bin/echo", "ok", env=env)
                assert (result.status, result.out, result.err) == (0, "ok\n", ""), (at, result)
        elif kind == "huge":
            with open(entry, "r+b") as f:
                f.truncate(1 << 33)
        elif kind == "readable":
            entry.chmod(0o666)
        else:
            entry.unlink()
            if kind == "directory":
                entry.mkdir()
            elif kind == "fifo":
                os.mkfifo(entry, 0o600)
            else:
                entry.symlink_to("/etc/passwd")
    result = sandlock("run", "-p", policy, "--", "/bin/echo", "ok", env=env, timeout=10)
    assert (result.status, result.out, result.err) == (0, "ok\n", ""), result


def test_random_flags():
    """A fuzzer in small: never a crash, never a started program with an error."""
    import random
    chance = random.Random(1)
    pieces = ["--", "-", "-r", "--fs-read", "=", "/", "\xff", "", "--set", "-P", "9" * 30, "--env", "A", "-p", "${HOME}", "--view", "private", "-t", "1h1h"]
    for _ in range(150):
        words = ["".join(chance.choices(pieces, k=chance.randint(1, 2))) for _ in range(chance.randint(1, 5))]
        words = [w for w in words if w != "--"]
        result = sandlock("run", *words, "--", "/no/such/program")
        assert result.status in (0, 2, 125, 126, 127), (words, result)
        assert "Sanitizer" not in result.err


@pytest.mark.skipif(IS_ROOT, reason="id -u says that this is root: every file is its own")
def test_policy_of_another_user(scratch):
    result = sandlock("run", "-p", "/etc/shadow", "--", "/bin/echo", "started")
    assert result.status in (2, 125) and not result.out, result
