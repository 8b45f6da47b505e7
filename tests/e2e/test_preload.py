"""libsandlock_confine.so and `sandlock preload`: a program that confines itself before main, or does not start."""

import os
import pathlib
import random
import shutil
import stat
import subprocess
import time

import pytest

from sandbox import IS_ROOT, PRELOAD, PYTHON, SANDLOCK, SYSTEM, clean_environment, execute, sandlock

DENIED = 13  # EACCES

PROBE = r"""
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv, char **envp)
{
	int errno_at_start = errno;
	sigset_t mask;
	struct sigaction pipe_action;
	int fd = open("/dev/null", O_RDONLY);

	if (argc > 1 && !strcmp(argv[1], "list"))
		return opendir(argv[2]) ? 0 : errno;
	if (argc > 1 && !strcmp(argv[1], "env")) {
		for (; *envp; envp++)
			puts(*envp);
		return 0;
	}
	if (argc > 1 && !strcmp(argv[1], "clone3"))
		return syscall(435, 0, 0) < 0 ? errno : 0;
	if (argc > 2 && !strcmp(argv[1], "fd"))
		return fcntl(atoi(argv[2]), F_GETFD) < 0 ? errno : 0;
	sigprocmask(SIG_BLOCK, NULL, &mask);
	sigaction(SIGPIPE, NULL, &pipe_action);
	printf("errno=%d fd=%d pipe=%d mask=", errno_at_start, fd, pipe_action.sa_handler == SIG_DFL);
	for (int i = 1; i < 32; i++)
		printf("%d", sigismember(&mask, i));
	printf(" cwd=%s\n", getcwd((char[4096]){0}, 4096));
	for (; *envp; envp++)
		puts(*envp);
	return 0;
}
"""

# A library with a constructor of its own: a thread, or an attempt to read a file.
THREAD = r"""
#include <pthread.h>
#include <unistd.h>
static void *wait(void *p) { for (;;) pause(); return p; }
__attribute__((constructor)) static void start(void) { pthread_t t; pthread_create(&t, 0, wait, 0); }
"""
EARLY = r"""
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
__attribute__((constructor)) static void look(void)
{
	char text[64];
	int fd = open(getenv("EARLY_FILE"), O_RDONLY);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);

	if (n > 0)
		write(1, text, n);
}
"""

# A loader that loads nothing: it starts a daemon with a child, and waits, or ends at once.
LOADER = r"""
#include <sys/syscall.h>
static long call(long nr) { long r; __asm__ volatile("syscall" : "=a"(r) : "a"(nr), "D"(0) : "rcx", "r11", "memory"); return r; }
void _start(void)
{
	if (QUIET)
		call(SYS_exit_group);
	if (call(SYS_fork) == 0) {
		call(SYS_setsid);
		call(SYS_fork);
	}
	for (;;)
		call(SYS_pause);
}
"""

# Containers often refuse unshare, by which the library finds out whether it is alone.
CONTAINER = r"""
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	struct sock_filter f[] = {{0x20, 0, 0, 0}, {0x15, 0, 1, SYS_unshare}, {6, 0, 0, 0x50001}, {6, 0, 0, 0x7fff0000}};
	struct sock_fprog p = {4, f};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_SECCOMP, 2, &p);
	execvp(argv[1], argv + 1);
	return 99;
}
"""

BLOB = r"""
#include <dlfcn.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "sandlock_confine.h"

static void *idle(void *p) { for (;;) pause(); return p; }

int main(int argc, char **argv)
{
	static char data[1 << 20];
	struct sandlock_confine_report report;
	void *library = dlopen(argv[1], RTLD_NOW);
	int (*confine)(const void *, size_t, uint64_t, struct sandlock_confine_report *, size_t);
	FILE *file = fopen(argv[2], "r");
	size_t size = fread(data, 1, sizeof data - 1, file);
	pthread_t thread;

	if (!library)
		return puts(dlerror()), 99;
	puts(dlsym(library, "sandlock_confine_version"));
	confine = (int (*)(const void *, size_t, uint64_t, struct sandlock_confine_report *, size_t))dlsym(library, "sandlock_confine_blob");
	if (argc > 4)
		pthread_create(&thread, NULL, idle, NULL);
	int r = confine(data, size, strtoul(argv[3], NULL, 0), &report, sizeof report);
	int list = opendir("/") ? 0 : errno;
	printf("%d %d %u %d [%s] [%s]\n", r, list, report.applied, report.abi, report.field, report.message);
	fflush(stdout);
	_exit(0);
}
"""


def build(directory, name, source, *flags, cc="gcc"):
    path = directory / name
    if not path.exists():
        (directory / f"{name}.c").write_text(source)
        subprocess.run([cc, "-O1", "-w", "-o", path, directory / f"{name}.c", *flags], check=True)
    return path


@pytest.fixture(scope="module")
def bin(tmp_path_factory):
    """A directory of test programs that a policy can grant."""
    path = tmp_path_factory.mktemp("preload").resolve()
    path.chmod(0o755)
    build(path, "glibc", PROBE)
    build(path, "musl", PROBE, cc="musl-gcc")
    build(path, "static", PROBE, "-static")
    return path


@pytest.fixture
def policy(bin, scratch):
    """policy(**sections) -> path of a compiled policy that grants the system and the test programs."""
    def compile(text="", name="p"):
        source = scratch / f"{name}.yaml"
        paths = ", ".join([p for p in SYSTEM if p != "-r"] + [str(bin)])
        source.write_text(f"filesystem:\n  read: [{paths}]\n{text}")
        made = sandlock("policy", "compile", source, "-o", scratch / f"{name}.slpc")
        assert made.status == 0, made
        return scratch / f"{name}.slpc"
    return compile


def preload(*options, cmd, env=None, **kwargs):
    return sandlock("preload", *SYSTEM, *options, "--", *cmd, env=env or clean_environment(), **kwargs)


def library(path, cmd, extra="", **variables):
    """CMD with the library loaded by hand; `path` is the value of SANDLOCK_CONFINE."""
    env = clean_environment(SANDLOCK_CONFINE=path, **variables)
    return execute(cmd, env={**env, "LD_PRELOAD": f"{PRELOAD}{extra}"})


def refused(result, *words):
    assert result.status == 125, result
    for word in words:
        assert word in result.err, result
    return True


# ---------------------------------------------------------------- the file itself

def test_needs_nothing():
    out = subprocess.run(["readelf", "-W", "-d", "-l", "-r", "--dyn-syms", PRELOAD], capture_output=True, text=True, check=True).stdout
    assert "(NEEDED)" not in out and "TEXTREL" not in out and "IRELATIV" not in out
    assert " TLS " not in out
    defined = [line.split()[-1] for line in out.splitlines() if " GLOBAL " in line and " UND " not in line]
    assert sorted(defined) == ["sandlock_confine_blob", "sandlock_confine_version"]
    undefined = [line for line in out.splitlines() if " UND " in line and "LOCAL" not in line]
    assert len(undefined) == 1 and "WEAK" in undefined[0] and undefined[0].split()[-1] == "environ"
    assert "NODELETE" in out and "NOW" in out and "GNU_RELRO" in out
    assert "(HASH)" in out and "(GNU_HASH)" in out
    assert os.stat(PRELOAD).st_size < 64 * 1024


# ---------------------------------------------------------------- one file for both C libraries

@pytest.mark.parametrize("libc", ["glibc", "musl"])
@pytest.mark.parametrize("way", ["--verify", "--exec"])
def test_confines_both_libraries(bin, libc, way):
    program = bin / libc
    assert execute([program, "list", "/"]).status == 0  # the control
    assert preload(way, "-r", bin, cmd=[program, "list", "/"]).status == DENIED
    assert preload(way, "-r", bin, cmd=[program, "list", "/usr"]).status == 0
    assert preload(way, "-r", bin, cmd=[program, "clone3"]).status == 38


@pytest.mark.parametrize("libc", ["glibc", "musl"])
@pytest.mark.parametrize("way", ["--verify", "--exec"])
def test_benign_program_is_undisturbed(bin, libc, way):
    bare = execute([bin / libc])
    inside = preload(way, "-r", bin, cmd=[bin / libc])
    assert inside.status == 0 and inside.err == ""
    # Our own variables steer the launcher, never the program.
    wanted = [line for line in bare.out.splitlines() if not line.startswith("SANDLOCK_")]
    assert inside.out.splitlines() == wanted, inside


def test_real_programs():
    out = preload(cmd=[PYTHON, "-I", "-c", "import json, ssl, os; print(json.dumps(sorted(os.listdir('/usr'))[:1]))"])
    assert out.status == 0 and out.out.startswith("["), out
    assert preload(cmd=["/bin/sh", "-c", "exit 7"]).status == 7
    assert preload(cmd=["/bin/sh", "-c", "kill -9 $$"]).status == 137
    out = preload(cmd=["/bin/sh", "-c", "exit 2"])
    assert out.status == 2 and out.err == "", out


@pytest.mark.parametrize("options", [["--verify"], ["--exec"], ["--outer", "none"], ["--nestable"]])
def test_inside_other_sandboxes(bin, options):
    container = build(bin, "container", CONTAINER)
    command = [SANDLOCK, "preload", *options, *SYSTEM, "-r", bin, "--", bin / "glibc", "list", "/"]
    assert execute([container, *command]).status == DENIED
    assert sandlock("confine", "--nestable", "-r", "/", "--", *command).status == DENIED


# ---------------------------------------------------------------- children, strip, keep

def test_children_inherit(bin):
    out = preload("-r", bin, cmd=["/bin/sh", "-c", f"{bin}/glibc list /; echo $?; {bin}/static list /; echo $?; env -i {bin}/glibc list /; echo $?"])
    assert out.out.split() == [str(DENIED)] * 3, out


def test_own_variables_are_stripped(bin):
    libm = next(p for p in pathlib.Path("/usr/lib").glob("*/libm.so.6"))
    env = clean_environment(LD_PRELOAD=libm)
    out = preload("-r", bin, cmd=[bin / "glibc", "env"], env=env)
    assert out.status == 0 and "SANDLOCK" not in out.out, out
    assert f"LD_PRELOAD={libm}\n" in out.out
    assert "LD_PRELOAD" not in preload("-r", bin, cmd=[bin / "glibc", "env"]).out


@pytest.mark.parametrize("libc", ["glibc", "musl"])
def test_policy_edits_the_environment(bin, libc):
    env = clean_environment(ONE="caller", SECRET="x", TERM="dumb")
    out = preload("-r", bin, "--env", "ONE=policy", "--env", "TWO=2", cmd=[bin / libc, "env"], env=env).out.splitlines()
    assert "ONE=policy" in out and "TWO=2" in out and "SECRET=x" in out and "ONE=caller" not in out
    out = preload("-r", bin, "--clean-env", "--env", "TWO=2", "--env", "ONE", "--env-pass", "T*", cmd=[bin / libc, "env"], env=env).out.splitlines()
    assert sorted(line.split("=")[0] for line in out) == sorted({"ONE", "TWO", "TERM", "PATH"} | ({"HOME", "USER", "LANG"} & set(env)) | {k for k in env if k.startswith("T")})
    out = preload("-r", bin, "--empty-env", cmd=[bin / libc, "env"], env=env).out
    assert out == ""


def test_variables_from_a_file(bin, scratch):
    (scratch / "vars").write_text("# comment\nexport A=1\nB='two words'\n")
    out = preload("-r", bin, "--env-file", scratch / "vars", "--empty-env", cmd=[bin / "glibc", "env"])
    assert out.out.splitlines() == ["A=1", "B=two words"], out


def test_keep_leaves_variables_and_does_not_stack_layers(bin, policy):
    blob = policy()
    read = pathlib.Path(PRELOAD).parent
    # A policy that lets children load the library again.
    source = blob.with_suffix(".yaml")
    source.write_text(source.read_text().replace("read: [", f"read: [{read}, "))
    assert sandlock("policy", "compile", source, "-o", blob).status == 0
    out = library(blob, [bin / "glibc", "env"], SANDLOCK_CONFINE_KEEP=1).out
    assert f"LD_PRELOAD={PRELOAD}" in out and "SANDLOCK_CONFINE_DONE=" in out and f"SANDLOCK_CONFINE={blob}" in out
    # 16 layers are the kernel's limit.
    chain = "n=$((n+1)); [ $n -lt 24 ] && exec /bin/sh -c \"$chain\"; exec $probe list /"
    out = library(blob, ["/bin/sh", "-c", chain], SANDLOCK_CONFINE_KEEP=1, chain="export n; " + chain, probe=bin / "glibc", n=0)
    assert out.status == DENIED and out.err == "", out


def test_keep_mark_does_not_help_an_unconfined_program(bin, policy):
    blob = policy()
    mark = [line for line in library(blob, [bin / "glibc", "env"], SANDLOCK_CONFINE_KEEP=1).out.splitlines() if "_DONE=" in line][0].split("=")[1]
    assert library(blob, [bin / "glibc", "list", "/"], SANDLOCK_CONFINE_DONE=mark).status == DENIED


# ---------------------------------------------------------------- compiled policies

def test_compiled_file(bin, policy):
    blob = policy()
    assert library(blob, [bin / "glibc", "list", "/"]).status == DENIED
    assert library(blob, [bin / "musl", "list", "/"]).status == DENIED
    assert library(blob, [bin / "glibc", "list", "/usr"]).status == 0
    out = library(blob, [bin / "glibc", "list", "/usr"], SANDLOCK_CONFINE_DEBUG=1)
    assert out.err.startswith("sandlock-confine: ") and "Landlock ABI" in out.err and out.err.count("\n") == 1


def test_without_variables_nothing_happens(bin):
    out = execute([bin / "glibc", "list", "/"], env=clean_environment(LD_PRELOAD=PRELOAD))
    assert out.status == 0 and out.err == ""


def test_found_by_its_source(bin, policy):
    blob = policy()
    source = blob.with_suffix(".yaml")
    assert library(source, [bin / "glibc", "list", "/"]).status == DENIED
    source.write_text(source.read_text() + "# changed\n")
    refused(library(source, [bin / "glibc", "list", "/usr"]), "stale policy", "compile the policy again", "not starting")
    blob.unlink()
    refused(library(source, [bin / "glibc", "list", "/usr"]), "there is no compiled policy beside it")


def test_compiled_policy_of_another_source(bin, policy, scratch):
    policy(name="a")
    policy("limits:\n  open_files: 64\n", name="b")
    shutil.copy(scratch / "a.slpc", scratch / "b.slpc")
    refused(library(scratch / "b.yaml", [bin / "glibc", "list", "/usr"]), "made from another file")


def test_untrusted_files(bin, policy, scratch):
    blob = policy()
    probe = [bin / "glibc", "list", "/usr"]
    for mode in (0o620, 0o602, 0o666):
        blob.chmod(mode)
        refused(library(blob, probe), "others can write it", str(blob))
    blob.chmod(0o600)
    assert library(blob, probe).status == 0
    link = scratch / "link.slpc"
    link.symlink_to(blob)
    refused(library(link, probe), "symbolic link")
    fifo = scratch / "fifo.slpc"
    os.mkfifo(fifo)
    refused(library(fifo, probe), "not a regular file")
    refused(library(scratch, probe), str(scratch))
    refused(library("relative.slpc", probe), "not absolute")
    refused(library("", probe), "not absolute")
    refused(library(scratch / "none.slpc", probe), "No such file")
    text = scratch / "text.slpc"
    text.write_text("filesystem: {}\n" * 100)
    refused(library(text, probe), "not a compiled policy")
    if IS_ROOT:
        os.chown(blob, 47471, 47471)
        refused(library(blob, probe), "belongs to another user")


def test_damaged_files(bin, policy, scratch):
    good = policy().read_bytes()
    bad = scratch / "bad.slpc"
    chance = random.Random(7)
    probe = [bin / "glibc", "list", "/usr"]
    cuts = [0, 1, 100, 255, 256, 300, len(good) - 1]
    flips = [chance.randrange(112) for _ in range(30)] + [chance.randrange(256, len(good)) for _ in range(60)]
    for n in cuts:
        bad.write_bytes(good[:n])
        refused(library(bad, probe), "not starting")
    for at in flips:
        data = bytearray(good)
        data[at] ^= 1 << chance.randrange(8)
        bad.write_bytes(data)
        refused(library(bad, probe), "not starting")
    bad.write_bytes(good + b"\0" * 8)
    refused(library(bad, probe), "not starting")


def test_descriptor_must_be_sealed(bin, policy):
    blob = policy().read_bytes()
    import fcntl
    for seal in (False, True):
        fd = os.memfd_create("policy", os.MFD_ALLOW_SEALING)
        os.write(fd, blob)
        if seal:
            fcntl.fcntl(fd, 1033, 15)  # F_ADD_SEALS, all four
        out = execute([bin / "glibc", "list", "/"], env=clean_environment(LD_PRELOAD=PRELOAD, SANDLOCK_CONFINE_FD=fd), pass_fds=[fd])
        os.close(fd)
        if seal:
            assert out.status == DENIED, out
        else:
            refused(out, "not sealed")
    for number in ("", "-1", "3x", "99999999999", "77"):
        refused(execute([bin / "glibc"], env=clean_environment(LD_PRELOAD=PRELOAD, SANDLOCK_CONFINE_FD=number)), "not starting")


def test_fields_that_need_a_supervisor_are_named(bin, policy):
    blob = policy("limits:\n  processes: 5\nconfig:\n  hostname: box\n")
    refused(library(blob, [bin / "glibc"]), "limits.processes", "config.hostname", "sandlock run")
    out = preload("-P", "5", cmd=["/bin/true"])
    refused(out, "-P")


def test_process_state(bin, policy):
    blob = policy("program:\n  cwd: /usr/lib\nlimits:\n  open_files: 50\n  rlimits: {fsize: 1M}\n")
    out = library(blob, ["/bin/sh", "-c", "pwd; ulimit -n; ulimit -f"])
    assert out.out.split() == ["/usr/lib", "50", "2048"], out


def test_missing_path_is_named(bin, scratch):
    source = scratch / "m.yaml"
    source.write_text(f"filesystem:\n  read: [/usr, /lib, /lib64, /bin, {bin}, {scratch}/gone]\n")
    (scratch / "gone").mkdir()
    assert sandlock("policy", "compile", source, "-o", scratch / "m.slpc").status == 0
    assert library(scratch / "m.slpc", [bin / "glibc", "list", "/usr"]).status == 0
    (scratch / "gone").rmdir()
    refused(library(scratch / "m.slpc", [bin / "glibc"]), f"open: {scratch}/gone: No such file or directory; not starting")


def test_descriptors_are_swept(bin, policy):
    read, write = os.pipe()
    blob = policy()
    env = clean_environment(SANDLOCK_CONFINE=blob)
    assert execute([bin / "glibc", "fd", str(write)], pass_fds=[write]).status == 0
    out = execute([bin / "glibc", "fd", str(write)], env={**env, "LD_PRELOAD": PRELOAD}, pass_fds=[write])
    assert out.status == 9, out
    # Except the one that is acknowledged on, until main.
    out = execute([bin / "glibc", "fd", str(write)], env={**env, "LD_PRELOAD": PRELOAD, "SANDLOCK_CONFINE_ACK": str(write)}, pass_fds=[write])
    assert out.status == 9 and os.read(read, 2) == b"y"
    blob.chmod(0o666)
    execute([bin / "glibc"], env={**env, "LD_PRELOAD": PRELOAD, "SANDLOCK_CONFINE_ACK": str(write)}, pass_fds=[write])
    assert os.read(read, 2) == b"n"
    os.close(read), os.close(write)


# ---------------------------------------------------------------- threads, and the function

def test_threads_of_an_earlier_constructor(bin, policy, landlock_abi):
    thread = build(bin, "thread.so", THREAD, "-shared", "-fPIC", "-pthread")
    blob = policy()
    out = library(blob, [bin / "glibc", "list", "/"], extra=f":{thread}")
    if landlock_abi >= 8:
        assert out.status == DENIED, out
    else:
        refused(out, "threads", "Landlock ABI 8")


@pytest.fixture(scope="module")
def caller(bin):
    header = pathlib.Path(__file__).resolve().parents[2] / "preload"
    return build(bin, "caller", BLOB, f"-I{header}", "-pthread", "-ldl")


def test_function(bin, policy, caller):
    blob = policy()
    out = execute([caller, PRELOAD, blob, "0"]).out.splitlines()
    assert out[0].startswith("sandlock_confine ")
    assert out[1].startswith(f"0 {DENIED} 7 "), out
    # A dry run reports and changes nothing; without seccomp only Landlock; unknown and contradictory flags.
    assert execute([caller, PRELOAD, blob, "8"]).out.splitlines()[1].startswith("0 0 0 ")
    assert execute([caller, PRELOAD, blob, "4"]).out.splitlines()[1].startswith(f"0 {DENIED} 3 ")
    for flags in ("3", "0x100", "0x8000000000000000"):
        assert execute([caller, PRELOAD, blob, flags]).out.splitlines()[1].startswith("-22 0 0 ")
    assert execute([caller, PRELOAD, caller, "0"]).out.splitlines()[1].startswith("-22 0 0 ")


def test_function_with_threads(bin, policy, caller, landlock_abi):
    blob = policy()
    line = execute([caller, PRELOAD, blob, "0", "thread"]).out.splitlines()[1]
    strict = execute([caller, PRELOAD, blob, "2", "thread"]).out.splitlines()[1]
    if landlock_abi >= 8 and not IS_ROOT:
        assert line.startswith(f"0 {DENIED} ") and strict.startswith(f"0 {DENIED} ")
    elif landlock_abi < 8:
        assert line.startswith("-16 0 0 ") and strict.startswith("-95 0 0 ")
    assert execute([caller, PRELOAD, blob, "1", "thread"]).out.splitlines()[1].startswith(f"0 {DENIED} ")


def test_function_names_fields(bin, policy, caller):
    line = execute([caller, PRELOAD, policy("limits:\n  processes: 5\n"), "0"]).out.splitlines()[1]
    assert line.startswith("-95 0 0 ") and "[limits.processes]" in line
    line = execute([caller, PRELOAD, policy("program:\n  clean_env: true\n"), "0"]).out.splitlines()[1]
    assert line.startswith("-95 0 0 ") and "program.env" in line


# ---------------------------------------------------------------- programs that the library does not reach

def test_static_is_refused(bin):
    for way in ("--verify", "--exec"):
        refused(preload(way, "-r", bin, cmd=[bin / "static"]), "statically linked", "sandlock run --no-supervisor")
    refused(preload("-r", "/", cmd=[SANDLOCK, "version"]), "statically linked")


def test_other_word_size_is_refused(bin):
    source = bin / "narrow.c"
    source.write_text("void _start(void) { __asm__ volatile(\"mov $1, %eax; xor %ebx, %ebx; int $0x80\"); }\n")
    made = subprocess.run(["gcc", "-m32", "-w", "-nostdlib", "-fPIE", "-pie", "-Wl,-dynamic-linker,/lib/ld-linux.so.2", "-o", bin / "narrow", source], capture_output=True)
    if made.returncode != 0:
        pytest.skip("gcc -m32 fails: this compiler makes no 32-bit programs (the headers are checked by a unit test)")
    refused(preload("-r", bin, cmd=[bin / "narrow"]), "word size")


def test_unusual_loader(bin):
    loader = subprocess.run(["readelf", "-W", "-l", bin / "glibc"], capture_output=True, text=True).stdout.split("interpreter: ")[1].split("]")[0]
    shutil.copy(loader, bin / "loader")
    program = build(bin, "unusual", PROBE, f"-Wl,-dynamic-linker,{bin}/loader")
    refused(preload("-r", bin, cmd=[program]), "not known to honour LD_PRELOAD", "--trust-interp")
    assert preload("--trust-interp", "-r", bin, cmd=[program, "list", "/"]).status == DENIED


def test_loader_that_ignores_the_library_is_noticed(bin, mark):
    """A loader with a good name that loads nothing: only the missing acknowledgement shows it, and all that it started ends."""
    if os.uname().machine != "x86_64":
        pytest.skip(f"uname -m says {os.uname().machine}: the loader of this test is written for x86_64")
    for name, quiet in (("fake", 0), ("quiet", 1)):
        build(bin, f"ld-linux-{name}.so", LOADER, "-nostdlib", "-static-pie", f"-DQUIET={quiet}")
    program = build(bin, "fooled", PROBE, f"-Wl,-dynamic-linker,{bin}/ld-linux-fake.so")
    start = time.monotonic()
    refused(preload("-r", bin, cmd=[program], env=clean_environment(CARRIED=mark.word)), "did not take effect")
    assert 1.5 < time.monotonic() - start < 6
    # Closing the descriptor without a word is no acknowledgement either.
    program = build(bin, "silent", PROBE, f"-Wl,-dynamic-linker,{bin}/ld-linux-quiet.so")
    refused(preload("-r", bin, cmd=[program]), "did not take effect")


@pytest.mark.skipif(IS_ROOT, reason="id -u says that this is root: it can read every file")
def test_unreadable_programs_rely_on_the_acknowledgement(bin):
    for name in ("glibc", "static"):
        shutil.copy(bin / name, bin / f"hidden-{name}")
        (bin / f"hidden-{name}").chmod(0o111)
    assert preload("-r", bin, cmd=[bin / "hidden-glibc", "list", "/"]).status == DENIED
    refused(preload("-r", bin, cmd=[bin / "hidden-static", "list", "/"]), "did not take effect")


def test_set_user_id_starts_without_privileges():
    program = next((p for p in ("/usr/bin/mount", "/bin/su", "/usr/bin/passwd") if os.path.exists(p) and os.stat(p).st_mode & stat.S_ISUID), None)
    if program is None:
        pytest.skip("stat finds the set-user-ID bit on none of mount, su and passwd")
    out = preload(cmd=[program, "--help"])
    assert out.status == 0 and "W040" in out.err and "without those privileges" in out.err, out


def test_scripts(bin, scratch):
    def script(name, line, body=""):
        path = scratch / name
        path.write_text(f"{line}\n{body}\n")
        path.chmod(0o755)
        return path

    options = ("-r", bin, "-r", scratch)
    body = f"{bin}/glibc list /; exit $?"
    assert preload(*options, cmd=[script("plain", "#!/bin/sh", body)]).status == DENIED
    assert preload(*options, cmd=[script("env", "#!/usr/bin/env sh", body)]).status == DENIED
    assert preload(*options, cmd=[script("text", "", body)]).status == DENIED
    refused(preload(*options, cmd=[script("static", f"#!{bin}/static")]), "statically linked", "static")
    one = script("one", f"#!{bin}/glibc env")
    two = script("two", f"#!{one}")
    three = script("three", f"#!{two}")
    four = script("four", f"#!{three}")
    five = script("five", f"#!{four}")
    assert preload(*options, cmd=[four]).status == 0
    refused(preload(*options, cmd=[five]), "four deep")
    refused(preload(*options, cmd=[script("chain", f"#!{script('inner', f'#!{bin}/static')}")]), "statically linked")


def test_exit_statuses(bin, scratch):
    assert preload(cmd=["no-such-command"]).status == 127
    plain = scratch / "plain"
    plain.write_text("x")
    assert preload("-r", scratch, cmd=[plain]).status == 126
    assert sandlock("preload", *SYSTEM, "--outer", "sometimes", "--", "/bin/true").status == 2
    assert sandlock("preload", "--help").status == 0
    assert preload("--no-such-flag", cmd=["/bin/true"]).status == 2
    out = sandlock("preload", *SYSTEM)
    assert out.status == 125 and "no command" in out.err


# ---------------------------------------------------------------- the outer layer

def test_outer_layer_covers_earlier_constructors(bin, scratch):
    early = build(bin, "early.so", EARLY, "-shared", "-fPIC")
    secret = scratch / "secret"
    secret.write_text("the secret\n")
    env = clean_environment(LD_PRELOAD=early, EARLY_FILE=secret)
    assert "the secret" in execute(["/bin/true"], env=env).out
    # Documented: constructors of other libraries may run before ours ...
    assert "the secret" in preload("--outer", "none", "-r", bin, cmd=["/bin/true"], env=env).out
    # ... which is why there is an outer layer.
    out = preload("-r", bin, cmd=["/bin/true"], env=env)
    assert out.status == 0 and "the secret" not in out.out, out


def test_outer_layer_lets_private_libraries_load(bin, scratch):
    build(bin, "libprivate.so", "int value(void) { return 42; }", "-shared", "-fPIC")
    directory = scratch / "private"
    directory.mkdir()
    shutil.copy(bin / "libprivate.so", directory)
    program = build(scratch, "user", "int value(void); int main(void) { return value(); }", f"-L{directory}", "-Wl,-rpath,$ORIGIN/private", str(directory / "libprivate.so"))
    assert preload(cmd=[program]).status == 42  # neither the program nor its library is granted


# ---------------------------------------------------------------- the library as a file

def test_library_must_be_trustworthy(bin, scratch):
    copy = scratch / "libsandlock_confine.so"
    shutil.copy(PRELOAD, copy)
    copy.chmod(0o644)

    def with_library(path):
        return preload("-r", bin, cmd=[bin / "glibc", "list", "/"], env=clean_environment(SANDLOCK_LIB=path))

    assert with_library(copy).status == DENIED
    copy.chmod(0o664)
    refused(with_library(copy), "can be changed by others")
    copy.chmod(0o644)
    scratch.chmod(0o777)
    refused(with_library(copy), "directory", "can be changed by others")
    scratch.chmod(0o700)
    refused(with_library("libsandlock_confine.so"), "not the absolute path")
    refused(with_library(scratch), "not a regular file")
    spaced = scratch / "a b"
    spaced.mkdir()
    shutil.copy(copy, spaced)
    refused(with_library(spaced / copy.name), "LD_PRELOAD")
    if IS_ROOT:
        os.chown(copy, 47471, 47471)
        refused(with_library(copy), "belongs to another user")


def test_signals_reach_the_program(bin):
    with subprocess.Popen([SANDLOCK, "preload", *SYSTEM, "--", "/bin/sh", "-c", "trap 'echo got; exit 3' TERM; echo ready; while :; do sleep 0.05; done"],
                          stdout=subprocess.PIPE, text=True, env=clean_environment()) as child:
        assert child.stdout.readline() == "ready\n"
        child.terminate()
        assert child.wait(10) == 3
        assert child.stdout.read() == "got\n"
