"""Time stamps as data: the sound ones verify, each broken one is refused for what is wrong with it."""

import json
from base64 import b64decode
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from rfc3161_client import VerificationError, VerifierBuilder, decode_timestamp_response

from tallystick.trust.anchors.errors import AnchorError
from tallystick.trust.anchors.rfc3161 import verify_stamp

CASES: list[dict[str, Any]] = json.loads(Path(__file__).with_name("cases.json").read_bytes())
SOUND = [case for case in CASES if case["refused"] is None]


def verify(case: dict[str, Any], response: bytes | None = None) -> datetime:
    """Verify a case, or another response in its place."""
    roots = [x509.load_pem_x509_certificate(root.encode()) for root in case["roots"]]
    given = b64decode(case["response"]) if response is None else response
    return verify_stamp(b64decode(case["request"]), given, b64decode(case["text"]), roots).time


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_verdict(case: dict[str, Any]) -> None:
    """What is sound gives its time; what is not is refused, with its reason."""
    if case["refused"] is None:
        assert verify(case) == datetime.fromisoformat(case["time"])
        return
    with pytest.raises(AnchorError, match=case["refused"]):
        verify(case)


@pytest.mark.parametrize("case", SOUND[:4], ids=lambda case: case["name"])
def test_no_changed_bit_passes(case: dict[str, Any]) -> None:
    """Every byte of a sound response counts: none can be changed, and no change raises anything else."""
    response = b64decode(case["response"])
    for at in range(len(response)):
        with pytest.raises(AnchorError):
            verify(case, response[:at] + bytes([response[at] ^ 1 << at % 8]) + response[at + 1 :])


@pytest.mark.parametrize("case", [case for case in SOUND if "injected" not in case["name"]], ids=lambda case: case["name"])
def test_another_verifier_agrees(case: dict[str, Any]) -> None:
    """rfc3161-client, which is another implementation, takes what is sound here."""
    response = decode_timestamp_response(b64decode(case["response"]))
    builder = VerifierBuilder()
    for root in case["roots"]:
        builder = builder.add_root_certificate(x509.load_pem_x509_certificate(root.encode()))
    try:
        assert builder.build().verify_message(response, b64decode(case["text"]))
    except VerificationError as error:
        pytest.fail(str(error))
