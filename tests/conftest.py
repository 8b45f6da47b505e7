import ctypes
import os
import pathlib
import subprocess
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "lib"))
sys.dont_write_bytecode = True

import sandbox  # noqa: E402


def pytest_report_header(config):
    return f"program under test: {sandbox.SANDLOCK}, as {'root' if sandbox.IS_ROOT else 'uid %d' % os.geteuid()}"


@pytest.fixture(scope="session", autouse=True)
def program():
    """Nothing is skipped because the program is missing: that is a failure."""
    if os.environ.get("SANDLOCK_CONTROLS_ONLY") == "1":
        return
    if not os.access(sandbox.SANDLOCK, os.X_OK):
        pytest.exit(f"{sandbox.SANDLOCK} is not there: run ./build.sh first", returncode=3)


@pytest.fixture
def scratch(tmp_path_factory):
    """A directory of this test that a path inside a sandbox can name (no symlinks in its own name)."""
    with tempfile.TemporaryDirectory(prefix="sandlock-e2e-") as path:
        yield pathlib.Path(path).resolve()


@pytest.fixture
def mark():
    """Fails the test when anything that carries the mark is still alive at its end."""
    mark = sandbox.Mark()
    yield mark
    left = mark.leftovers()
    for pid, _ in left:
        try:
            os.kill(pid, 9)
        except OSError:
            pass
    assert not left, f"left behind: {left}"


@pytest.fixture(scope="session")
def views():
    """Whether this host lets us build a kernel view; asked by doing, without the program under test."""
    probe = subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "--pid", "--fork", "--mount-proc", "true"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return probe.returncode == 0


@pytest.fixture(scope="session")
def landlock_abi():
    """What landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) says."""
    return ctypes.CDLL(None).syscall(444, None, 0, 1)


@pytest.fixture
def needs_view(views):
    if not views:
        pytest.skip("unshare --user --mount --pid --mount-proc fails on this host: no kernel view")


@pytest.fixture(params=["none", "private"])
def view(request):
    """The options of a run without a kernel view, and of one with it."""
    if request.param == "private":
        request.getfixturevalue("needs_view")
    return ["--view", request.param]


@pytest.fixture(scope="session")
def compiled(tmp_path_factory):
    """compile("name.c source") -> path of a static program, once per session."""
    base = tmp_path_factory.mktemp("compiled")
    base.chmod(0o755)

    def build(name, source, *flags):
        path = base / name
        if not path.exists():
            (base / f"{name}.c").write_text(source)
            subprocess.run(["gcc", "-static", "-O1", "-w", "-pthread", *flags, "-o", path, base / f"{name}.c"], check=True)
        return path

    return build
