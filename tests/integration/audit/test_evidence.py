"""The evidence of many decisions at once."""

import base64
import hashlib

import httpx
import pytest

from tallystick.cli.audit import AuditUnavailableError
from tallystick.cli.backtest.reading import EvidenceReader
from tallystick.trust.decisions import GROUPS

from .world import World


def test_it_opens_what_the_log_commits_to(auditor: httpx.Client, world: World) -> None:
    """Each digest is one that a decision names, and each group opens its commitment."""
    place = world.named["plain"].decision
    url = f"/v1/evidence/{place.source_partition}/{place.sequence}"
    answer = auditor.get(url, params={"disclose": "features,identity", "count": 1000})
    assert answer.status_code == httpx.codes.OK
    committed = {made.decision.evidence_digest.hex(): made.decision for made in world.named.values()}
    checked = 0
    for one in answer.json()["evidence"]:
        assert [opening["group"] for opening in one["openings"]] == ["features", "identity"]
        if (decision := committed.get(one["digest"])) is not None:
            assert decision.sequence == one["sequence"]
            digests = {item.group: item.digest for item in decision.commitments}
            for opening in one["openings"]:
                salt, content = (base64.b64decode(opening[part]) for part in ("salt", "content"))
                assert hashlib.sha256(salt + content).digest() == digests[GROUPS[opening["group"]]]
            checked += 1
    assert checked


@pytest.mark.parametrize("query", [{"disclose": "everything"}, {"disclose": "features", "count": 0}, {}])
def test_what_makes_no_sense_is_refused(auditor: httpx.Client, query: dict[str, str]) -> None:
    """Groups that there are, and a bounded stretch."""
    assert auditor.get("/v1/evidence/1/0", params=query).status_code == httpx.codes.UNPROCESSABLE_ENTITY


def test_it_is_for_authorised_readers(client: httpx.Client) -> None:
    """Without the token there is nothing."""
    assert client.get("/v1/evidence/1/0", params={"disclose": "identity"}).status_code == httpx.codes.UNAUTHORIZED


async def test_a_backtest_reads_it_and_believes_nothing(world: World) -> None:
    """What opens the decision's commitments is given; of another decision nothing; without the right, it says why."""
    decisions = [made.decision for made in world.named.values() if made.decision.evidence_digest][:20]
    async with EvidenceReader(world.url, world.bearer()["Authorization"].removeprefix("Bearer ")) as reader:
        found = await reader.read(decisions, ["identity"])
        assert any(found)
        forged = [type(one).FromString(one.SerializeToString()) for one in decisions]
        for one in forged:
            for commitment in one.commitments:
                commitment.digest = bytes(32)
        assert not any(await reader.read(forged, ["identity"]))
    async with EvidenceReader(world.url, "wrong") as reader:
        with pytest.raises(AuditUnavailableError, match="answers 401"):
            await reader.read(decisions, ["identity"])
