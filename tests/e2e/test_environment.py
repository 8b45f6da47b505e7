"""Environment and working directory."""

import json

import pytest

from sandbox import clean_environment, python, run, sandlock, SYSTEM

SHOW = "import os, json; print(json.dumps(dict(os.environ)))"


def environment(*options, env=None):
    result = python(*options, code=SHOW, env=env)
    assert result.status == 0, result
    got = json.loads(result.out)
    got.pop("LC_CTYPE", None)  # python's own coercion
    return got


BASE = {"PATH": "/usr/bin:/bin", "HOME": "/root", "USER": "u", "TERM": "dumb", "LANG": "C", "SECRET": "s", "APP_ONE": "1", "APP_TWO": "2", "TZ": "UTC"}


def test_inherited():
    assert environment(env=BASE) == BASE


def test_clean_keeps_the_documented_five():
    got = environment("--clean-env", env=BASE)
    assert {k: got.get(k) for k in ("PATH", "HOME", "USER", "TERM", "LANG")} == {k: BASE[k] for k in ("PATH", "HOME", "USER", "TERM", "LANG")}
    assert "SECRET" not in got and "APP_ONE" not in got


def test_empty():
    assert environment("--empty-env", env=BASE) == {}


def test_pass():
    got = environment("--empty-env", "--env-pass", "SECRET,APP_*", env=BASE)
    assert got == {"SECRET": "s", "APP_ONE": "1", "APP_TWO": "2"}


def test_set():
    got = environment("--empty-env", "--env", "A=1", "--env", "B=", "--env", "C=x=y z", "--env", "A=2", env=BASE)
    assert got == {"A": "2", "B": "", "C": "x=y z"}


def test_set_wins_over_inherited():
    assert environment("--env", "SECRET=other", env=BASE)["SECRET"] == "other"


def test_files(scratch):
    (scratch / "env").write_text("# comment\nONE=1\n\nTWO=a b=c\n")
    (scratch / "env").chmod(0o600)
    assert environment("--empty-env", "--env-file", scratch / "env", "--env", "ONE=flag", env=BASE) == {"ONE": "flag", "TWO": "a b=c"}


@pytest.mark.parametrize("value", ["=x", "", "=", "=="])
def test_bad_variables(value):
    result = run("--env", value, cmd="true")
    assert result.status in (2, 125) and result.err, result


@pytest.mark.parametrize("options", [["--view", "none"], ["--view", "auto"], ["--no-supervisor"]])
def test_cwd(scratch, options):
    (scratch / "d").mkdir()
    assert run(*options, "--cwd", scratch / "d", "-r", scratch, cmd="pwd").out == f"{scratch}/d\n"
    assert run(*options, "--cwd", "d", "-r", scratch, cmd="pwd", cwd=scratch).out == f"{scratch}/d\n"
    assert run(*options, "-r", scratch, cmd="pwd", cwd=scratch / "d").out == f"{scratch}/d\n"


def test_cwd_missing(scratch):
    result = run("--cwd", scratch / "nothing", cmd="true")
    assert result.status == 125 and "nothing" in result.err, result


def test_cwd_is_a_file(scratch):
    (scratch / "f").write_text("")
    assert run("--cwd", scratch / "f", cmd="true").status == 125


def test_user_without_passwd_entry_and_home():
    result = sandlock("run", *SYSTEM, "--", "/bin/sh", "-c", "echo ok", env={"PATH": "/usr/bin:/bin", "SANDLOCK_CACHE": "off"})
    assert (result.status, result.out, result.err) == (0, "ok\n", "")


def test_empty_environment_of_the_caller():
    result = sandlock("run", *SYSTEM, "--", "/bin/sh", "-c", "echo ok", env={"X": "1"})
    assert result.out == "ok\n", result


def test_sandlocks_own_variables_do_not_leak():
    assert not [k for k in environment(env=clean_environment(SANDLOCK_POLICY_PATH="/nothing")) if k.startswith("SANDLOCK")]
