"""Descriptors: what the command has at its start, whatever the caller had."""

import os
import subprocess

import pytest

from sandbox import SANDLOCK, SYSTEM, clean_environment

LIST = r"""
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	char line[2000] = "", one[64];
	for (int fd = 0; fd < 1024; fd++) {
		struct stat st;
		if (fstat(fd, &st) == 0) {
			int flags = fcntl(fd, F_GETFL);
			snprintf(one, sizeof(one), "%d:%c%d ", fd, S_ISCHR(st.st_mode) ? 'c' : S_ISFIFO(st.st_mode) ? 'p' : S_ISREG(st.st_mode) ? 'f' : '?', flags & 3);
			strcat(line, one);
		}
	}
	FILE *f = fopen(argv[1], "w");
	fputs(line, f);
	return 0;
}
"""


@pytest.fixture(scope="module")
def lister(compiled):
    return compiled("lister", LIST)


@pytest.fixture(params=["none", "private", "kernel"])
def mode(request):
    if request.param == "private":
        request.getfixturevalue("needs_view")
    return ["--no-supervisor"] if request.param == "kernel" else ["--view", request.param]


def descriptors(lister, scratch, mode, redirections, **popen):
    """The list that the command sees when a shell starts sandlock with these redirections."""
    words = " ".join(map(str, [SANDLOCK, "run", "-r", lister, "-w", scratch, *mode, "--", lister, scratch / "list"]))
    done = subprocess.run(["/bin/sh", "-c", f"{words} {redirections}"], env=clean_environment(), timeout=20, stdin=subprocess.DEVNULL, **popen)
    return done.returncode, (scratch / "list").read_text() if (scratch / "list").exists() else None


def test_only_the_standard_three(lister, scratch, mode):
    os.set_inheritable(0, True)
    fds = [os.open("/etc/passwd", os.O_RDONLY) for _ in range(30)]
    try:
        status, text = descriptors(lister, scratch, mode, "5</etc/passwd 9>&1 < /dev/null > /dev/null 2>&1", pass_fds=fds)
    finally:
        for fd in fds:
            os.close(fd)
    assert status == 0 and [w.split(":")[0] for w in text.split()] == ["0", "1", "2"], text


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_standard_descriptors(lister, scratch, mode, closed):
    """Closed ones become a null device, so that nothing the command opens takes their number."""
    status, text = descriptors(lister, scratch, mode, closed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert status == 0, (status, text)
    got = dict(word.split(":") for word in text.split())
    assert sorted(got) == ["0", "1", "2"] and all(value[0] == "c" for value in got.values()), text


def test_redirected_files_stay(lister, scratch, mode):
    (scratch / "in").write_text("x")
    status, text = descriptors(lister, scratch, mode, f"< {scratch}/in > {scratch}/out 2> {scratch}/err")
    assert status == 0 and text.split() == ["0:f0", "1:f1", "2:f1"], text


def test_few_descriptors_left(mode, scratch):
    done = subprocess.run(["/bin/sh", "-c", "ulimit -n 64; exec \"$@\"", "sh", SANDLOCK, "run", *SYSTEM, *mode, "--", "/bin/sh", "-c", "ulimit -n; exit 4"],
                          env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)
    assert (done.returncode, done.stdout) == (4, "64\n"), done.stderr


def test_no_descriptors_left(mode):
    done = subprocess.run(["/bin/sh", "-c", "ulimit -n 4; exec \"$@\"", "sh", SANDLOCK, "run", *SYSTEM, *mode, "--", "/bin/echo", "started"],
                          env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode in (0, 125), done
    assert (done.returncode == 0) == (done.stdout == "started\n")
    assert done.returncode == 0 or done.stderr, "said why"


def test_output_to_a_closed_pipe(mode):
    done = subprocess.run(["/bin/bash", "-c", '"$@" | true; exit ${PIPESTATUS[0]}', "sh", SANDLOCK, "run", *SYSTEM, *mode, "--", "yes"],
                          env=clean_environment(), timeout=20)
    assert done.returncode == 141, "yes dies of SIGPIPE"
