"""--status-fd and --report: how the run ended, for programs."""

import json
import os
import subprocess

import pytest

from sandbox import SANDLOCK, SYSTEM, clean_environment, run


def status_line(*options, cmd):
    reading, writing = os.pipe()
    try:
        child = subprocess.run([SANDLOCK, "run", *SYSTEM, *options, "--status-fd", str(writing), "--", "/bin/sh", "-c", cmd],
                               pass_fds=[writing], env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30)
    finally:
        os.close(writing)
    with os.fdopen(reading) as f:
        return child.returncode, f.read()


@pytest.mark.parametrize("line, start", [
    ("exit 0", '{"exit_code":0'), ("exit 42", '{"exit_code":42'),
    ("kill -TERM $$", '{"exit_code":-1,"signal":15'), ("kill -KILL $$", '{"exit_code":-1,"signal":9'),
])
def test_first_keys_are_the_references(view, line, start):
    _, text = status_line(*view, cmd=line)
    assert text.startswith(start) and text.endswith("}\n") and text.count("\n") == 1, text
    json.loads(text)


def test_fields(view):
    _, text = status_line(*view, "--name", "named", cmd="exit 3")
    record = json.loads(text)
    assert record["exit_code"] == 3 and record["reason"] == "exit" and record["name"] == "named", record
    assert isinstance(record["pid"], int) and record["duration_ms"] >= 0 and record["user_ms"] >= 0 and record["sys_ms"] >= 0


def test_signal_fields(view):
    record = json.loads(status_line(*view, cmd="kill -SEGV $$")[1])
    assert (record["reason"], record["signal"], record["signal_name"]) == ("signal", 11, "SIGSEGV"), record


def test_setup_errors_are_recorded(view, scratch):
    status, text = status_line(*view, "--report", str(scratch / "r"), cmd="exit 0")
    assert status == 0 and text
    result = run(*view, "--report", scratch / "r2", cmd=["/no/such/program"])
    assert result.status == 127
    record = json.loads((scratch / "r2").read_text())
    assert record["reason"] == "setup-error" and "error" in record, record


def test_report_file_and_descriptor_agree(view, scratch):
    run(*view, "--report", scratch / "report", cmd="exit 9")
    record = json.loads((scratch / "report").read_text())
    assert record["exit_code"] == 9
    assert (scratch / "report").stat().st_mode & 0o022 == 0


def test_report_is_out_of_the_guests_reach(view, scratch):
    """A guest that can write the directory cannot redirect the report to a file of its choice."""
    (scratch / "victim").write_text("precious\n")
    run(*view, "-w", scratch, "--report", scratch / "report", cmd=f"rm -f {scratch}/report; ln -s {scratch}/victim {scratch}/report; exit 0")
    assert (scratch / "victim").read_text() == "precious\n"


@pytest.mark.parametrize("fd", ["99", "-1", "x", "2147483648", ""])
def test_bad_descriptors(fd):
    result = run(f"--status-fd={fd}", cmd="echo started")
    assert result.status in (2, 125) and not result.out and "status-fd" in result.err, result


def test_descriptor_is_not_inherited(view):
    _, text = status_line(*view, cmd="for n in 3 4 5 6 7 8 9; do (eval \"echo x >&$n\") 2>/dev/null && echo open >&2; done; exit 0")
    assert text.count("\n") == 1 and text.startswith('{"exit_code":0')


def test_reader_that_went_away(view):
    reading, writing = os.pipe()
    os.close(reading)
    child = subprocess.run([SANDLOCK, "run", *SYSTEM, *view, "--status-fd", str(writing), "--", "/bin/sh", "-c", "exit 5"],
                           pass_fds=[writing], env=clean_environment(), timeout=20)
    os.close(writing)
    assert child.returncode == 5


def test_report_to_full_disk(view):
    assert run(*view, "--report", "/dev/full", cmd="exit 5").status == 5


def test_report_where_nothing_can_be_written(view, scratch):
    result = run(*view, "--report", scratch / "no" / "such" / "dir", cmd="echo started")
    assert result.status == 125 and not result.out, "found out before the start, not after"
