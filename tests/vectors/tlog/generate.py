"""Write the suite's files, or compare them with what would be written: `python -m tests.vectors.tlog.generate [--check]`.

Every key, time and entry is fixed, so every run writes the same bytes. Nothing of the product is used: verdicts are stated by
hand, case by case, and the naive references in `reference/` have to agree with them before anything is written.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .cases import (
    checkpoint,
    cose_receipt,
    cosignature,
    ed25519,
    entry_bundle,
    log,
    policy,
    proofs,
    signed_note,
    tile_path,
    tiles,
    tlog_proof,
    verifier_key,
    witness,
    witness_answer,
)

FOLDER = Path(__file__).parent
SUITE = "tallystick tlog vectors 1"

Head = dict[str, Any]


def _file(spec: str, head: Head | None = None, **rows: list[dict[str, Any]]) -> str:
    """Lay a file out: what it is, what all cases share, then one case a line."""
    lines = [f' "{key}": {json.dumps(value)},' for key, value in {"suite": SUITE, "spec": spec, **(head or {})}.items()]
    lists = []
    for key, cases in rows.items():
        names = [case["id"] for case in cases if "id" in case]
        if len(set(names)) != len(names):
            raise AssertionError(f"{spec}: a case's id is used twice")
        lists.append(f' "{key}": [\n' + ",\n".join(f"  {json.dumps(case)}" for case in cases) + "\n ]")
    return "{\n" + "\n".join(lines) + "\n" + ",\n".join(lists) + "\n}\n"


def _log_head() -> Head:
    return {"entries": log.FORMULA}


FILES: dict[str, Callable[[], str]] = {
    "signed-note.json": lambda: _file(signed_note.SPEC, cases=signed_note.cases()),
    "verifier-key.json": lambda: _file(verifier_key.SPEC, cases=verifier_key.cases()),
    "checkpoint.json": lambda: _file(checkpoint.SPEC, cases=checkpoint.cases()),
    "cosignature.json": lambda: _file(cosignature.SPEC, cases=cosignature.cases()),
    "tile-path.json": lambda: _file(tile_path.SPEC, cases=tile_path.cases()),
    "tiles.json": lambda: _file(tiles.SPEC, _log_head(), logs=tiles.logs(), cases=tiles.cases()),
    "entry-bundle.json": lambda: _file(entry_bundle.SPEC, cases=entry_bundle.cases()),
    "inclusion.json": lambda: _file(proofs.SPEC, _log_head(), cases=proofs.inclusion_cases()),
    "consistency.json": lambda: _file(proofs.SPEC, _log_head(), cases=proofs.consistency_cases()),
    "policy.json": lambda: _file(policy.SPEC, cases=policy.files()),
    "policy-verdict.json": lambda: _file(policy.SPEC, cases=policy.verdicts()),
    "tlog-proof.json": lambda: _file(
        tlog_proof.SPEC, {**_log_head(), "policy": tlog_proof.POLICY, "origin": log.LOG.name}, cases=tlog_proof.cases()
    ),
    "cose-receipt.json": lambda: _file(
        cose_receipt.SPEC, {**_log_head(), "profile": cose_receipt.PROFILE}, cases=cose_receipt.cases()
    ),
    "witness.json": lambda: _file(witness.SPEC, {"logs": witness.LOGS}, dialogues=witness.dialogues()),
    "witness-answer.json": lambda: _file(witness_answer.SPEC, witness_answer.asked(), cases=witness_answer.cases()),
    "ed25519-key.json": lambda: _file(ed25519.SPEC, cases=ed25519.key_cases()),
    "ed25519-signature.json": lambda: _file(ed25519.SPEC, cases=ed25519.signature_cases()),
}


def differing() -> list[str]:
    """Return the names of the files that are not what the generator makes, and of files that it does not make."""
    made = {name: make().encode() for name, make in FILES.items()}
    found = {path.name: path.read_bytes() for path in FOLDER.glob("*.json")}
    return sorted(name for name in made.keys() | found.keys() if made.get(name) != found.get(name))


def main() -> int:
    """Write or compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not what would be written")
    if parser.parse_args().check:
        wrong = differing()
        for name in wrong:
            print(f"{name} is not what the generator writes; run python -m tests.vectors.tlog.generate", file=sys.stderr)
        return 1 if wrong else 0
    for name, make in FILES.items():
        (FOLDER / name).write_text(make(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
