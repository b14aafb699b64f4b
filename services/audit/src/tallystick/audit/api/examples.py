"""Example answers for the OpenAPI document."""

from typing import Any

_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_HASH = "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg="
_ORIGIN = "tallystick.example/demo/decisions"
_NOTE = f"{_ORIGIN}\n4096\n{_HASH}\n\n— {_ORIGIN} cNN7RuW3…\n"

DECISION: dict[str, Any] = {
    "decision": {
        "log_index": 1234,
        "leaf_hash": _DIGEST,
        "source": {"topic": "transactions", "partition": 3, "offset": 311},
        "sequence": 311,
        "record": {"topic": "decisions", "partition": 3, "offset": 311, "timestamp_ms": 1795363200500},
        "decided_at": "2026-11-22T16:00:00.123Z",
        "decided_at_ms": 1795363200123,
        "outcome": "DECLINE",
        "reasons": ["MARGIN_DECLINE"],
        "applied": [],
        "margin": {"bits": "3f9d70a4", "value": 1.2300000190734863},
        "score": 774,
        "chain": _DIGEST,
        "model_digest": _DIGEST,
        "policy_digest": _DIGEST,
        "feature_schema_digest": _DIGEST,
        "activation_index": 2,
        "evidence_digest": _DIGEST,
        "commitments": {"identity": _DIGEST, "transaction": _DIGEST, "features": _DIGEST, "explanation": _DIGEST},
    },
    "log": {"origin": _ORIGIN, "size": 4096, "root": _HASH},
    "other_decisions": [{"partition": 3, "sequence": 12, "log_index": 57, "decided_at_ms": 1792771200123}],
    "bundle": "/v1/decisions/tx-000001234/bundle",
}
OWN_DECISION: dict[str, Any] = {
    **DECISION,
    "decision": {
        "log_index": 1234,
        "decided_at": "2026-11-22T16:00:00.123Z",
        "decided_at_ms": 1795363200123,
        "outcome": "DECLINE",
        "outcome_text": "The payment was refused as suspected fraud.",
        "reasons": [{"code": "MARGIN_DECLINE", "text": "The automatic assessment found it very likely to be fraud."}],
        "applied": [],
    },
    "other_decisions": [],
}
BATCH: dict[str, Any] = {"places": [{"partition": 3, "sequence": 311}], "format": "bundle", "disclose": ["features"]}
BATCH_LINE = '{"partition":3,"sequence":311,"bundle":{"format":"tallystick/proof-bundle/v1"}}\n'
DECISIONS: dict[str, Any] = {
    "decisions": [
        {
            "decided_at": "2026-11-22T16:00:00.123Z",
            "decided_at_ms": 1795363200123,
            "partition": 3,
            "sequence": 311,
            "outcome": "DECLINE",
            "log": "decisions",
            "log_index": 1234,
            "decision": "/v1/positions/3/311",
        }
    ],
    "next": None,
    "indexed": {"decisions": 4096},
}
_ENTRY = {"index": 2, "entry": "CAQSCmdvdmVybmFuY2U=", "proof": [_HASH]}
BUNDLE: dict[str, Any] = {
    "format": "tallystick/proof-bundle/v1",
    "decision": {"index": 1234, "entry": "CAESCWRlY2lzaW9ucw==", "proof": [_HASH], "checkpoint": _NOTE},
    "governance": {"checkpoint": _NOTE, "model": _ENTRY, "policy": _ENTRY, "activation": _ENTRY},
    "disclosures": [{"group": "features", "salt": "AAECAwQFBgcICQoLDA0ODw==", "content": "CgA="}],
}
LOGS: dict[str, Any] = {"logs": [{"name": "decisions", "origin": _ORIGIN, "size": 4096, "root": _HASH, "prefix": "/decisions"}]}
ERASURE: dict[str, Any] = {
    "key_ids": ["5f" * 16],
    "requested_at": "2026-11-22T16:00:00.123Z",
    "requested_at_ms": 1795363200123,
    "effective_at": "2027-04-28T19:00:00.123Z",
    "effective_at_ms": 1808938800123,
    "log_index": 17,
}
HOLD: dict[str, Any] = {"held": True, "placed_at": "2026-11-22T16:00:00.123Z", "placed_at_ms": 1795363200123}
EVIDENCE: dict[str, Any] = {
    "evidence": [
        {
            "sequence": 311,
            "digest": "5c" * 32,
            "erased": False,
            "sealed": None,
            "openings": [{"group": "features", "salt": "c2FsdCBvZiAxNiBieXRlcw==", "content": "CiA="}],
        }
    ]
}
ACCESSES = (
    '{"as":"tallystick:auditor","at":"2026-11-22T16:05:00.000Z","by":"ada","count":1,"first":311,"groups":["features"],'
    f'"partition":3,"salt":"{_DIGEST[:32]}"}}\n'
)
MODELS: dict[str, Any] = {
    "models": [
        {
            "index": 0,
            "name": "fraud",
            "version": "1",
            "digest": _DIGEST,
            "size_bytes": 81234,
            "format": "xgboost-json",
            "engine": "xgboost 3.2.0",
            "training_data_digest": _DIGEST,
            "metrics": {"average_precision": 0.71},
            "card": "# fraud 1",
            "created_at": "2026-11-22T15:00:00.000Z",
            "active": True,
        }
    ],
    "next": None,
}
POLICIES: dict[str, Any] = {
    "policies": [
        {
            "index": 1,
            "name": "standard",
            "version": "1",
            "digest": _DIGEST,
            "decline_margin": 2.0,
            "review_margin": 0.0,
            "rules": ["dear: amount_minor > 100000"],
            "lists": ["known-mules"],
            "created_at": "2026-11-22T15:00:00.000Z",
        }
    ],
    "next": None,
}
ACTIVATIONS: dict[str, Any] = {
    "activations": [
        {
            "index": 2,
            "slot": "champion",
            "number": 0,
            "model_digest": _DIGEST,
            "policy_digest": _DIGEST,
            "effective_at": "2026-11-22T15:30:00.000Z",
            "approvers": ["ada", "grace"],
        }
    ],
    "next": None,
}
REPORTS: dict[str, Any] = {
    "reports": [
        {
            "index": 7,
            "subject": "drift",
            "from_time": "2026-11-22T15:00:00.000Z",
            "to_time": "2026-11-22T16:00:00.000Z",
            "figures": {"psi_max": 0.04},
            "summary": "No feature has moved.",
        }
    ],
    "next": None,
}
COSIGNATURES: dict[str, Any] = {
    "origin": _ORIGIN,
    "size": 4096,
    "witnesses": [{"witness": "witness.example/w1", "at": "2026-11-22T16:00:01.000Z"}],
}
INCLUSION: dict[str, Any] = {
    "origin": _ORIGIN,
    "index": 1234,
    "size": 4096,
    "leaf_hash": _HASH,
    "root": _HASH,
    "proof": [_HASH, _HASH],
}
CONSISTENCY: dict[str, Any] = {
    "origin": _ORIGIN,
    "first": 1024,
    "second": 4096,
    "first_root": _HASH,
    "second_root": _HASH,
    "proof": [_HASH, _HASH],
}
_STAMP = {
    "kind": "rfc3161",
    "by": "tsa1",
    "text": f"tallystick/anchor/v1\n4096 {_HASH} {_HASH} {_ORIGIN}\n",
    "request": "MEECAQE=",
    "response": "MIIDdTAD",
}
BUNDLE["anchors"] = [{"size": 4096, "consistency": [], "receipt": _STAMP}]
ANCHORED: dict[str, Any] = {"origin": _ORIGIN, "sizes": [1024, 4096]}
ANCHORS: dict[str, Any] = {"origin": _ORIGIN, "size": 4096, "checkpoint": _NOTE, "receipts": [_STAMP], "unreadable": []}
CHECKPOINT = _NOTE
PROOF_FILE = f"c2sp.org/tlog-proof@v1\nextra CAESCWRlY2lzaW9ucw==\nindex 1234\n{_HASH}\n\n{_NOTE}"
RECEIPT = (
    "<CBOR: 18([<<{1: -19, 4: kid, 15: {1: origin}, 395: 1, -65537: size}>>, {396: {-1: [<<[size, index, path]>>]}}, null, …])>"
)
ENTRY = "<a LogEntry's bytes>"
MODEL: dict[str, Any] = {"learner": {}, "version": [3, 2, 0]}
LOG_POLICY = f"log {_ORIGIN}+70d37b46+AXn…\nquorum none\n"
TRUST_TOML = 'version = 1\n[logs]\ndecisions = "' + _ORIGIN + '"\n'
