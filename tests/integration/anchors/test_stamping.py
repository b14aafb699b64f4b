"""Time stamps by a real authority."""

import subprocess
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from cryptography import x509

from tallystick.embedded.tsa import Tsa
from tallystick.notary.anchors.errors import AnchoringError, RollbackError
from tallystick.notary.anchors.stamping import Stamper
from tallystick.trust.anchors.errors import AnchorError
from tallystick.trust.anchors.pins import TimestampAuthority
from tallystick.trust.anchors.receipts import StampReceipt, encode_receipt, parse_receipt
from tallystick.trust.anchors.rfc3161 import verify_stamp
from tallystick.trust.anchors.text import Head, encode_text
from tallystick.trust.anchors.verifying import verify_receipt

from .world import DECISIONS, GOVERNANCE, Bank


def pinned(tsa: Tsa) -> TimestampAuthority:
    """Return the authority as a trust policy pins it."""
    return TimestampAuthority("tsa1", (x509.load_pem_x509_certificate(tsa.root_pem.encode()),))


def openssl_verify(folder: Path, tsa: Tsa) -> str:
    """Return what `openssl ts -verify` says of the files `text` and `response`."""
    given = ["-data", f"{folder}/text", "-in", f"{folder}/response", "-CAfile", f"{tsa.directory}/root.pem"]
    done = subprocess.run(["openssl", "ts", "-verify", *given], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


async def test_one_stamp_covers_all_heads(bank: Bank, tsa: Tsa) -> None:
    """The text holds both logs' signed checkpoints; the same receipt lies beside each, and verifies for each."""
    stamper = Stamper(pinned(tsa), tsa.url, bank.store)
    assert await stamper.anchor(await bank.heads())
    heads = await bank.heads()
    receipts = [(await bank.anchors(origin).receipts(size))["tsa1"] for origin, size in ((DECISIONS, 3), (GOVERNANCE, 2))]
    assert receipts[0] == receipts[1]
    receipt = parse_receipt(receipts[0])
    assert isinstance(receipt, StampReceipt)
    assert receipt.text == encode_text(Head.of(head.note) for head in heads.values())
    for head in heads.values():
        anchor = verify_receipt(receipt, head.origin, head.size, {"tsa1": pinned(tsa)})
        assert anchor.root == head.checkpoint.root
        assert await bank.anchors(head.origin).checkpoint(head.size) == head.note
    await stamper.close()


async def test_openssl_agrees(bank: Bank, tsa: Tsa, tmp_path: Path) -> None:
    """`openssl ts -verify`, which is nobody of ours, takes what is kept."""
    stamper = Stamper(pinned(tsa), tsa.url, bank.store)
    await stamper.anchor(await bank.heads())
    receipt = parse_receipt((await bank.anchors().receipts(3))["tsa1"])
    assert isinstance(receipt, StampReceipt)
    (tmp_path / "text").write_bytes(receipt.text)
    (tmp_path / "response").write_bytes(receipt.response)
    assert "Verification: OK" in openssl_verify(tmp_path, tsa)
    await stamper.close()


async def test_nothing_new_is_not_stamped_again(bank: Bank, tsa: Tsa) -> None:
    """The log that grew gets a receipt, the one that did not keeps its first."""
    stamper = Stamper(pinned(tsa), tsa.url, bank.store)
    await stamper.anchor(await bank.heads())
    first = await bank.anchors(GOVERNANCE).receipts(2)
    bank.grow(DECISIONS, 300)
    assert await stamper.anchor(await bank.heads())
    assert await bank.anchors().sizes() == [3, 303]
    assert await bank.anchors(GOVERNANCE).receipts(2) == first
    await stamper.close()


async def test_another_root_is_refused_before_anything_is_kept(bank: Bank, tsa: Tsa, tmp_path: Path) -> None:
    """An authority that does not lead to the pinned root is said, and leaves no receipt."""
    stranger = Tsa(tmp_path)
    stranger.make_keys()
    stamper = Stamper(pinned(stranger), tsa.url, bank.store)
    with pytest.raises(AnchoringError, match="tsa1: its answer is refused"):
        await stamper.anchor(await bank.heads())
    assert await bank.anchors().sizes() == []
    await stamper.close()


async def test_no_changed_bit_of_a_real_stamp_passes(bank: Bank, tsa: Tsa) -> None:
    """Every byte that openssl wrote counts."""
    stamper = Stamper(pinned(tsa), tsa.url, bank.store)
    await stamper.anchor(await bank.heads())
    receipt = parse_receipt((await bank.anchors().receipts(3))["tsa1"])
    assert isinstance(receipt, StampReceipt)
    for at in range(len(receipt.response)):
        response = receipt.response[:at] + bytes([receipt.response[at] ^ 1]) + receipt.response[at + 1 :]
        with pytest.raises(AnchorError):
            verify_stamp(receipt.request, response, receipt.text, pinned(tsa).roots)
    await stamper.close()


class Broken(BaseHTTPRequestHandler):
    """Answers wrongly, each path in a way of its own."""

    def do_POST(self) -> None:
        """Answer."""
        self.rfile.read(int(self.headers["content-length"]))
        status, media_type, body = {
            "/busy": (503, "text/plain", b"busy"),
            "/html": (200, "text/html", b"<p>welcome"),
            "/large": (200, "application/timestamp-reply", bytes(100_000)),
            "/rejected": (200, "application/timestamp-reply", bytes.fromhex("30053003020102")),
        }[self.path]
        self.send_response(status)
        self.send_header("content-type", media_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def broken() -> Iterator[str]:
    """Run a server that is no authority."""
    with HTTPServer(("127.0.0.1", 0), Broken) as server:
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/busy", "HTTP status 503"),
        ("/html", "not a application/timestamp-reply"),
        ("/large", "more than 65,536 bytes"),
        ("/rejected", r"did not grant the time stamp \(status 2\)"),
    ],
)
async def test_wrong_answers_are_said(bank: Bank, tsa: Tsa, broken: str, path: str, words: str) -> None:
    """Whatever comes instead of a stamp is an AnchoringError with the authority's name."""
    stamper = Stamper(pinned(tsa), f"{broken}{path}", bank.store)
    with pytest.raises(AnchoringError, match=f"tsa1: .*{words}"):
        await stamper.anchor(await bank.heads())
    await stamper.close()


async def test_after_a_restart_a_log_is_held_to_its_anchors(bank: Bank, tsa: Tsa) -> None:
    """What is published must extend the largest anchored head: a log that was rewritten meanwhile is not stamped."""
    pin = pinned(tsa)
    stamper = Stamper(pin, tsa.url, bank.store)
    await stamper.anchor(await bank.heads())
    await stamper.close()
    bank.grow(DECISIONS, 5)
    head = await bank.published(DECISIONS, {"tsa1": pin}).read()
    assert head is not None
    assert head.size == 8
    bank.publish(DECISIONS, 8, bytes(32))
    with pytest.raises(RollbackError, match="8 entries do not extend the 3 before"):
        await bank.published(DECISIONS, {"tsa1": pin}).read()
    bank.publish(DECISIONS, 2, bytes(32))
    with pytest.raises(RollbackError, match="shrank from 3 to 2"):
        await bank.published(DECISIONS, {"tsa1": pin}).read()


async def test_a_receipt_that_cannot_be_read_holds_up_nobody(bank: Bank, tsa: Tsa) -> None:
    """A kept receipt that is no receipt, or of another authority of that name, tells nothing of the log."""
    await bank.anchors().keep(9, b"note", "tsa1", b"{}")
    assert await bank.published(DECISIONS, {"tsa1": pinned(tsa)}).read() is not None
    await bank.anchors().keep(9, b"note", "tsa1", encode_receipt(StampReceipt("tsa1", b"text", b"0", b"0")))
    assert await bank.published(DECISIONS, {"tsa1": pinned(tsa)}).read() is not None
