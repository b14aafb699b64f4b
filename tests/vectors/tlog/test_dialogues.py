"""The suite's dialogues, held with the product's witness over HTTP."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.notes import Note, VerifierKey, verify_note
from tallystick.witness.http import application
from tallystick.witness.key import WitnessKey
from tallystick.witness.logs import parse_logs
from tallystick.witness.sqlite_store import SqliteStore
from tallystick.witness.status import OK, Status
from tallystick.witness.witness import Witness

from .documents import to_bytes

SUITE = json.loads((Path(__file__).parent / "witness.json").read_bytes())
KEY = WitnessKey("witness.example/tested", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
LOGS = "".join(f"log {vkey}\n" for vkey in SUITE["logs"]).encode()


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Run a new witness on a state of its own, and return a client of it."""
    store = SqliteStore(tmp_path / "state")
    await store.create(KEY.verifier)
    witness = Witness(KEY, store, parse_logs(LOGS, KEY.verifier))
    await witness.check()
    transport = httpx.ASGITransport(application(witness, Status(OK), patience_s=5))
    async with httpx.AsyncClient(transport=transport, base_url="http://witness.example") as client:
        yield client
    await store.close()


@pytest.mark.parametrize("dialogue", SUITE["dialogues"], ids=lambda dialogue: dialogue["id"])
async def test_dialogue(dialogue: dict[str, Any], client: httpx.AsyncClient) -> None:
    """Every request of the dialogue, in its order, is answered as the suite states."""
    wrong = []
    for step in dialogue["steps"]:
        asked = step["request"]
        content = to_bytes(asked["body"]) if "body" in asked else None
        answer = await client.request(asked["method"], asked["path"], content=content)
        wrong += [f"{step['id']}: {problem}" for problem in _problems(step, answer)]
    assert wrong == []


def _problems(step: dict[str, Any], answer: httpx.Response) -> list[str]:
    if answer.status_code not in step["status"]:
        return [f"{answer.status_code} for {step['status']} ({step['why']}): {answer.text}"]
    problems = []
    if "body" in step and (answer.text, answer.headers["content-type"]) != (step["body"], step["content_type"]):
        problems.append(f"answered {answer.text!r} as {answer.headers['content-type']}")
    if answer.status_code == 200 and "cosigned_text" in step:
        note = Note.parse(to_bytes(step["cosigned_text"]) + b"\n" + answer.content)
        times = [signature.time_s or 0 for signature in verify_note(note, [KEY.verifier])]
        if len(times) != len(note.signatures) or min(times) < 1:
            problems.append("not only cosignatures of this witness, with a time")
    if answer.status_code == 200 and "checkpoint" in step:
        problems += _misread(step["checkpoint"], answer.content)
    return problems


def _misread(stated: dict[str, str], content: bytes) -> list[str]:
    note = Note.parse(content)
    head = Checkpoint.parse(note.text)
    logs = [key for key in map(VerifierKey.parse, SUITE["logs"]) if key.name == stated["origin"]]
    verify_note(note, logs)
    verify_note(note, [KEY.verifier])
    served = {"origin": head.origin, "size": str(head.size), "root": head.root.hex()}
    return [] if served == stated else [f"serves {served}"]
