"""Proof files, receipts and entries over HTTP, verified with the auditor's own trust policy."""

import httpx
import pytest

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import leaf_hashes
from tallystick.merkle.receipts import ConsistencyReceipt, parse_receipt, verify_consistency_receipt
from tallystick.merkle.tiles import TileBuilder
from tallystick.trust.log_proofs import VerifiedLogProof, verify_log_proof

from .test_api import problem
from .world import PUBLISHED, SIGNED_FOR_RECEIPTS, World


def proven(data: bytes, world: World, entry: bytes | None = None) -> VerifiedLogProof:
    """Verify an entry's proof."""
    verified = verify_log_proof(data, world.policy, entry)
    assert isinstance(verified, VerifiedLogProof)
    return verified


def test_a_proof_file_verifies(auditor: httpx.Client, world: World) -> None:
    """Against the newest checkpoint, and alone: its extra line is the entry."""
    answer = auditor.get("/v1/decisions/tx-plain/tlog-proof")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-disposition"] == 'inline; filename="decision-0-0.tlog-proof"'
    assert answer.headers["cache-control"] == "no-store"
    verified = proven(answer.content, world)
    assert (verified.index, verified.decision) == (0, world.named["plain"].decision)
    assert verified.size >= PUBLISHED


def test_a_receipt_verifies(auditor: httpx.Client, world: World) -> None:
    """Against the newest tree that was signed for receipts, older than the log is now; the entry comes beside it."""
    answer = auditor.get("/v1/decisions/tx%2Fwith%2Fslash/receipt")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == 'application/cose; cose-type="cose-sign1"'
    entry = auditor.get("/v1/decisions/tx%2Fwith%2Fslash/entry")
    assert (entry.status_code, entry.headers["content-type"]) == (200, "application/octet-stream")
    assert entry.content == world.named["slash"].entry
    verified = proven(answer.content, world, entry.content)
    assert (verified.index, verified.size) == (3, SIGNED_FOR_RECEIPTS)
    assert verified.decision == world.named["slash"].decision


def test_both_by_place(auditor: httpx.Client, world: World) -> None:
    """Rejected records too, which no transaction id finds."""
    made = world.named["rejected"]
    entry = auditor.get("/v1/positions/1/1/entry").content
    assert entry == made.entry
    assert proven(auditor.get("/v1/positions/1/1/tlog-proof").content, world).decision == made.decision
    assert proven(auditor.get("/v1/positions/1/1/receipt").content, world, entry).decision == made.decision


def test_what_was_not_signed_for_receipts_has_none(auditor: httpx.Client, world: World) -> None:
    """An entry beyond the newest signed tree is told so, and has a proof file all the same."""
    place = "/v1/positions/0/450"
    body = problem(auditor.get(f"{place}/receipt"), 404, "no-receipt")
    assert "the proof file proves the same" in body["detail"]
    assert proven(auditor.get(f"{place}/tlog-proof").content, world).index >= SIGNED_FOR_RECEIPTS


@pytest.mark.parametrize("form", ["tlog-proof", "receipt", "entry"])
def test_unknown(auditor: httpx.Client, form: str) -> None:
    """As with bundles."""
    problem(auditor.get(f"/v1/decisions/tx-nowhere/{form}"), 404, "unknown")
    problem(auditor.get(f"/v1/decisions/tx-pending/{form}"), 404, "not-yet-logged")


def test_a_receipt_of_consistency_verifies(client: httpx.Client, world: World) -> None:
    """From the root of an older tree, as its checkpoint has it, to the signed one."""
    answer = client.get("/v1/logs/decisions/consistency-receipt", params={"first": 257})
    assert answer.status_code == 200, answer.text
    receipt = parse_receipt(answer.content)
    assert isinstance(receipt, ConsistencyReceipt)
    older, newer = (root(world, size) for size in (257, SIGNED_FOR_RECEIPTS))
    assert verify_consistency_receipt(receipt, older.root, world.policy.receipt_keys) == newer.root


def root(world: World, size: int) -> Checkpoint:
    """Return the head of an older tree of the decisions' log."""
    builder = TileBuilder()
    builder.append(leaf_hashes(world.decisions.entries[:size]))
    return Checkpoint(world.policy.origins["decisions"], size, builder.root())


def test_receipts_of_consistency_that_cannot_be(client: httpx.Client) -> None:
    """An unknown log, a size that nothing signed is larger than, and one that is beyond the log."""
    problem(client.get("/v1/logs/elsewhere/consistency-receipt", params={"first": 1}), 404, "unknown")
    problem(client.get("/v1/logs/decisions/consistency-receipt", params={"first": SIGNED_FOR_RECEIPTS}), 404, "no-receipt")
    problem(client.get("/v1/logs/decisions/consistency-receipt", params={"first": 10**6}), 404, "out-of-range")
    problem(client.get("/v1/logs/decisions/consistency-receipt", params={"first": 0}), 422, "invalid-request")


def test_the_stored_receipt_is_not_believed(client: httpx.Client) -> None:
    """A signed root that the log's own receipt key has not signed is never passed on."""
    problem(client.get("/v1/logs/governance/consistency-receipt", params={"first": 1}), 500, "inconsistent")
