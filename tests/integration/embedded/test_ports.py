"""Ports for servers that are started later: nobody else is given the same meanwhile."""

import subprocess
import sys

from tallystick.embedded import free_port

COUNT = 100


def test_no_port_is_given_twice() -> None:
    """Not by a process, and not by others that are started beside it.

    Fails if they are drawn by lot: of fifteen in twelve thousand two are the same once in a hundred chains.
    """
    ports = [free_port() for _ in range(2_000)]
    assert len(set(ports)) == len(ports)
    asked = f"from tallystick.embedded import free_port; print(*(free_port() for _ in range({COUNT})))"
    processes = [subprocess.Popen([sys.executable, "-c", asked], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    given = [process.communicate(timeout=60)[0].split() for process in processes]
    assert len({port for ports in given for port in ports}) == 3 * COUNT
