"""A TCP proxy that can be cut, for tests of servers that become unreachable."""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from typing import Self


class CuttableProxy:
    """Passes bytes between its own port on 127.0.0.1 and a server's, until `cut`; a context manager.

    What a client sends goes through `change` on its way, piece by piece. That the server has ended a connection is passed on
    after `linger_s`.
    """

    def __init__(
        self, target_port: int, change: Callable[[bytes], bytes] = lambda data: data, *, linger_s: float = 0.0
    ) -> None:
        self._target = ("127.0.0.1", target_port)
        self._change, self._linger_s = change, linger_s
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_cut = False
        self._last_words: bytes | None = None
        self._is_silent = False
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def cut(self) -> None:
        """Break every connection, and each new one at once."""
        with self._lock:
            self._is_cut = True
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def drop_answer_to(self, words: bytes) -> None:
        """Pass on the next piece that holds these words, and then `cut` before its answer: it is done, and nobody says so."""
        self._last_words = words

    def drop_answer(self) -> None:
        """Let what a client sends pass, and `cut` instead of passing on what comes back next."""
        self._is_silent = True

    def restore(self) -> None:
        """Pass bytes again, on new connections."""
        with self._lock:
            self._is_cut = False

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError), socket.create_connection(self._target) as far:
            with self._lock:
                if self._is_cut:
                    return
                self._open |= {near, far}
            back = threading.Thread(target=_pump, args=(far, near, self._allowed, self._linger_s), daemon=True)
            back.start()
            _pump(near, far, self._sent)
            back.join()
            with self._lock:
                self._open -= {near, far}

    def _sent(self, data: bytes) -> bytes:
        if self._last_words is not None and self._last_words in data:
            self._last_words, self._is_silent = None, True
        return self._change(data)

    def _allowed(self, data: bytes) -> bytes:
        if self._is_silent:
            self._is_silent = False
            self.cut()
            return b""
        return data


def _pump(source: socket.socket, sink: socket.socket, change: Callable[[bytes], bytes], linger_s: float = 0.0) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(change(data))
    time.sleep(linger_s)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
