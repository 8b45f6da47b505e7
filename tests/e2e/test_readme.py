"""The examples of README.md, run as they stand."""

import os
import pathlib
import re
import subprocess

import pytest

from sandbox import SANDLOCK, clean_environment

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
EXAMPLE = re.compile(r"<!-- example: (\S+) -->\n```sh\n(.*?)```\n```output\n(.*?)```", re.S)
EXAMPLES = EXAMPLE.findall(README.read_text())


def test_there_are_five():
    assert len(EXAMPLES) >= 5


@pytest.mark.parametrize("name, command, output", EXAMPLES, ids=[name for name, _, _ in EXAMPLES])
def test_example(name, command, output, scratch):
    """In a directory of one's own, below a home directory."""
    (scratch / "home" / "here").mkdir(parents=True)
    env = clean_environment(HOME=scratch / "home", PATH=f"{os.path.dirname(SANDLOCK)}:{os.environ['PATH']}")
    done = subprocess.run(["/bin/sh", "-c", command], cwd=scratch / "home" / "here", env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    assert done.stdout == output, done.stderr
