"""What all end-to-end and attack tests share: the program under test, runs of it, and the search for leftovers."""

import os
import pathlib
import signal
import subprocess
import time
import uuid

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SANDLOCK_BUILD", ROOT / "build"))
SANDLOCK = os.environ.get("SANDLOCK", str(BUILD / "sandlock"))
PRELOAD = os.environ.get("SANDLOCK_PRELOAD", str(BUILD / "libsandlock_confine.so"))
IS_ROOT = os.geteuid() == 0
PYTHON = "/usr/bin/python3"

# Enough of the system to run what Debian installs; no home, no /proc, nothing writable.
SYSTEM = [word for path in ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc") if os.path.exists(path) for word in ("-r", path)]


class Result:
    def __init__(self, argv, status, out, err, seconds):
        self.argv, self.status, self.out, self.err, self.seconds = argv, status, out, err, seconds

    def __repr__(self):
        return f"$ {' '.join(map(str, self.argv))}\nstatus {self.status} after {self.seconds:.2f} s\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def clean_environment(**extra):
    """The caller's environment without anything that would change what sandlock does."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("SANDLOCK", "LD_", "XDG_", "PYTEST"))}
    env.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    env["SANDLOCK_CACHE"] = "off"
    env.update({k: str(v) for k, v in extra.items() if v is not None})
    return env


def execute(argv, timeout=60, input=None, env=None, text=True, **popen):
    """Runs to the end and returns a Result. A negative wait status becomes 128+N, as a shell says it."""
    argv = [os.fspath(a) if isinstance(a, os.PathLike) else a for a in argv]
    start = time.monotonic()
    kwargs = {"stdin": subprocess.DEVNULL} if input is None else {"input": input}
    kwargs.update(popen)
    done = subprocess.run(argv, timeout=timeout, env=env or clean_environment(), text=text, errors="replace" if text else None,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, **kwargs)
    status = done.returncode if done.returncode >= 0 else 128 - done.returncode
    return Result(argv, status, done.stdout, done.stderr, time.monotonic() - start)


def sandlock(*words, **kwargs):
    """sandlock WORDS..., as they are."""
    return execute([SANDLOCK, *words], **kwargs)


def run(*options, cmd, **kwargs):
    """sandlock run with the system readable, OPTIONS, and CMD (a list, or a line for /bin/sh)."""
    if isinstance(cmd, str):
        cmd = ["/bin/sh", "-c", cmd]
    return sandlock("run", *SYSTEM, *options, "--", *cmd, **kwargs)


def python(*options, code, **kwargs):
    """The same with a Python program."""
    return run(*options, cmd=[PYTHON, "-I", "-c", code], **kwargs)


class Mark:
    """A unique word that everything started with its environment carries, so that whatever is left of a run can be found."""

    def __init__(self):
        self.word = "sandlock-test-" + uuid.uuid4().hex
        self.sessions = set()

    def watch(self, child):
        """Started with start_new_session: the helpers of sandlock, whose environment nobody may read, are in its session."""
        self.sessions.add(child.pid)

    def env(self, **extra):
        return clean_environment(E2E_MARK=self.word, **extra)

    def processes(self):
        found, needle = [], self.word.encode()
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            if self.sessions and session(entry) in self.sessions:
                found.append(int(entry))
                continue
            for name in ("environ", "cmdline"):
                try:
                    with open(f"/proc/{entry}/{name}", "rb") as f:
                        if needle in f.read():
                            found.append(int(entry))
                            break
                except OSError:
                    pass
        return found

    def leftovers(self, within=1.0):
        """The processes that still carry the mark after `within` seconds; returns as soon as there are none."""
        deadline = time.monotonic() + within
        while True:
            alive = [pid for pid in self.processes() if state(pid) not in ("Z", "X", None)]
            if not alive or time.monotonic() > deadline:
                return [(pid, command_line(pid)) for pid in alive]
            time.sleep(0.01)


def state(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return chr(f.read().rsplit(b")", 1)[1].split()[0][0])
    except OSError:
        return None


def session(pid):
    try:
        with open(f"/proc/{pid}/stat", "rb") as f:
            return int(f.read().rsplit(b")", 1)[1].split()[3])
    except OSError:
        return None


def command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            return [int(word) for word in f.read().split()]
    except OSError:
        return []


def wait_for(condition, seconds=5, step=0.01):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(step)
    return condition()


def signal_number(name):
    return int(getattr(signal, name))
