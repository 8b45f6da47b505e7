"""
The three-way harness. Each case of probes/*.c is run unconfined (it must succeed, else it proves nothing), confined in every mode (it must
be stopped with a documented errno), and with its benign twin confined (which must work). Afterwards the oracle looks at the host.
"""

import os
import re
import socket

import pytest

import sandbox
import world as worlds

MODES = {
    "supervised": ["--view", "none", "-P", "200", "-t", "30"],
    "view": ["--view", "private", "-P", "200", "-t", "30"],
    "kernel": ["--no-supervisor"],
}
CASES = worlds.all_cases()
BY_ID = {case.id: case for case in CASES}
DIFFERENCES = worlds.differences()


@pytest.fixture(scope="session")
def probes(tmp_path_factory):
    directory = tmp_path_factory.mktemp("probes")
    directory.chmod(0o755)
    worlds.build_probes(directory)
    return directory


@pytest.fixture(scope="session")
def control_world(probes):
    made = worlds.World(probes)
    yield made
    made.close()


@pytest.fixture(scope="session")
def guest_world(probes):
    made = worlds.World(probes)
    yield made
    made.close()


@pytest.fixture(scope="session")
def control(control_world):
    """control(case) -> Result, once per case."""
    seen = {}

    def once(case):
        if case.id not in seen:
            control_world.reset()
            with inherited(case, control_world) as extra:
                seen[case.id] = sandbox.execute([control_world.bin / case.probe, "control", case.id],
                                                env=control_world.env("control"), timeout=30, **extra)
        return seen[case.id]

    return once


class inherited:
    """Cases whose name says so start with descriptors that a careless caller left open."""

    def __init__(self, case, world):
        self.case, self.world, self.fds = case, world, []

    def __enter__(self):
        if "inherited" not in self.case.id:
            return {}
        secret = os.open(self.world.base / "out" / "secret", os.O_RDWR)
        directory = os.open(self.world.base / "out", os.O_RDONLY | os.O_DIRECTORY)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(f"\0sandlock-left-open-{os.getpid()}")
        listener.listen(1)
        server = socket.create_server(("127.0.0.1", 0))
        client, caller = socket.create_connection(server.getsockname()), socket.socket(socket.AF_UNIX)
        caller.connect(listener.getsockname())
        self.fds = [secret, directory, *(s.detach() for s in (listener, server, client, caller)), *os.pipe()]
        return {"pass_fds": self.fds}

    def __exit__(self, *_):
        for fd in self.fds:
            os.close(fd)


def verdict(result):
    found = re.search(r"^verdict \S+ (\w+)$", result.out, re.M)
    return found.group(1) if found else "none"


def skipped(result):
    if result.status == 77:
        pytest.skip(re.search(r"^skip (.*)$", result.out, re.M).group(1))


@pytest.mark.parametrize("id", BY_ID)
def test_control(id, control):
    """Unconfined the attack works, so that stopping it means something."""
    result = control(BY_ID[id])
    skipped(result)
    assert result.status in (0, 78), f"{id} proves nothing: its control does not work\n{result}"


def confined(mode, case, world, what):
    options = list(MODES[mode])
    if "-P" in case.flags.split() and "-P" in options:
        del options[options.index("-P"):options.index("-P") + 2]
    with inherited(case, world) as extra:
        return sandbox.sandlock("run", *world.grants(case), *options, "--", world.bin / case.probe, what, case.id,
                                env=world.env(mode), timeout=60, **extra)


@pytest.mark.parametrize("id", BY_ID)
@pytest.mark.parametrize("mode", MODES)
def test_attack(mode, id, control, guest_world, views):
    case = BY_ID[id]
    skipped(control(case))
    if mode == "view" and not views:
        pytest.skip("unshare --user --mount --pid fails on this host: no kernel view")
    assert control(case).status in (0, 78), "void: the control does not work, see test_control"
    known = DIFFERENCES.get((id, mode))
    if known == "not possible":
        refused = confined(mode, case, guest_world, "attack")
        assert refused.status == 125 and verdict(refused) == "none" and refused.err, f"differences.md: mode {mode} cannot be asked for {id}\n{refused}"
        return

    result = confined(mode, case, guest_world, "attack")
    complaints = guest_world.oracle(result)
    if complaints:
        guest_world.reset()
    skipped(result)
    if known and known != "twin broken":
        assert verdict(result) == known, f"differences.md says {known} in mode {mode}; correct it\n{result}"
        return
    assert verdict(result) == "stopped", f"{id} in mode {mode}: {verdict(result)}\n{result}"
    assert not complaints, f"{id} in mode {mode}: " + "\n".join(complaints) + f"\n{result}"

    twin = confined(mode, case, guest_world, "twin")
    skipped(twin)
    if known == "twin broken":
        assert verdict(twin) == "broken", f"differences.md says that the legitimate use fails in mode {mode}; correct it\n{twin}"
        return
    assert verdict(twin) == "works", f"{id} in mode {mode}: the legitimate use does not work\n{twin}"
    complaints = guest_world.oracle(twin)
    if complaints:
        guest_world.reset()
    assert not complaints, f"{id} in mode {mode}, twin: " + "\n".join(complaints) + f"\n{twin}"


def test_every_difference_names_a_case():
    for id, mode in DIFFERENCES:
        assert id in BY_ID and mode in MODES, f"differences.md names {id} in mode {mode}"
