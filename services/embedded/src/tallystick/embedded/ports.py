"""Free ports on loopback."""

import os
import socket
from functools import cache
from itertools import count, islice

# Below the range from which the system takes the ports of outgoing connections (32768 on Linux): there, a connection could take
# a server's port while the server restarts.
_LOWEST, _HIGHEST = 20_000, 32_000
_APART = 7_417
"""How far from each other processes begin whose numbers follow each other: the range's golden section, so any fifty are far."""


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody listens on now, another one each time: of those given before, some may not be in use yet.

    Other processes are given others, as far as their numbers are not far apart. Raises OSError if none was found.
    """
    for turn in islice(_turns(os.getpid()), _HIGHEST - _LOWEST):
        port = _LOWEST + turn % (_HIGHEST - _LOWEST)
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(f"found no free port between {_LOWEST} and {_HIGHEST} on {host}")


@cache
def _turns(process: int) -> "count[int]":
    return count(process * _APART)
