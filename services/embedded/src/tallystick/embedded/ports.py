"""Free ports on loopback."""

import random
import socket

# Below the range from which the system takes the ports of outgoing connections (32768 on Linux): there, a connection could take
# a server's port while the server restarts.
_LOWEST, _HIGHEST = 20_000, 32_000


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port that nobody listens on now. Raises OSError if none was found."""
    for _ in range(1_000):
        port = random.randint(_LOWEST, _HIGHEST)  # noqa: S311  not a secret
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise OSError(f"found no free port between {_LOWEST} and {_HIGHEST} on {host}")
