"""What callers are told: from a decision or a fallback to an `Answer`, and to bytes of the type that they accept. Pure."""

from collections.abc import Sequence
from urllib.parse import quote

from google.protobuf.json_format import MessageToJson

from tallystick.contracts import Answer, Answers, Basis, Decision, Fallback, Outcome

JSON = "application/json"
PROTOBUF = "application/x-protobuf"


def decided(decision: Decision, transaction_id: str) -> Answer:
    """Return the answer that a decision makes."""
    return Answer(
        transaction_id=transaction_id,
        outcome=decision.outcome,
        basis=Basis.BASIS_DECISION,
        score=decision.score if decision.HasField("score") else None,
        reasons=decision.reasons,
        applied=decision.applied,
        source_topic=decision.source_topic,
        source_partition=decision.source_partition,
        source_offset=decision.source_offset,
        sequence=decision.sequence,
        decided_at_ms=decision.decided_at_ms,
    )


def fell_back(fallback: Fallback, transaction_id: str, *, sent: bool) -> Answer:
    """Return the answer that a fallback is; its offset is stated only if the record was sent."""
    return Answer(
        transaction_id=transaction_id,
        outcome=fallback.outcome,
        basis=Basis.BASIS_FALLBACK,
        fallback_reason=fallback.reason,
        source_topic=fallback.source_topic,
        source_partition=fallback.source_partition,
        source_offset=fallback.source_offset if sent else None,
        decided_at_ms=fallback.answered_at_ms,
    )


def encode(answers: Sequence[Answer], media_type: str, *, several: bool) -> bytes:
    """Return the one answer, or all in an `Answers`, as JSON (proto3's) or protobuf."""
    message = Answers(answers=answers) if several else answers[0]
    if media_type == PROTOBUF:
        return message.SerializeToString()
    return MessageToJson(message, indent=None, ensure_ascii=False).encode() + b"\n"


def with_proof(answer: Answer, audit_url: str | None) -> Answer:
    """Say in an answer where its proof is. That is no part of what is kept of it: addresses change."""
    if audit_url is None:
        return answer
    if answer.outcome == Outcome.OUTCOME_REJECTED:
        # A rejected record has no evidence by which it could be found.
        answer.proof_url = f"{audit_url}/v1/positions/{answer.source_partition}/{answer.sequence}/bundle"
    else:
        answer.proof_url = f"{audit_url}/v1/decisions/{quote(answer.transaction_id, safe='')}/bundle"
    return answer
