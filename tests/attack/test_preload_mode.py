"""Group Q: the preload library and its wrapper."""

import os
import shutil
import subprocess

import pytest

import sandbox
from sandbox import PRELOAD, PYTHON, SYSTEM, clean_environment, execute, sandlock


@pytest.fixture
def trees(scratch):
    for name in ("ro", "out"):
        (scratch / name).mkdir()
        (scratch / name / "file").write_text(f"{name}\n")
    return scratch


def preload(*options, cmd, **kwargs):
    return sandlock("preload", *SYSTEM, *options, "--", *cmd, **kwargs)


def test_confined(trees):
    code = f"print(open('{trees}/ro/file').read(), end='')\ntry:\n    open('{trees}/out/file'); print('escaped')\nexcept PermissionError: print('denied')"
    result = preload("-r", trees / "ro", cmd=[PYTHON, "-I", "-c", code])
    assert (result.status, result.out) == (0, "ro\ndenied\n"), result


@pytest.mark.parametrize("options", [[], ["--exec"], ["--verify"], ["--outer", "none"], ["--exec", "--outer", "none"]])
def test_Q04_Q07_children_and_raw_calls(trees, options):
    """A child without LD_PRELOAD, and a static one with raw system calls, are as confined."""
    result = preload("-r", trees / "ro", *options, cmd=["/usr/bin/env", "-i", "/bin/sh", "-c", f"cat {trees}/ro/file; cat {trees}/out/file; exit 3"])
    assert result.status == 3 and result.out == "ro\n", result


def test_Q04_static_child(trees, compiled):
    program = compiled("rawopen", f'#include <fcntl.h>\n#include <stdio.h>\n#include <errno.h>\nint main(int c,char**v){{int f=open(v[1],O_RDONLY);printf("%d\\n",f<0?errno:0);return 0;}}')
    result = preload("-r", program, cmd=["/bin/sh", "-c", f"{program} {trees}/out/file"])
    assert result.out == "13\n", result


def test_Q01_static_program_is_refused(trees, compiled):
    program = compiled("static", '#include <stdio.h>\nint main(){puts("started");return 0;}')
    result = preload("-r", program, cmd=[program])
    assert result.status == 125 and not result.out and "static" in result.err, result


def test_Q01_script_of_a_static_interpreter(trees, compiled):
    program = compiled("static", '#include <stdio.h>\nint main(){puts("started");return 0;}')
    script = trees / "ro" / "script"
    script.write_text(f"#!{program}\n")
    script.chmod(0o755)
    result = preload("-r", program, "-r", trees / "ro", cmd=[script])
    assert result.status == 125 and not result.out, result


def test_Q01_script_chain(trees):
    script = trees / "ro" / "script"
    script.write_text("#!/usr/bin/env sh\necho ran; cat $1\n")
    script.chmod(0o755)
    result = preload("-r", trees / "ro", cmd=[script, trees / "out" / "file"])
    assert result.out == "ran\n", result


def test_Q01_foreign_class(trees, scratch):
    """A 32-bit program would load nothing and run unconfined."""
    header = bytearray(b"\x7fELF\x01\x01\x01" + b"\0" * 9 + b"\x02\0\x03\0\x01\0\0\0" + b"\0" * 28)
    (scratch / "i386").write_bytes(header + b"\0" * 100)
    (scratch / "i386").chmod(0o755)
    result = preload("-r", scratch, cmd=[scratch / "i386"])
    assert result.status in (125, 126), result


def test_Q01_set_user_id_program(trees):
    path = next((p for p in ("/usr/bin/passwd", "/usr/bin/su", "/usr/bin/mount") if os.path.exists(p) and os.stat(p).st_mode & 0o4000), None)
    if not path:
        pytest.skip("no set-user-ID program in /usr/bin (passwd, su, mount)")
    result = preload(cmd=[path, "--help"])
    assert result.status != 124, result  # NNP first: no privilege is gained, the library loads
    result = preload("-r", "/proc", cmd=["/bin/grep", "NoNewPrivs:\t1", "/proc/self/status"])
    assert result.status == 0, result


def test_Q03_threads_of_an_earlier_library(trees, scratch, compiled):
    """A second thread before the constructor: confined as well, or refused; never half."""
    (scratch / "threads.c").write_text(
        "#include <pthread.h>\n#include <unistd.h>\n#include <fcntl.h>\n#include <stdio.h>\n"
        f'static void *look(void *unused){{usleep(300000);int f=open("{trees}/out/file",O_RDONLY);printf("%s\\n",f<0?"denied":"escaped");fflush(stdout);return 0;}}\n'
        "__attribute__((constructor)) static void early(void){pthread_t t;pthread_create(&t,0,look,0);}\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-pthread", "-o", scratch / "threads.so", scratch / "threads.c"], check=True)
    result = preload("-r", scratch / "threads.so", "--outer", "none", cmd=["/bin/sleep", "0.6"], env=clean_environment(LD_PRELOAD=scratch / "threads.so"))
    assert "escaped" not in result.out, result
    assert result.status in (0, 125), result


def test_Q08_nothing_is_disturbed(trees, scratch):
    code = ("import os, signal, json, resource\n"
            "fds = [f for f in range(64) if os.path.exists(f'/proc/self/fd/{f}')]\n"
            "print(json.dumps([sorted((k, v) for k, v in os.environ.items() if k != 'LC_CTYPE' and not k.startswith('SANDLOCK')), fds, sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))), "
            "os.getcwd(), resource.getrlimit(resource.RLIMIT_NOFILE), os.umask(0)]))")
    env = clean_environment()
    words = [PYTHON, "-I", "-c", code]
    plain = execute(words, env=env, cwd=scratch)
    inside = preload("-r", scratch, "-r", "/proc", cmd=words, env=env, cwd=scratch)
    assert inside.out == plain.out, (plain, inside)


def test_Q08_ld_preload_of_the_caller_stays(trees, scratch):
    (scratch / "other.c").write_text("int other;\n")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", scratch / "other.so", scratch / "other.c"], check=True)
    result = preload("-r", scratch, cmd=["/bin/sh", "-c", "echo $LD_PRELOAD"], env=clean_environment(LD_PRELOAD=scratch / "other.so"))
    assert result.out.strip() == str(scratch / "other.so"), result


@pytest.mark.parametrize("variables, started", [
    ({}, True),  # nothing asked for: it does nothing
    ({"SANDLOCK_CONFINE": "/no/such/file"}, False), ({"SANDLOCK_CONFINE": "relative"}, False), ({"SANDLOCK_CONFINE": "/etc/passwd"}, False),
    ({"SANDLOCK_CONFINE": "/dev/zero"}, False), ({"SANDLOCK_CONFINE": ""}, None), ({"SANDLOCK_CONFINE_FD": "99"}, False),
    ({"SANDLOCK_CONFINE_FD": "x"}, False), ({"SANDLOCK_CONFINE_FD": "0"}, False), ({"SANDLOCK_CONFINE_FD": "-1"}, False),
])
def test_library_alone_fails_closed(variables, started):
    result = execute(["/bin/echo", "started"], env=clean_environment(LD_PRELOAD=PRELOAD, **variables), timeout=10)
    if started is None:
        assert result.status in (0, 125)
    elif started:
        assert (result.status, result.out, result.err) == (0, "started\n", ""), result
    else:
        assert result.status == 125 and not result.out and "sandlock" in result.err, result


def compiled_policy(scratch):
    policy = scratch / "p.yaml"
    policy.write_text("version: 1\nfilesystem:\n  read: [/usr, /bin, /lib]\n  read_if_exists: [/lib64, /etc]\n")
    policy.chmod(0o600)
    made = scratch / "p.slpc"
    result = sandlock("policy", "compile", policy, "-o", made)
    assert result.status == 0, result
    made.chmod(0o600)
    return made


def by_path(path, *words, **env):
    return execute(list(words) or ["/bin/sh", "-c", "echo started; cat /etc/hostname >/dev/null && cat /var/lib/dpkg/status"],
                   env=clean_environment(LD_PRELOAD=PRELOAD, SANDLOCK_CONFINE=path, **env), timeout=10)


def test_library_with_a_compiled_policy(scratch):
    result = by_path(compiled_policy(scratch))
    assert result.out == "started\n" and "denied" in result.err, result


@pytest.mark.parametrize("damage", ["short", "empty", "flipped", "world-writable", "symlink", "fifo", "directory"])
def test_library_with_a_damaged_policy(scratch, damage):
    path = compiled_policy(scratch)
    data = path.read_bytes()
    if damage == "short":
        path.write_bytes(data[:-1])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "world-writable":
        path.chmod(0o666)
    elif damage == "flipped":
        for at in range(0, len(data), max(1, len(data) // 50)):
            if 112 <= at < 144:
                continue  # the place of a tag with the user's key, which a compiled file does not carry
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1:])
            result = by_path(path, "/bin/echo", "started")
            assert result.status == 125 and not result.out, (at, result)
        return
    else:
        path.unlink()
        if damage == "fifo":
            os.mkfifo(path, 0o600)
        elif damage == "directory":
            path.mkdir()
        else:
            (scratch / "real").write_bytes(data)
            (scratch / "real").chmod(0o600)
            path.symlink_to(scratch / "real")
    result = by_path(path)
    assert result.status == 125 and not result.out, result


def test_library_has_no_dependencies():
    out = subprocess.run(["readelf", "-dW", PRELOAD], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert "NEEDED" not in out and "TEXTREL" not in out
    symbols = subprocess.run(["readelf", "--dyn-syms", "-W", PRELOAD], stdout=subprocess.PIPE, text=True, check=True).stdout
    undefined = [line for line in symbols.splitlines() if " UND " in line and "WEAK" not in line and not line.rstrip().endswith("UND")]
    assert not undefined, undefined
    assert os.path.getsize(PRELOAD) < 64 << 10


def test_Q05_musl_program(trees, scratch):
    if not shutil.which("musl-gcc"):
        pytest.skip("musl-gcc is not installed")
    (scratch / "m.c").write_text('#include <stdio.h>\n#include <fcntl.h>\nint main(int c,char**v){puts(open(v[1],O_RDONLY)<0?"denied":"escaped");return 0;}')
    subprocess.run(["musl-gcc", "-o", scratch / "m", scratch / "m.c"], check=True)
    result = preload("-r", scratch / "m", cmd=[scratch / "m", trees / "out" / "file"])
    assert (result.status, result.out) == (0, "denied\n"), result


@pytest.mark.parametrize("option", [["-P", "5"], ["-t", "5"], ["--view", "private"], ["--hostname", "x"], ["--fs-mount", "/mnt:/usr"]])
def test_supervised_options_are_refused(option):
    result = preload(*option, cmd=["/bin/echo", "started"])
    assert result.status in (2, 125) and not result.out, result


def test_environment_and_limits_are_applied():
    result = preload("--env", "A=b", "--max-open-files", "50", "--cwd", "/usr", cmd=["/bin/sh", "-c", "echo $A $(ulimit -n) $(pwd)"])
    assert result.out == "b 50 /usr\n", result
