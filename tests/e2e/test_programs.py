"""Real programs do real work inside."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import textwrap

import pytest

from sandbox import IS_ROOT, PYTHON, SANDLOCK, clean_environment, execute, run, sandlock


def needs(program):
    if not shutil.which(program, path="/usr/bin:/bin:/usr/sbin"):
        pytest.skip(f"command -v {program} finds nothing: it is not installed")


IMPORTS = ("argparse asyncio base64 bisect bz2 calendar cmd codecs collections concurrent.futures configparser contextlib copy csv ctypes datetime decimal "
           "difflib dis doctest email.message enum filecmp fnmatch fractions ftplib functools getpass gettext glob gzip hashlib heapq hmac html.parser "
           "http.client http.server imaplib inspect io ipaddress itertools json logging.config lzma mailbox mimetypes multiprocessing.pool "
           "numbers operator optparse os pathlib pdb pickle platform plistlib pprint profile queue random re sched secrets select selectors shelve shlex "
           "shutil signal smtplib socket socketserver sqlite3 ssl statistics string struct subprocess symtable tarfile tempfile textwrap threading "
           "timeit tokenize traceback types typing unittest.mock urllib.request uuid venv wave weakref xml.dom.minidom xml.etree.ElementTree "
           "xmlrpc.client zipapp zipfile zoneinfo").split()


def test_python_in_a_venv_imports_everything(view, scratch):
    subprocess.run([PYTHON, "-m", "venv", "--without-pip", scratch / "venv"], check=True)
    package = scratch / "venv" / "lib"
    site = next(package.glob("python3*")) / "site-packages"
    for i in range(150):
        (site / f"storm_{i}.py").write_text(f"import {IMPORTS[i % len(IMPORTS)]}\nVALUE = {i}\n")
    code = (f"import importlib\nfor name in {IMPORTS!r}: importlib.import_module(name)\n"
            "print(sum(importlib.import_module(f'storm_{i}').VALUE for i in range(150)))\nimport sys; print(sys.prefix)")
    result = run(*view, "-w", scratch, cmd=[scratch / "venv/bin/python", "-c", code])
    assert result.out == f"{sum(range(150))}\n{scratch}/venv\n", result


def test_python_threads_subprocesses_and_pools(view, scratch):
    code = textwrap.dedent("""
        import subprocess, threading, tempfile, os
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(8) as pool:
            print(sum(pool.map(lambda i: i * i, range(100))))
        print(subprocess.run(['/bin/sh', '-c', 'echo $((6 * 7))'], capture_output=True, text=True).stdout.strip())
        with tempfile.NamedTemporaryFile() as f:
            f.write(b'x' * 100000); f.flush(); print(os.path.getsize(f.name))
    """)
    result = run(*view, "-w", scratch, "--env", f"TMPDIR={scratch}", cmd=[PYTHON, "-I", "-c", code])
    assert result.out == "328350\n42\n100000\n", result


@pytest.fixture
def repository(scratch):
    needs("git")
    source = scratch / "source"
    source.mkdir()
    env = clean_environment(HOME=scratch, GIT_CONFIG_NOSYSTEM=1, GIT_AUTHOR_NAME="a", GIT_AUTHOR_EMAIL="a@example.org",
                            GIT_COMMITTER_NAME="a", GIT_COMMITTER_EMAIL="a@example.org")
    for i in range(60):
        (source / f"file{i}").write_text(f"{i}\n" * 50)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run(["git", *words], cwd=source, env=env, check=True)
    return source, env


@pytest.mark.parametrize("url", ["{}", "file://{}"])
def test_git(view, scratch, repository, url):
    source, env = repository
    (scratch / "work").mkdir()
    result = run(*view, "-r", source, "-w", scratch / "work", "--env", f"HOME={scratch}/work",
                 cmd=f"cd {scratch}/work && git clone -q {url.format(source)} clone && cd clone && git log --oneline | wc -l && echo x > new && git add new && "
                 "git -c user.name=a -c user.email=a@example.org commit -qm second && git status --short && git log --oneline | wc -l", env=env)
    assert result.status == 0 and result.out.split() == ["1", "2"], result


def test_make(view, scratch):
    needs("make")
    needs("gcc")
    for i in range(12):
        (scratch / f"part{i}.c").write_text(f"#include <stdio.h>\n#include <string.h>\nint part{i}(void) {{ return printf(\"%d \", {i}); }}\n")
    (scratch / "main.c").write_text("".join(f"int part{i}(void);\n" for i in range(12)) + "int main(void) {" + "".join(f"part{i}();" for i in range(12)) + "}\n")
    objects = " ".join(f"part{i}.o" for i in range(12))
    (scratch / "Makefile").write_text(f"program: main.o {objects}\n\tgcc -o $@ $^\n%.o: %.c\n\tgcc -O1 -c -o $@ $<\n")
    (scratch / "tmp").mkdir()
    result = run(*view, "-w", scratch, "--cwd", scratch, "--env", f"TMPDIR={scratch}/tmp", cmd="make -s -j2 && ./program")
    assert result.status == 0 and result.out.split() == [str(i) for i in range(12)], result


def test_node(view, scratch):
    needs("node")
    code = textwrap.dedent("""
        const fs = require('fs'), { Worker } = require('worker_threads'), { execFileSync } = require('child_process');
        fs.writeFileSync(process.argv[1] + '/made', 'x'.repeat(1000));
        const w = new Worker('require("worker_threads").parentPort.postMessage(6 * 7)', { eval: true });
        w.on('message', (m) => { console.log(m, execFileSync('/bin/echo', ['child']).toString().trim()); });
    """)
    result = run(*view, "-w", scratch, cmd=["node", "-e", code, scratch])
    assert (result.status, result.out) == (0, "42 child\n"), result
    assert (scratch / "made").stat().st_size == 1000


def test_bash(view, scratch):
    line = textwrap.dedent("""
        set -m
        sleep 30 & sleep 31 &
        jobs -r | wc -l
        kill %1 %2; wait %1; echo $?
        (kill -STOP $BASHPID; echo continued) &
        while ! jobs -s | grep -q Stopped; do sleep 0.01; done
        kill -CONT %%; wait
        f() { echo "f$1"; }; for i in {1..50}; do f $i; done | tail -1
        coproc cat; echo through >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; echo $line
        x=$(seq 1000 | sort -rn | head -1); echo $x
        trap 'echo trapped' USR1; kill -USR1 $$
        cat <<< here
    """)
    result = run(*view, "-w", scratch, "--env", f"TMPDIR={scratch}", cmd=["/bin/bash", "-c", line])
    assert result.out.split() == ["2", "143", "continued", "f50", "through", "1000", "trapped", "here"], result


def test_sqlite(view, scratch):
    needs("sqlite3")
    sql = ("pragma journal_mode=wal; create table t(a integer primary key, b text); begin; "
           "with recursive n(i) as (select 1 union all select i + 1 from n where i < 5000) insert into t select i, hex(randomblob(20)) from n; commit; "
           "select count(*), min(length(b)) from t; vacuum; pragma integrity_check;")
    result = run(*view, "-w", scratch, "--env", f"HOME={scratch}", cmd=["sqlite3", scratch / "db", sql])
    assert result.out.split() == ["wal", "5000|40", "ok"], result


@pytest.mark.parametrize("way", ["unix", "tcp"])
def test_redis(view, scratch, way):
    needs("redis-server")
    needs("redis-cli")
    client = f"redis-cli -s {scratch}/sock" if way == "unix" else "redis-cli -p 47323"
    listen = f"--port 0 --unixsocket {scratch}/sock" if way == "unix" else "--port 47323 --bind 127.0.0.1"
    options = [] if way == "unix" else ["--net-allow-bind", "47323", "--net-allow", "tcp://*:47323"]
    line = (f"redis-server {listen} --dir {scratch} --save '' --daemonize no --logfile {scratch}/log & server=$!; "
            f"for i in $(seq 100); do {client} ping >/dev/null 2>&1 && break; sleep 0.05; done; "
            f"for i in 1 2 3 4; do {client} incrby n $i >/dev/null & pids=\"$pids $!\"; done; wait $pids; {client} get n; "
            f"{client} rpush l a b c; {client} save; {client} shutdown nosave; wait $server; echo ended $?")
    result = run(*view, "-w", scratch, *options, "-r", "/proc", cmd=line)
    assert result.out.split() == ["10", "3", "OK", "ended", "0"], (result, (scratch / "log").read_text() if (scratch / "log").exists() else "")
    assert (scratch / "dump.rdb").exists()


def test_pipelines_of_coreutils(view, scratch):
    result = run(*view, "-w", scratch, cmd=f"cd {scratch} && seq 20000 > n && sort -R n | sort -n | md5sum && md5sum < n && tar cf t.tar n && tar xOf t.tar | "
                 "gzip | gunzip | tail -1 && find . -type f | sort | xargs -n1 -P2 wc -c | wc -l")
    out = result.out.split()
    assert result.status == 0 and out[0] == out[2] and out[4] == "20000" and out[5] == "2", result


@pytest.fixture
def elsewhere():
    """Not beneath /tmp, which several policies replace."""
    with tempfile.TemporaryDirectory(prefix="sandlock-e2e-", dir="/var/tmp") as path:
        yield pathlib.Path(path).resolve()


@pytest.mark.parametrize("policy, command, output", [
    ("python", [PYTHON, "-c", "import ssl, sqlite3, json, ctypes; print('imported')"], "imported"),
    ("node", ["node", "-p", "6*7"], "42"),
    ("shell-ro", ["/bin/sh", "-c", "ls /usr | head -1"], "bin"),
    ("default", ["/bin/sh", "-c", "echo ok"], "ok"),
    ("strict", ["/bin/echo", "ok"], "ok"),
    ("offline", ["/bin/echo", "ok"], "ok"),
    ("untrusted-binary", ["/bin/echo", "ok"], "ok"),
    ("c-toolchain", ["/bin/sh", "-c", "printf 'int main(){return 0;}' | gcc -x c - -o out && ./out && echo ok"], "ok"),
    ("build", ["/bin/sh", "-c", "printf 'all:\\n\\t@echo built\\n' | make -f -"], "built"),
])
def test_shipped_policies(policy, command, output, elsewhere):
    needs(command[0])
    (elsewhere / "home").mkdir()
    result = sandlock("run", "-p", policy, "--", *command, cwd=elsewhere, env=clean_environment(HOME=elsewhere / "home"))
    assert result.status == 0 and output in result.out.split(), result


@pytest.mark.parametrize("policy", ["python", "node", "default", "strict", "build", "c-toolchain", "shell-ro", "offline", "untrusted-binary"])
def test_shipped_policies_deny(policy, elsewhere):
    """What none of them may give away."""
    home = elsewhere / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "id_ed25519").write_text("CANARY\n")
    (elsewhere / "work").mkdir()
    line = (f"cat {home}/.ssh/id_ed25519; cat /etc/shadow; echo x > {home}/.bashrc; (: >> /etc/passwd) && echo root:opened; echo x > /usr/bin/planted; "
            f"kill -0 {os.getpid()}; ls /root")
    before = sorted(home.rglob("*"))
    result = execute([SANDLOCK, "run", "-p", policy, "--", "/bin/sh", "-c", line],
                     cwd=elsewhere / "work", env=clean_environment(HOME=home))
    assert "CANARY" not in result.out and "root:opened" not in result.out and (IS_ROOT or "root:" not in result.out), result
    assert sorted(home.rglob("*")) == before and not os.path.exists("/usr/bin/planted")

