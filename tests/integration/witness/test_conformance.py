"""The dialogues of `tests/vectors/tlog/witness.json`, over HTTP, against the service as a process."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.keys import VerifierKey
from tallystick.merkle.notes import Note, SignatureLine, open_note, verify_note

from ...vectors.tlog.documents import to_bytes
from .processes import Installation, url

SUITE: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors/tlog/witness.json").read_text())
LOGS = [VerifierKey.parse(text) for text in SUITE["logs"]]


def complaint(answer: httpx.Response, step: dict[str, Any], witness: VerifierKey) -> str | None:
    """Say what is wrong with an answer, None if nothing is."""
    if answer.status_code not in step["status"]:
        return f"answered {answer.status_code} ({answer.text.strip()})"
    if "body" in step and answer.content != to_bytes(step["body"]):
        return f"the body is {answer.content!r}"
    if "content_type" in step and answer.headers["content-type"] != step["content_type"]:
        return f"the type is {answer.headers['content-type']}"
    if "cosigned_text" in step and answer.status_code == 200:
        lines = [SignatureLine.parse(line) for line in answer.text.removesuffix("\n").split("\n")]
        made = verify_note(Note(to_bytes(step["cosigned_text"]), tuple(lines)), [witness])
        if len(made) != len(lines) or not all(signature.time_s for signature in made):
            return "not a cosignature"
    if "checkpoint" in step:
        note, signers = open_note(answer.content, [*LOGS, witness])
        stated = step["checkpoint"]
        if Checkpoint.parse(note.text) != Checkpoint(
            stated["origin"], int(stated["size"]), bytes.fromhex(stated["root"]), tuple(stated.get("extensions", ()))
        ):
            return f"the checkpoint is {note.text!r}"
        if witness not in signers or len(signers) < 2:
            return "the log's signature or the witness's is missing"
    return None


@pytest.mark.parametrize("dialogue", SUITE["dialogues"], ids=[dialogue["id"] for dialogue in SUITE["dialogues"]])
def test_a_dialogue_of_the_suite(on_sqlite: Installation, dialogue: dict[str, Any]) -> None:
    """A new witness that knows the suite's logs gives every step the answer that is stated."""
    on_sqlite.logs_file.write_text("".join(f"log {key}\n" for key in LOGS))
    address = url(on_sqlite.start())
    wrong = []
    with httpx.Client(timeout=30) as client:
        for step in dialogue["steps"]:
            request = step["request"]
            content = to_bytes(request["body"]) if "body" in request else None
            answer = client.request(request["method"], address + request["path"], content=content)
            said = complaint(answer, step, on_sqlite.verifier)
            wrong += [f"{step['id']}: {said}, where {step['why']}"] if said else []
    assert wrong == []
