"""A witness as a process: a dialogue over HTTP, its memory over restarts, its signals."""

import asyncio
import json
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tallystick.merkle.notes import Note, SignatureLine, open_note
from tallystick.witness.decision import log_id
from tallystick.witness.request import MAX_REQUEST_SIZE
from tallystick.witness.server import listen

from ...unit.witness.logs import Log
from .processes import Installation, ask, url

LOG = Log()
LATEST = f"/{log_id(LOG.origin)}/checkpoint"


def wait_until(holds: Callable[[], bool], timeout_s: float = 20) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_dialogue(installation: Installation) -> None:
    """Each status once, as the specification has them; what is cosigned is served with the log's signature and ours."""
    witness = installation.start()
    assert httpx.get(url(witness) + LATEST).status_code == 404
    begun_s = int(time.time())
    answer = ask(witness, LOG.request(0, 5))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    line = SignatureLine.parse(answer.text.removesuffix("\n"))
    time_s = installation.verifier.verify(LOG.text(5), line.signature)
    assert time_s is not None
    assert begun_s <= time_s <= time.time()
    served = httpx.get(url(witness) + LATEST)
    note, signers = open_note(served.content, [LOG.key, installation.verifier])
    assert (served.status_code, note.text, signers) == (200, LOG.text(5), [LOG.key, installation.verifier])

    conflict = ask(witness, LOG.request(0, 8))
    assert (conflict.status_code, conflict.text, conflict.headers["content-type"]) == (409, "5\n", "text/x.tlog.size")
    assert ask(witness, LOG.request(5, 8)).status_code == 200
    for status, body in {
        400: LOG.request(9, 8),
        404: Log("nobody.example/log").request(0, 5),
        403: LOG.request(8, 9).replace(LOG.text(9), LOG.text(10)),
        422: LOG.request(8, 12, "false"),
        413: bytes(MAX_REQUEST_SIZE + 1),
    }.items():
        refused = ask(witness, body)
        assert refused.status_code == status
        assert refused.headers["content-type"] == "text/plain; charset=utf-8"
        assert refused.text.endswith("\n")
    assert ask(witness, LOG.request(8, 8, "false")).status_code == 422
    assert Note.parse(httpx.get(url(witness) + LATEST).content).text == LOG.text(8)
    assert witness.stop() == 0


def test_memory_outlives_the_process(installation: Installation) -> None:
    """Stopped, killed, started again: it goes on where it was."""
    for size, end in ((3, "stop"), (5, "kill"), (8, "stop")):
        witness = installation.start()
        assert ask(witness, LOG.request({3: 0, 5: 3, 8: 5}[size], size)).status_code == 200
        getattr(witness, end)()
    witness = installation.start()
    assert ask(witness, LOG.request(0, 1, "false")).text == "8\n"


def test_other_paths_and_methods(on_sqlite: Installation) -> None:
    """Ids that are none, other methods, other paths: plain HTTP errors."""
    witness = on_sqlite.start()
    ask(witness, LOG.request(0, 5))
    for path in (
        "/checkpoint",
        "/x/checkpoint",
        LATEST.upper(),
        f"/{'0' * 64}/checkpoint",
        LATEST + "/",
        "/",
        "/add-checkpoint/",
    ):
        assert httpx.get(url(witness) + path).status_code == 404
    assert httpx.get(f"{url(witness)}/add-checkpoint").status_code == 405
    assert httpx.head(url(witness) + LATEST).status_code == 200


def test_health_and_metrics(on_sqlite: Installation) -> None:
    """Who it is, which logs it knows, how the state does, and how many requests had which answer."""
    witness = on_sqlite.start()
    ask(witness, LOG.request(0, 5))
    ask(witness, LOG.request(0, 5))
    ask(witness, LOG.request(5, 5, "false"))
    health = httpx.get(f"{url(witness)}/health").json()
    assert health == {
        "service": "witness",
        "witness": str(on_sqlite.verifier),
        "live": True,
        "ready": True,
        "state": "ok",
        "logs_file": "ok",
        "logs": [LOG.origin],
    }
    assert httpx.get(f"{url(witness)}/health/live").status_code == 200
    metrics = httpx.get(f"{url(witness)}/metrics").text.splitlines()
    for line in (
        'tallystick_witness_requests_total{status="200"} 1.0',
        'tallystick_witness_requests_total{status="409"} 1.0',
        'tallystick_witness_requests_total{status="422"} 1.0',
        "tallystick_witness_forks_total 1.0",
        "tallystick_witness_request_seconds_count 3.0",
        "tallystick_witness_logs 1.0",
        'tallystick_component_up{component="state"} 1.0',
    ):
        assert line in metrics


def test_a_fork_is_kept_in_the_log(on_sqlite: Installation) -> None:
    """Both notes stand in the line, each signed by the log: evidence that needs nobody's word."""
    witness = on_sqlite.start()
    ask(witness, LOG.request(0, 5))
    ask(witness, LOG.request(5, 5, "false"))
    lines = [json.loads(line) for line in witness.child.log_file.read_text().splitlines()]
    (line,) = [line for line in lines if "two trees" in line["message"]]
    for field, history in (("cosigned_last", "true"), ("submitted", "false")):
        note, signers = open_note(line[field].encode(), [LOG.key])
        assert (note.text, signers) == (LOG.text(5, history), [LOG.key])


@pytest.mark.parametrize("how", ["change", "hangup"])
def test_the_list_of_logs_is_read_again(on_sqlite: Installation, how: str) -> None:
    """Another log, without a restart; a log that is taken out is refused, but what was cosigned for it is still served."""
    other = Log("go.sum database tree", key_name="sum.example")
    witness = on_sqlite.start()
    assert ask(witness, LOG.request(0, 5)).status_code == 200
    assert ask(witness, other.request(0, 5)).status_code == 404
    before = on_sqlite.logs_file.stat()
    on_sqlite.write_logs(other)
    if how == "hangup":
        witness.send(signal.SIGHUP)
    assert before.st_mtime_ns != on_sqlite.logs_file.stat().st_mtime_ns
    wait_until(lambda: ask(witness, other.request(0, 5)).status_code in {200, 409}, 1.0 if how == "hangup" else 20)
    assert ask(witness, LOG.request(5, 8)).status_code == 404
    assert httpx.get(url(witness) + LATEST).status_code == 200
    assert witness.is_alive


def test_a_bad_list_of_logs_changes_nothing(on_sqlite: Installation) -> None:
    """The one before it stays in force; every bad line is in the log and in /health; putting it right puts that right."""
    witness = on_sqlite.start()
    on_sqlite.logs_file.write_text(f"log nonsense\nlog {LOG.key}\nlot {LOG.key}\n")
    witness.send(signal.SIGHUP)

    def said() -> str:
        return str(httpx.get(f"{url(witness)}/health").json()["logs_file"])

    wait_until(lambda: "line 1: " in said() and "line 3: " in said())
    assert ask(witness, LOG.request(0, 5)).status_code == 200
    assert httpx.get(f"{url(witness)}/health/ready").status_code == 200
    assert "line 1: " in witness.child.log_file.read_text()
    on_sqlite.logs_file.unlink()
    wait_until(lambda: "No such file" in said())
    on_sqlite.write_logs(LOG)
    wait_until(lambda: said() == "ok")
    assert ask(witness, LOG.request(5, 8)).status_code == 200


def test_a_lost_memory_stops_the_witness(on_sqlite: Installation, tmp_path: Path) -> None:
    """A state restored from an old backup is found out by the witness's own newer cosignature; it cosigns no more, and ends."""
    witness = on_sqlite.start()
    ask(witness, LOG.request(0, 5))
    witness.stop()
    backup = (tmp_path / "state").read_bytes()
    time.sleep(1)  # a cosignature tells its time in seconds
    witness = on_sqlite.start()
    newer = Note.parse(LOG.checkpoint(8))
    line = ask(witness, LOG.request(5, 8)).text
    witness.stop()
    (tmp_path / "state").write_bytes(backup)
    witness = on_sqlite.start()
    cosigned = Note(newer.text, (*newer.signatures, SignatureLine.parse(line.strip()))).encode()
    assert ask(witness, LOG.request(5, 8).replace(newer.encode(), cosigned)).status_code == 500
    assert ask(witness, LOG.request(5, 8)).status_code == 503
    wait_until(lambda: not witness.is_alive)
    assert witness.exit_code == 2
    assert "the state has lost what this key has cosigned" in witness.child.log_tail()


def test_a_slow_body_is_not_waited_for(on_sqlite: Installation) -> None:
    """A body that trickles in is given up with 408; meanwhile others are answered."""
    witness = on_sqlite.start(CLIENT_TIMEOUT_S="2")
    with _connected(url(witness)) as slow:
        slow.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nContent-Length: 100\r\n\r\nold 0")
        assert ask(witness, LOG.request(0, 5)).status_code == 200
        slow.settimeout(30)
        assert slow.recv(1000).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("before", [b"", b"GET /health/live HTTP/1.1\r\nHost: w\r\n\r\n"])
@pytest.mark.parametrize("trickle", [b"", b"X"])
def test_a_connection_that_asks_nothing_is_dropped(on_sqlite: Installation, before: bytes, trickle: bytes) -> None:
    """A head that never comes, or trickles in, does not keep a connection; nor does one that has asked once."""
    witness = on_sqlite.start(CLIENT_TIMEOUT_S="1")
    with _connected(url(witness)) as slow:
        slow.settimeout(0.2)
        slow.sendall(before)
        deadline = time.monotonic() + 60
        while not _ended(slow, trickle):
            assert time.monotonic() < deadline


async def test_no_answer_waits_for_an_acknowledgement() -> None:
    """Nagle's algorithm is off on every connection: with a client that delays its ACK it costs 40 ms an answer."""
    found: asyncio.Queue[int] = asyncio.Queue()

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.put_nowait(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(serve, sock=listen("127.0.0.1", 0)) as server:
        _, client = await asyncio.open_connection(*server.sockets[0].getsockname())
        assert await found.get() != 0
        client.close()
        await client.wait_closed()


def test_too_many_connections_are_refused(on_sqlite: Installation) -> None:
    """Beyond the limit a request is answered 503 at once; when the others have gone, all is well."""
    witness = on_sqlite.start(MAX_CONNECTIONS="5")
    with httpx.Client() as client:
        idle = [_connected(url(witness)) for _ in range(5)]
        wait_until(lambda: client.post(f"{url(witness)}/add-checkpoint", content=LOG.request(0, 5)).status_code == 503)
        for connection in idle:
            connection.close()
        wait_until(lambda: client.post(f"{url(witness)}/add-checkpoint", content=LOG.request(0, 5)).status_code == 200)


def test_rights_of_files(on_sqlite: Installation, tmp_path: Path) -> None:
    """The key and the state are the owner's alone, whatever the umask."""
    on_sqlite.start()
    for name in ("key", "state"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def _connected(address: str) -> socket.socket:
    host, _, port = address.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)))


def _ended(connection: socket.socket, trickle: bytes) -> bool:
    try:
        connection.sendall(trickle)
        return connection.recv(1000) == b""
    except TimeoutError:
        return False
    except OSError:
        return True
