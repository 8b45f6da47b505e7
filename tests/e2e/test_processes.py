"""The process limit: exact, only for processes, and free again when a process ends however it ends."""

import os
import shutil
import signal
import subprocess

import pytest

from sandbox import SANDLOCK, SYSTEM, children, execute, python, run


def test_no_limit_unless_asked_for(view):
    code = "import os, time\nfor i in range(150):\n    if os.fork() == 0: time.sleep(20)\nprint('all', flush=True)\nos._exit(0)"
    assert python(*view, code=code).out == "all\n"


COUNT = """
import os, time, errno
n = 0
try:
    while n < 60:
        if os.fork() == 0:
            time.sleep(30)
        n += 1
except OSError as e:
    print(n, errno.errorcode[e.errno], flush=True)
else:
    print(n, 'no limit', flush=True)
os._exit(0)
"""


@pytest.mark.parametrize("limit", [1, 2, 5, 33])
def test_exact(view, limit):
    assert python(*view, "-P", str(limit), code=COUNT).out == f"{limit - 1} EAGAIN\n"


PROGRAM = r"""
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char stack[65536];
static int sleeper(void *unused) { for (;;) pause(); }
static void *thread(void *unused) { usleep(200000); return 0; }

static int make(const char *how)
{
	char *argv[] = { "/bin/sleep", "30", 0 }, *envp[] = { 0 };
	pid_t pid = -1;
	if (!strcmp(how, "fork")) {
		pid = fork();
		if (!pid) sleeper(0);
	} else if (!strcmp(how, "vfork")) {
		pid = vfork();
		if (!pid) { execve(argv[0], argv, envp); _exit(1); }
	} else if (!strcmp(how, "clone")) {
		pid = clone(sleeper, stack + sizeof(stack), SIGCHLD, 0);
	} else if (!strcmp(how, "posix_spawn")) {
		int e = posix_spawn(&pid, argv[0], 0, 0, argv, envp);
		if (e) { errno = e; pid = -1; }
	}
	return pid < 0 ? -errno : pid;
}

int main(int argc, char **argv)
{
	const char *test = argv[1];
	if (!strcmp(test, "threads")) {
		pthread_t t[40];
		for (int i = 0; i < 40; i++)
			if (pthread_create(&t[i], 0, thread, 0)) return printf("thread %d\n", i), 1;
		for (int i = 0; i < 40; i++) pthread_join(t[i], 0);
		return printf("40 threads\n"), 0;
	}
	if (!strcmp(test, "ways")) {
		int a = make(argv[2]), b = make(argv[2]);
		printf("%d %s\n", a > 0, b < 0 ? strerror(-b) : "made");
		if (a > 0) kill(a, SIGKILL);
		return 0;
	}
	/* cycles: one slot, used again and again; every end must give it back */
	int bad = 0;
	if (!strcmp(test, "ignored")) signal(SIGCHLD, SIG_IGN);
	for (int i = 0; i < 200; i++) {
		pid_t pid;
		for (int tries = 0; (pid = fork()) < 0 && tries < 2000; tries++) usleep(500);
		if (pid < 0) { bad++; continue; }
		if (!pid) {
			if (!strcmp(test, "orphan")) {
				pid_t inner;
				for (int tries = 0; (inner = fork()) < 0 && tries < 2000; tries++) usleep(500);
				if (inner < 0) _exit(3);
				if (!inner) { setsid(); _exit(0); }
			}
			_exit(0);
		}
		int status = 0;
		if (!strcmp(test, "wait") || !strcmp(test, "orphan")) { waitpid(pid, &status, 0); bad += !!status; }
		if (!strcmp(test, "nohang")) while (waitpid(pid, &status, WNOHANG) == 0) usleep(100);
		if (!strcmp(test, "waitid")) { siginfo_t info; waitid(P_PID, pid, &info, WEXITED | WNOWAIT); waitid(P_PID, pid, &info, WEXITED); }
	}
	printf("bad %d\n", bad);
	return 0;
}
"""


@pytest.fixture(scope="module")
def program(compiled):
    return compiled("processes", PROGRAM)


def test_threads_are_free(view, program):
    assert run(*view, "-r", program, "-P", "2", cmd=[program, "threads"]).out == "40 threads\n"


@pytest.mark.parametrize("way", ["fork", "vfork", "clone", "posix_spawn"])
def test_every_way_is_counted(view, program, way):
    assert run(*view, "-r", program, "-P", "2", cmd=[program, "ways", way]).out == "1 Resource temporarily unavailable\n"


@pytest.mark.parametrize("end", ["wait", "nohang", "waitid", "ignored"])
def test_slots_come_back(view, program, end):
    assert run(*view, "-r", program, "-P", "2", cmd=[program, end]).out == "bad 0\n"


def test_slots_of_orphans_come_back(view, program):
    assert run(*view, "-r", program, "-P", "3", cmd=[program, "orphan"]).out == "bad 0\n"


def test_a_failed_wait_frees_nothing(view):
    code = ("import os, time\npid = os.fork()\nif pid == 0: time.sleep(30)\n"
            "for i in range(5):\n    try: os.waitpid(pid + 1000, 0)\n    except ChildProcessError: pass\n    os.waitpid(pid, os.WNOHANG)\n"
            "try:\n    if os.fork() == 0: os._exit(0)\n    print('made', flush=True)\nexcept BlockingIOError: print('EAGAIN', flush=True)\nos._exit(0)")
    assert python(*view, "-P", "2", code=code).out == "EAGAIN\n"


def test_shell_reports_the_limit(view):
    result = run(*view, "-P", "1", cmd="/bin/true; echo $?")
    assert "fork" in result.err.lower() and result.status != 0, result


@pytest.mark.parametrize("value", ["0", "-1", "x", "1.5", "", "4294967296", "99999999999999999999"])
def test_bad_limits(value):
    result = run(f"--max-processes={value}", cmd="echo started")
    assert result.status in (2, 125) and "started" not in result.out and result.err, result


@pytest.mark.parametrize("unlimited", [[], ["-P", "500"]])
def test_many_short_lived(view, unlimited):
    assert run(*view, *unlimited, cmd="i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i+1)); done; echo $i").out == "300\n"


def delayed(milliseconds, *options, line):
    """sandlock under strace, which holds back the return of the first clone: the new process runs before its maker knows its number."""
    if not shutil.which("strace"):
        pytest.skip("command -v strace finds nothing: it is not installed")
    return ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=clone", "-e", f"inject=clone:delay_exit={milliseconds}000:when=1",
            SANDLOCK, "run", *SYSTEM, *options, "--", "/bin/sh", "-c", line]


def test_limit_when_the_guest_is_faster_than_its_maker(view):
    result = execute(delayed(50, *view, "-P", "2", line="for i in 1 2 3 4; do /bin/true; done; echo done"))
    assert (result.status, result.out) == (0, "done\n"), result


def test_signal_when_the_guest_is_faster_than_its_maker(view, mark):
    """A number that is not known yet must never be signalled: 0 is the caller's own process group."""
    command = delayed(400, *view, "-P", "9", line="trap 'echo got; exit 30' TERM; echo up; while :; do sleep 0.05; done")
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=mark.env(), start_new_session=True)
    assert child.stdout.readline() == "up\n"
    os.kill(children(child.pid)[0], signal.SIGTERM)
    out, _ = child.communicate(timeout=20)
    assert (child.returncode, out) == (30, "got\n")
