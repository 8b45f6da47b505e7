"""
The world around a probe: trees, an outsider, and the oracle that looks at them afterwards. The outsider's ports on 127.0.0.1 and ::1 are W_TCP, for
TCP and UDP; those of W_OPEN on 127.0.0.1 answer and do not count, so rules and twins may use them, and on 127.0.0.2 they count; W_SHARED is open to
everybody of the same user who sets SO_REUSEPORT; W_FREE and W_FREE2 are nobody's.
"""

import hashlib
import os
import pathlib
import random
import re
import shutil
import socket
import stat
import subprocess
import tempfile
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

import sandbox

HERE = pathlib.Path(__file__).resolve().parent
ROW = re.compile(r'^\tCASE\("(?P<id>[^"]+)", \w+, \w+, "(?P<flags>[^"]*)"', re.M)


class Case:
    def __init__(self, probe, id, flags):
        self.probe, self.id, self.flags = probe, id, flags


def all_cases():
    found = []
    for source in sorted((HERE / "probes").glob("*.c")):
        for row in ROW.finditer(source.read_text()):
            found.append(Case(source.stem, row["id"], row["flags"]))
    assert len({c.id for c in found}) == len(found), "case IDs must be unique"
    return found


def differences():
    """differences.md: {(case, mode): outcome}; the outcome is what the kernel is known to answer there."""
    table = {}
    for line in (HERE / "differences.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and re.match(r"[A-Z]\d\d", cells[0]):
            for mode in cells[1].split(", "):
                table[cells[0], mode] = cells[2]
    return table


def build_probes(directory):
    """Compiles every probe, static, each from its own source file."""
    def one(source):
        target = directory / source.stem
        done = subprocess.run(["gcc", "-static", "-O1", "-Wall", "-Wextra", "-Werror", "-pthread", "-o", target, source],
                              stderr=subprocess.PIPE, text=True)
        if done.returncode:
            pytest.exit(f"{source.name} does not compile:\n" + "\n".join(done.stderr.splitlines()[:20]), returncode=3)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, sorted((HERE / "probes").glob("*.c"))))


def unused_ports(count):
    """Of the lower numbers, which the kernel gives to nobody who asks for any port."""
    found = []
    while len(found) < count:
        with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            port = random.randrange(20000, 32000)
            try:
                tcp.bind(("", port))
                udp.bind(("", port))
            except OSError:
                continue
            found.append(str(port))
    return found


class World:
    """One set of trees: bin and ro readable, rw writable, out not granted at all; and a process outside."""

    def __init__(self, probes):
        self.base = pathlib.Path(tempfile.mkdtemp(prefix="sandlock-attack-")).resolve()
        self.base.chmod(0o755)
        self.canary = "CANARY" + uuid.uuid4().hex
        self.mark = sandbox.Mark()
        self.bin = self.base / "bin"
        shutil.copytree(probes, self.bin)
        self.outsider = None
        self.reset()

    def reset(self):
        """Everything as new: a control run really destroys things."""
        self.stop_outsider()
        for name in ("ro", "rw", "out"):
            tree = self.base / name
            if tree.exists():
                for path in [tree, *tree.rglob("*")]:
                    if path.is_dir() and not path.is_symlink():
                        path.chmod(0o755)
                shutil.rmtree(tree)
            tree.mkdir()
            (tree / "dir").mkdir()
            (tree / "empty").write_text("")
        for name in ("ro", "rw"):
            (self.base / name / "file").write_text(f"granted {name}\n")
        out = self.base / "out"
        for name in ("secret", "victim", "dir/f"):
            (out / name).write_text(self.canary + "\n")
        (out / "empty").unlink()
        (out / "empty").mkdir()
        shutil.copy2(self.bin / "true", out / "true")
        (self.base / "ro" / "to-secret").symlink_to(out / "secret")
        (self.base / "ro" / "to-out").symlink_to(out)
        self.start_outsider()
        self.before = self.fingerprint()

    def start_outsider(self):
        word = uuid.uuid4().hex[:12]
        self.abstract, self.queue = f"sandlock-attack-{word}", f"sandlock-{word}"
        self.outsider = subprocess.Popen([self.bin / "outsider", self.base / "out", self.abstract, self.queue],
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
        words = self.outsider.stdout.readline().split()
        assert len(words) == 6, "the outsider did not start"
        self.tcp, self.open, self.shared, self.shm, self.mq, self.address = words
        self.free, self.free2 = unused_ports(2)
        self.report_before = self.outsider_report()

    def outsider_report(self):
        try:
            self.outsider.stdin.write("?\n")
            self.outsider.stdin.flush()
            return self.outsider.stdout.readline().strip() or "outsider is gone"
        except OSError:
            return "outsider is gone"

    def stop_outsider(self):
        if self.outsider:
            try:
                self.outsider.stdin.close()
            except OSError:
                pass
            try:
                self.outsider.wait(1)
            except subprocess.TimeoutExpired:
                self.outsider.kill()
                self.outsider.wait()
            self.outsider.stdout.close()
            self.outsider = None

    def fingerprint(self):
        """Content and metadata of what the guest may not change."""
        lines = []
        for tree in ("ro", "out", "bin"):
            for path in sorted([self.base / tree, *(self.base / tree).rglob("*")]):
                st = path.lstat()
                content = ""
                if stat.S_ISREG(st.st_mode):
                    content = hashlib.blake2b(path.read_bytes()).hexdigest()[:16]
                elif stat.S_ISLNK(st.st_mode):
                    content = os.readlink(path)
                lines.append(f"{path.relative_to(self.base)} {st.st_mode:o} {st.st_uid}:{st.st_gid} {st.st_nlink} {st.st_mtime_ns} {content}")
        return "\n".join(lines)

    def env(self, mode):
        return self.mark.env(W_MODE=mode, W_BIN=self.bin, W_RO=self.base / "ro", W_RW=self.base / "rw", W_OUT=self.base / "out",
                             W_PID=self.outsider.pid, W_TCP=self.tcp, W_UDP=self.tcp, W_OPEN=self.open, W_SHARED=self.shared, W_FREE=self.free, W_FREE2=self.free2, W_SHM=self.shm, W_ABSTRACT=self.abstract,
                             W_MQ=self.queue, W_ADDRESS=self.address, W_RUNNER=os.getpid())

    def grants(self, case):
        ports = {"@W_TCP@": self.tcp, "@W_OPEN@": self.open, "@W_SHARED@": self.shared, "@W_FREE@": self.free, "@W_FREE2@": self.free2}
        words = re.sub("@W_[A-Z0-9]+@", lambda name: ports[name[0]], case.flags).split()
        options = ["-r", self.bin, "-r", self.base / "ro"]
        if "no-write" not in words:
            options += ["-w", self.base / "rw"]
        return options + [word for word in words if word != "no-write"]

    def oracle(self, result):
        """What the host sees afterwards: a list of complaints."""
        complaints = []
        if self.canary in result.out + result.err:
            complaints.append("the content of an ungranted file reached the output")
        after = self.fingerprint()
        if after != self.before:
            changed = set(after.splitlines()) ^ set(self.before.splitlines())
            complaints.append("changed outside the write grant:\n" + "\n".join(sorted(changed)))
        report = self.outsider_report()
        if report != self.report_before:
            complaints.append(f"the outsider was reached:\n  before {self.report_before}\n  after  {report}")
        left = self.mark.leftovers(0.5)
        if left:
            complaints.append(f"left behind: {left}")
        return complaints

    def close(self):
        self.stop_outsider()
        shutil.rmtree(self.base, ignore_errors=True)
