"""Exit statuses, streams and arguments of `sandlock run`: the command behaves as if sandlock were not there."""

import json
import os
import subprocess

import pytest

from sandbox import SANDLOCK, SYSTEM, clean_environment, execute, python, run, sandlock

MODES = {"supervised": ["--view", "none"], "view": ["--view", "private"], "kernel": ["--no-supervisor"], "default": []}


@pytest.fixture(params=MODES)
def mode(request):
    if request.param == "view":
        request.getfixturevalue("needs_view")
    return MODES[request.param]


@pytest.mark.parametrize("line, status", [
    ("exit 0", 0), ("exit 1", 1), ("exit 42", 42), ("exit 126", 126), ("exit 255", 255),
    ("kill -TERM $$", 143), ("kill -KILL $$", 137), ("kill -SEGV $$", 139), ("kill -HUP $$", 129), ("kill -PIPE $$", 141),
    ("sandlock-no-such-command", 127),
])
def test_own_status(mode, line, status):
    assert run(*mode, cmd=line).status == status


@pytest.mark.parametrize("name, content, permissions, status", [
    ("nothing", None, 0, 127),
    ("plain", "#!/bin/sh\nexit 7\n", 0o644, 126),
    ("good", "#!/bin/sh\nexit 7\n", 0o755, 7),
    ("interpreter-missing", "#!/no/such/interpreter\n", 0o755, 126),
    ("no-hash-bang", "exit 8\n", 0o755, 8),
])
def test_exec_failures(mode, scratch, name, content, permissions, status):
    path = scratch / name
    if content is not None:
        path.write_text(content)
        path.chmod(permissions)
    result = run("-r", scratch, *mode, cmd=[path])
    assert result.status == status, result
    assert (result.err.count(name) >= 1) == (status in (126, 127)), "the message names the program, and only a failure has one"


def test_directory_as_command(mode, scratch):
    assert run("-r", scratch, *mode, cmd=[scratch]).status == 126


def test_program_that_is_not_granted(mode, scratch):
    (scratch / "tool").write_text("#!/bin/sh\necho started\n")
    (scratch / "tool").chmod(0o755)
    result = run(*mode, cmd=[scratch / "tool"])
    assert result.status == 126 and "started" not in result.out, result
    assert "tool" in result.err


def test_interpreter_that_is_not_granted(scratch, compiled):
    script = scratch / "script"
    script.write_text("#!/usr/bin/python3\nprint('started')\n")
    script.chmod(0o755)
    result = sandlock("run", "-r", scratch, "--", script)
    assert result.status == 126 and "started" not in result.out, result


def test_path_lookup_uses_the_new_path(mode, scratch):
    (scratch / "only-here").write_text("#!/bin/sh\necho found\n")
    (scratch / "only-here").chmod(0o755)
    result = run("-r", scratch, *mode, "--env", f"PATH={scratch}:/usr/bin:/bin", cmd=["only-here"])
    assert (result.status, result.out) == (0, "found\n"), result


@pytest.mark.parametrize("words", [
    ["run", "true"], ["run", "--no-such-flag", "--", "true"], ["run", "-r"], ["run", "-r", "--", "true"],
    ["run", "--cwd", "/", "--cwd", "/", "--", "true"], ["run", "--clean-env", "--clean-env", "--", "true"], ["run", "-Z", "--", "true"],
    ["no-such-command"], [], ["run", "--fs-rea", "/usr", "--", "true"], ["run", "--clean-env=yes", "--", "true"],
    ["run", "--fs-read", "", "--", "true"], ["run", "-P", "many", "--", "true"], ["run", "-t", "soon", "--", "true"],
])
def test_usage_errors(words):
    result = sandlock(*words)
    assert result.status == 2, result
    assert result.err and not result.out, "said on stderr only"


@pytest.mark.parametrize("words", [["run"], ["run", "--"], ["run", *SYSTEM, "--"]])
def test_no_command(words):
    """Known only when the policies are read, for they may name one."""
    result = sandlock(*words)
    assert result.status in (2, 125) and "command" in result.err, result


@pytest.mark.parametrize("spelling", [["--fs-write", "@"], ["--fs-write=@"], ["-w", "@"], ["-w@"], ["-w=@"], ["-iw", "@"]])
def test_spellings_of_an_option(scratch, spelling):
    words = [word.replace("@", str(scratch)) for word in spelling]
    result = run(*words, cmd=f"echo x > {scratch}/made")
    assert result.status == 0, result
    assert (scratch / "made").read_text() == "x\n"


def test_unknown_flag_gets_a_hint():
    result = sandlock("run", "--fs-raed", "/usr", "--", "true")
    assert result.status == 2 and "--fs-read" in result.err, result


def test_missing_grant_stops_before_anything_starts(mode, scratch):
    result = run(*mode, "-r", "/no/such/path", "-w", scratch, cmd=f"echo x > {scratch}/made")
    assert result.status == 125, result
    assert "/no/such/path" in result.err and ("-r" in result.err or "--fs-read" in result.err)
    assert not (scratch / "made").exists()


def test_messages_are_printed_once():
    result = run("-r", "/no/such/path", cmd="true")
    assert result.err.count("/no/such/path") == 1, result


def test_streams(mode):
    result = python(*mode, code="import sys\nsys.stdout.write('o' * 1500000)\nsys.stderr.write('e' * 1500000)\nsys.stdout.write(sys.stdin.read())",
                    input="tail")
    assert result.status == 0, result.status
    assert result.out == "o" * 1500000 + "tail" and result.err == "e" * 1500000, "nothing is lost and nothing is added"


def test_nothing_of_its_own_on_the_streams(mode):
    result = run(*mode, cmd=["true"])
    assert (result.status, result.out, result.err) == (0, "", "")


def test_arguments_arrive_unchanged(mode):
    words = ["", " ", "a b", "--", "-r", "'", "\\", "é", "line\nbreak", "*"]
    result = run(*mode, cmd=["/usr/bin/python3", "-I", "-c", "import sys, json; print(json.dumps(sys.argv[1:]))", *words])
    assert json.loads(result.out) == words, result


def test_bytes_that_are_not_utf8(mode, scratch):
    name = os.fsencode(scratch) + b"/\xff\xfe"
    os.mkdir(name)
    with open(name + b"/f", "w") as f:
        f.write("inside\n")
    result = execute([SANDLOCK, "run", *SYSTEM, *mode, "-r", name, "--", "cat", name + b"/f"])
    assert (result.status, result.out) == (0, "inside\n"), result


def test_many_and_large_arguments():
    words = ["x" * 100] * 10000
    assert run(cmd=["/usr/bin/python3", "-I", "-c", "import sys; print(len(sys.argv))", *words]).out == "10001\n"
    assert run(cmd=["/usr/bin/printf", "%s", "y" * 131000]).out == "y" * 131000


def test_exec_shell():
    assert sandlock("run", *SYSTEM, "-e", "echo $((6*7)); exit 3").out == "42\n"
    assert sandlock("run", *SYSTEM, "-e", "exit 3").status == 3


def test_reference_statuses_on_request():
    env = clean_environment(SANDLOCK_EXIT_COMPAT=1)
    assert run(cmd="kill -TERM $$", env=env).status == 1
    assert run(cmd=["/no/such/command"], env=env).status == 127
    assert run("-r", "/no/such/path", cmd="true", env=env).status == 1
    assert run(cmd="exit 42", env=env).status == 42


@pytest.mark.parametrize("command", [["confine"], ["run", "--no-supervisor"]])
def test_confine_becomes_the_command(scratch, command):
    """No process stays behind: the command has the pid that was started."""
    child = subprocess.Popen([SANDLOCK, *command, *SYSTEM, "--", "/bin/sh", "-c", "echo $$; cat /proc/self/status; exit 9"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean_environment())
    out, err = child.communicate(timeout=20)
    assert child.returncode == 9 and out == f"{child.pid}\n", (out, err)
    assert "Permission denied" in err, "/proc was not granted"


def test_a_signal_while_confined_in_place_is_the_commands_own():
    assert sandlock("confine", *SYSTEM, "--", "/bin/sh", "-c", "kill -USR1 $$").status == 138


@pytest.mark.parametrize("option", [["-P", "3"], ["-t", "5"], ["--fs-mount", "/mnt:/usr"], ["--user", "0:0"], ["--hostname", "h"]])
def test_no_supervisor_refuses_what_it_cannot_do(option, scratch):
    result = run("--no-supervisor", "-w", scratch, *option, cmd=f"echo > {scratch}/made")
    assert result.status in (2, 125), result
    assert not (scratch / "made").exists()
    assert "no-supervisor" in result.err or option[0] in result.err or "supervisor" in result.err


def test_explain_starts_nothing(scratch):
    result = run("-w", scratch, "--explain", cmd=f"echo > {scratch}/made")
    assert result.status == 0 and str(scratch) in result.out, result
    assert not (scratch / "made").exists()


@pytest.mark.parametrize("option", [["--fs-deny", "/etc/shadow"], ["-m", "64M"], ["--workdir", "/tmp"], ["--random-seed", "1"],
                                    ["--http-allow", "GET example.org/"], ["--image", "x"], ["--detach"]])
def test_options_of_later_versions_are_refused(option, scratch):
    """Never must an option look as if it worked."""
    result = run(*option, "-w", scratch, cmd=f"echo > {scratch}/made")
    assert result.status in (2, 125) and option[0].lstrip("-") in result.err.replace("max-memory", "m max-memory"), result
    assert not (scratch / "made").exists()


def test_default_policy_without_a_supervisor(scratch):
    """What only a view can give has a fallback there: the host's /tmp."""
    result = execute([SANDLOCK, "run", "--no-supervisor", "-p", "default", "--", "/bin/sh", "-c", "echo x > f && cat f"],
                     cwd=scratch, env=clean_environment(HOME="/nonexistent"))
    assert result.status == 0 and result.out == "x\n" and not result.err, result
