"""policy, profile, check, completion, man, help, version: what they print and how they end."""

import json

import re
import subprocess

import pytest

from sandbox import ROOT, SANDLOCK, clean_environment, sandlock

GOOD = "version: 1\ndescription: of the test\nfilesystem:\n  read: [/usr, /bin, /lib]\n  read_if_exists: [/lib64, /etc]\nlimits:\n  processes: 7\n"


@pytest.fixture
def home(scratch):
    """A home directory with one policy in it; returns the environment."""
    policies = scratch / ".config" / "sandlock" / "policies"
    policies.mkdir(parents=True)
    for path in (scratch / ".config", scratch / ".config" / "sandlock", policies):
        path.chmod(0o700)
    (policies / "mine.yaml").write_text(GOOD)
    (policies / "mine.yaml").chmod(0o600)
    return clean_environment(HOME=scratch)


def test_list(home):
    result = sandlock("policy", "list", env=home)
    assert result.status == 0 and re.search(r"^mine\s+user\b.*of the test", result.out, re.M), result
    rows = json.loads(sandlock("policy", "list", "--json", env=home).out)
    text = json.dumps(rows)
    assert '"mine"' in text and '"default"' in text


def test_named_policy_runs(home):
    assert sandlock("run", "-p", "mine", "--", "/bin/echo", "ok", env=home).out == "ok\n"
    assert sandlock("run", "-p", "user:mine", "--", "/bin/echo", "ok", env=home).out == "ok\n"
    assert sandlock("run", "-p", "shipped:mine", "--", "/bin/echo", "ok", env=home).status == 125


def test_show(home):
    result = sandlock("policy", "show", "mine", env=home)
    assert result.status == 0 and "processes: 7" in result.out and "/usr" in result.out, result
    origin = sandlock("policy", "show", "mine", "--origin", env=home)
    assert re.search(r"mine\.yaml:\d+:\d+", origin.out), origin
    record = json.loads(sandlock("policy", "show", "mine", "--json", env=home).out)
    assert "7" in json.dumps(record)
    assert sandlock("policy", "show", "no-such-policy", env=home).status == 125


def test_shown_booleans_are_booleans(home, scratch):
    shown = sandlock("policy", "show", "mine", "--", "--clean-env", "--no-ipv6", env=home).out
    assert "  clean_env: true\n" in shown and "  ipv6: false\n" in shown, shown
    (scratch / "old.toml").write_text("[program]\nclean_env = true\n")
    assert "  clean_env: true\n" in sandlock("policy", "import", str(scratch / "old.toml"), env=home).out


def test_shown_policy_can_be_run(home, scratch):
    shown = sandlock("policy", "show", "mine", env=home).out
    (scratch / "again.yaml").write_text(shown)
    (scratch / "again.yaml").chmod(0o600)
    result = sandlock("run", "-p", scratch / "again.yaml", "--", "/bin/echo", "ok", env=home)
    assert result.out == "ok\n", (shown, result)


def test_check(home, scratch):
    policies = scratch / ".config/sandlock/policies"
    assert sandlock("policy", "check", policies / "mine.yaml", env=home).status == 0
    (scratch / "bad.yaml").write_text("version: 1\nlimits:\n  procesess: 7\n")
    (scratch / "bad.yaml").chmod(0o600)
    result = sandlock("policy", "check", scratch / "bad.yaml", env=home)
    assert result.status == 125 and "bad.yaml:3:" in result.err and "processes" in result.err, result
    as_json = sandlock("policy", "check", "--json", scratch / "bad.yaml", env=home)
    assert as_json.status == 125
    lines = [json.loads(line) for line in (as_json.err + as_json.out).splitlines() if line.strip()]
    assert any('"line":3' in json.dumps(line).replace(" ", "") for line in lines), as_json


def test_path(home, scratch):
    assert sandlock("policy", "path", "mine", env=home).out.strip().endswith(".config/sandlock/policies/mine.yaml")


def test_compile(home, scratch):
    result = sandlock("policy", "compile", scratch / ".config/sandlock/policies/mine.yaml", "-o", scratch / "mine.slpc", env=home)
    assert result.status == 0 and (scratch / "mine.slpc").stat().st_size > 100, result
    (scratch / "mine.slpc").chmod(0o600)
    assert sandlock("run", "-p", scratch / "mine.slpc", "--", "/bin/echo", "ok", env=home).out == "ok\n"


@pytest.mark.parametrize("damage", ["short", "flipped", "empty"])
def test_damaged_compiled_policy(home, scratch, damage):
    path = scratch / "mine.slpc"
    assert sandlock("policy", "compile", scratch / ".config/sandlock/policies/mine.yaml", "-o", path, env=home).status == 0
    data = path.read_bytes()
    path.write_bytes({"short": data[:-9], "flipped": data[:300] + bytes([data[300] ^ 1]) + data[301:], "empty": b""}[damage])
    path.chmod(0o600)
    result = sandlock("run", "-p", path, "--", "/bin/echo", "started", env=home)
    assert result.status == 125 and not result.out and "mine.slpc" in result.err, result


def test_cache_commands(home, scratch):
    cache = scratch / "cache"
    cache.mkdir(mode=0o700)
    env = dict(home, SANDLOCK_CACHE=str(cache))
    assert sandlock("run", "-p", "mine", "--", "/bin/true", env=env).status == 0
    assert str(cache) in sandlock("policy", "cache", "path", env=env).out
    assert sandlock("policy", "cache", "list", env=env).out.strip()
    assert sandlock("policy", "cache", "verify", env=env).status == 0
    assert sandlock("policy", "cache", "clear", env=env).status == 0
    assert not [p for p in cache.rglob("*") if p.is_file()]


def test_cached_run_is_the_same(home, scratch):
    cache = scratch / "cache"
    cache.mkdir(mode=0o700)
    env = dict(home, SANDLOCK_CACHE=str(cache))
    cold = sandlock("run", "-p", "mine", "--", "/bin/sh", "-c", "cat /var/log/nothing; echo $?", env=env)
    warm = sandlock("run", "-p", "mine", "--", "/bin/sh", "-c", "cat /var/log/nothing; echo $?", env=env)
    assert (cold.status, cold.out, cold.err) == (warm.status, warm.out, warm.err)
    policy = scratch / ".config/sandlock/policies/mine.yaml"
    policy.write_text(GOOD.replace("processes: 7", "processes: 1"))
    policy.chmod(0o600)
    changed = sandlock("run", "-p", "mine", "--", "/bin/sh", "-c", "/bin/true; echo $?", env=env)
    assert "fork" in changed.err.lower(), "the changed file counts, not the cache"


def test_layers(home, scratch):
    (scratch / "top.yaml").write_text("version: 1\nextends: mine\nprogram:\n  env: {LAYER: top}\nlimits:\n  processes: null\n")
    (scratch / "top.yaml").chmod(0o600)
    result = sandlock("run", "-p", scratch / "top.yaml", "--set", "program.env={FLAG: x}", "--", "/bin/sh", "-c", "echo $LAYER $FLAG", env=home)
    assert result.out == "top x\n", result


def test_locked_layers_only_narrow(home, scratch):
    (scratch / "locked.yaml").write_text(GOOD + "locked: true\n")
    (scratch / "locked.yaml").chmod(0o600)
    narrow = sandlock("run", "-p", scratch / "locked.yaml", "-P", "3", "--", "/bin/echo", "ok", env=home)
    assert narrow.out == "ok\n", narrow
    for widening in (["-r", "/var"], ["-w", scratch], ["-P", "8"], ["--net-allow-bind", "8080"], ["--disable", "signal-scope"]):
        result = sandlock("run", "-p", scratch / "locked.yaml", *widening, "--", "/bin/echo", "started", env=home)
        assert result.status == 125 and not result.out and "locked" in result.err, (widening, result)


def test_import_and_export(home, scratch):
    (scratch / "old.toml").write_text('[filesystem]\nread = ["/usr"]\n[limits]\nprocesses = 9\n')
    (scratch / "old.toml").chmod(0o600)
    result = sandlock("policy", "import", scratch / "old.toml", env=home)
    assert result.status == 0 and "processes: 9" in result.out, result
    (scratch / "plain.yaml").write_text("version: 1\nfilesystem:\n  read: [/usr]\nlimits:\n  processes: 7\n")
    (scratch / "plain.yaml").chmod(0o600)
    result = sandlock("policy", "export", scratch / "plain.yaml", env=home)
    assert result.status == 0 and "processes = 7" in result.out, result


def test_export_refuses_what_toml_cannot_say(home):
    result = sandlock("policy", "export", "mine", env=home)
    assert result.status == 125 and "read_if_exists" in result.err and not result.out, result


def test_profile_commands(home, scratch):
    profiles = scratch / ".config/sandlock/profiles"
    profiles.mkdir(mode=0o700)
    (profiles / "old.toml").write_text('[filesystem]\nread = ["/usr", "/bin", "/lib", "/lib64"]\n')
    (profiles / "old.toml").chmod(0o600)
    assert "old" in sandlock("profile", "list", env=home).out
    assert "/usr" in sandlock("profile", "show", "old", env=home).out
    assert sandlock("run", "-p", "old", "--", "/bin/echo", "ok", env=home).out == "ok\n"
    assert sandlock("profile", "delete", "old", env=home).status == 0
    assert not (profiles / "old.toml").exists()
    assert sandlock("profile", "delete", "../../x", env=home).status in (2, 125)


SHIPPED = sorted(path.stem for path in (ROOT / "policies").glob("*.yaml"))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_policies_are_clean(home, name):
    result = sandlock("policy", "check", ROOT / "policies" / f"{name}.yaml", "--trust-policy", env=home)
    assert result.status == 0, result
    assert sandlock("policy", "show", name, env=home).status == 0


def test_help_has_every_option(home):
    text = sandlock("run", "--help=all", env=home).out + sandlock("run", "--help", env=home).out
    source = (ROOT / "core/policy/options.def").read_text() if (ROOT / "core").exists() else None
    if source is None:
        pytest.skip("there is no core/ beside the tests: no table of options")
    rows = re.findall(r'^OPTION\(\w+, (?:NULL|"[^"]*"), (?:NULL|"[^"]*"), "([^"]+)", [^,]+, \w+, ([^,]*),', source, re.M)
    assert len(rows) > 80
    missing = [flag for flag, flags in rows if "HIDDEN" not in flags and f"--{flag}" not in text]
    assert not missing, missing


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["help"], ["run", "--help"], ["run", "-h"], ["policy", "--help"], ["check", "--help"],
                                   ["confine", "--help"], ["preload", "--help"], ["help", "run"], ["--version"], ["-V"], ["version"]])
def test_help_and_version(words):
    result = sandlock(*words)
    assert result.status == 0 and len(result.out) > 5 and not result.err, result


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell, scratch):
    result = sandlock("completion", shell)
    assert result.status == 0 and "fs-read" in result.out, result
    if shell == "bash":
        assert subprocess.run(["bash", "-n"], input=result.out, text=True).returncode == 0
    assert sandlock("completion", "csh").status == 2


def test_man():
    result = sandlock("man")
    assert result.status == 0 and "sandlock" in result.out.lower() and "--fs-read" in result.out.replace("\\-", "-"), result.out[:300]


def test_output_to_a_full_disk():
    with open("/dev/full", "w") as full:
        done = subprocess.run([SANDLOCK, "--help"], stdout=full, stderr=subprocess.PIPE, env=clean_environment())
    assert done.returncode == 125 and done.stderr


def test_check_prints_what_the_host_can():
    result = sandlock("check")
    assert result.status in (0, 1), result
    for line in ("Kernel feature support:", "Landlock:", "ABI v", "Minimum required: ABI v6", "Status:", "Filesystem:", "TCP ports:", "Platform:"):
        assert line in result.out, result.out
    assert result.out.strip(), result


def test_check_json():
    record = json.loads(sandlock("check", "--json").out)
    assert isinstance(record, dict) and "landlock" in json.dumps(record).lower()


def test_check_a_policy(home):
    result = sandlock("check", "-p", "mine", env=home)
    assert result.status in (0, 1), result
    assert sandlock("check", "-p", "no-such-policy", env=home).status == 125


def test_explain_json(home):
    json.loads(sandlock("run", "-p", "mine", "--explain", "--json", "--", "true", env=home).out)


def test_errors_as_json(home):
    result = sandlock("--json", "run", "-r", "/no/such/path", "--", "true", env=home)
    assert result.status == 125
    record = json.loads(result.err.splitlines()[0])
    assert "/no/such/path" in record["error"]["message"], record
