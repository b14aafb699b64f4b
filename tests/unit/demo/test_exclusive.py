"""One demo at a time in a folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tallystick.cli.demo.exclusive import RunningError, alone_in

HOLD = """
import pathlib, sys
from tallystick.cli.demo.exclusive import alone_in
with alone_in(pathlib.Path(sys.argv[1])):
    print(flush=True)
    input()
"""


def test_a_second_is_refused_with_the_first_ones_name(tmp_path: Path) -> None:
    """While one holds the folder, another is told who; a holder that is killed holds nothing."""
    folder = tmp_path / "demo"
    with subprocess.Popen([sys.executable, "-c", HOLD, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(RunningError, match=rf"process {holder.pid}\); stop it first"), alone_in(folder):
            pass
        holder.kill()
    with alone_in(folder):
        assert (tmp_path / "demo.lock").read_text() == f"{os.getpid()}\n"
