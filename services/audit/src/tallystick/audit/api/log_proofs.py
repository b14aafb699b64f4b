"""A decision's proof in the log's own formats, for tools that know no proof bundle: by transaction, and by place.

Who may have which is as with proof bundles; see `decisions`.
"""

from typing import Any

from fastapi import APIRouter, Response

from tallystick.audit.api import examples, problems
from tallystick.audit.api.access import AUDITOR
from tallystick.audit.api.decisions import FAILURES, Partition, Reader, Sequence, TransactionId, find
from tallystick.audit.api.logs import LogName, Size, served_log
from tallystick.audit.api.state import Audit, Served
from tallystick.audit.entries import Place
from tallystick.audit.finding import Found
from tallystick.runtime.problems import Kind

PROOF_FILE = "text/plain; charset=utf-8"
RECEIPT = 'application/cose; cose-type="cose-sign1"'
ENTRY = "application/octet-stream"

router = APIRouter(prefix="/v1", tags=["proofs in the log's own formats"])


def _declared(description: str, media_type: str, example: str, *kinds: Kind) -> dict[int | str, dict[str, Any]]:
    schema = {"type": "string"} if media_type == PROOF_FILE else {"type": "string", "format": "binary"}
    content = {media_type.partition(";")[0]: {"schema": schema, "example": example}}
    return {200: {"description": description, "content": content}, **problems.declared(*kinds)}


def _proof_file(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    return _declared("A proof file (C2SP tlog-proof); its `extra` is the log entry", PROOF_FILE, examples.PROOF_FILE, *kinds)


def _receipt(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    return _declared("A COSE receipt (RFC 9942)", RECEIPT, examples.RECEIPT, problems.NO_RECEIPT, *kinds)


def _entry(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    return _declared("The log entry's exact bytes, a LogEntry", ENTRY, examples.ENTRY, *kinds)


@router.get("/decisions/{transaction_id:path}/tlog-proof", responses=_proof_file(*FAILURES), response_class=Response)
async def get_transaction_proof_file(audit: Served, caller: Reader, transaction_id: TransactionId) -> Response:
    """Return the newest decision on a transaction as a proof file: entry, inclusion, checkpoint with its cosignatures.

    It does not prove what the decision was made under; the proof bundle does.
    """
    return await _as_proof_file(audit, await find(audit, transaction_id, caller))


@router.get("/decisions/{transaction_id:path}/receipt", responses=_receipt(*FAILURES), response_class=Response)
async def get_transaction_receipt(audit: Served, caller: Reader, transaction_id: TransactionId) -> Response:
    """Return a COSE receipt of the newest decision on a transaction: inclusion under a root that the receipt key signed.

    It binds no witness, and does not hold the entry: ask for that beside it.
    """
    return await _as_receipt(audit, await find(audit, transaction_id, caller))


@router.get("/decisions/{transaction_id:path}/entry", responses=_entry(*FAILURES), response_class=Response)
async def get_transaction_entry(audit: Served, caller: Reader, transaction_id: TransactionId) -> Response:
    """Return the log entry of the newest decision on a transaction, which a receipt is about."""
    return await _as_entry(await find(audit, transaction_id, caller))


@router.get(
    "/positions/{partition}/{sequence}/tlog-proof",
    responses=_proof_file(*FAILURES),
    response_class=Response,
    dependencies=[AUDITOR],
)
async def get_proof_file_at(audit: Served, partition: Partition, sequence: Sequence) -> Response:
    """Return the decision with this sequence in an input partition as a proof file. For auditors."""
    return await _as_proof_file(audit, await audit.finder.by_place(Place(partition, sequence)))


@router.get(
    "/positions/{partition}/{sequence}/receipt",
    responses=_receipt(*FAILURES),
    response_class=Response,
    dependencies=[AUDITOR],
)
async def get_receipt_at(audit: Served, partition: Partition, sequence: Sequence) -> Response:
    """Return a COSE receipt of the decision with this sequence in an input partition. For auditors."""
    return await _as_receipt(audit, await audit.finder.by_place(Place(partition, sequence)))


@router.get(
    "/positions/{partition}/{sequence}/entry",
    responses=_entry(*FAILURES),
    response_class=Response,
    dependencies=[AUDITOR],
)
async def get_entry_at(audit: Served, partition: Partition, sequence: Sequence) -> Response:
    """Return the log entry of the decision with this sequence in an input partition. For auditors."""
    return await _as_entry(await audit.finder.by_place(Place(partition, sequence)))


@router.get(
    "/logs/{log}/consistency-receipt",
    responses=_receipt(problems.UNKNOWN, problems.OUT_OF_RANGE, problems.INCONSISTENT, problems.UNAVAILABLE),
    response_class=Response,
)
async def get_consistency_receipt(audit: Served, log: LogName, first: Size) -> Response:
    """Return a COSE receipt that the log of now begins with its tree of `first` entries, which a checkpoint of yours has."""
    data = await audit.log_prover.consistency_receipt(served_log(audit, log), first)
    return _file(data, RECEIPT, f"{log}-from-{first}.receipt")


async def _as_proof_file(audit: Audit, found: Found) -> Response:
    return _file(await audit.log_prover.proof_file(found), PROOF_FILE, f"{_name(found)}.tlog-proof")


async def _as_receipt(audit: Audit, found: Found) -> Response:
    return _file(await audit.log_prover.receipt(found), RECEIPT, f"{_name(found)}.receipt")


async def _as_entry(found: Found) -> Response:
    return _file(await found.log.entry(found.logged.index, found.head), ENTRY, f"{_name(found)}.entry")


def _name(found: Found) -> str:
    return f"decision-{found.logged.place.partition}-{found.logged.place.sequence}"


def _file(data: bytes, media_type: str, name: str) -> Response:
    return Response(data, media_type=media_type, headers={"Content-Disposition": f'inline; filename="{name}"'})
