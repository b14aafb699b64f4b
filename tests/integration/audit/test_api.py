"""Every endpoint over real servers: what it answers, and what it refuses."""

import hashlib
import http.client
import json
from base64 import b64decode
from typing import Any

import httpx
import pytest

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.notes import Note
from tallystick.merkle.proofs import verify_consistency, verify_inclusion
from tallystick.merkle.tiles import decode_bundle
from tallystick.trust.bundle import BundleError, verify_bundle

from .bank import MARGIN, MODEL_FILE
from .world import PUBLISHED, World

CLOSED = [
    "/v1/decisions/tx-plain",
    *(f"/v1/decisions/tx-plain/{form}" for form in ("bundle", "tlog-proof", "receipt", "entry")),
    "/v1/decisions/tx-plain/bundle?disclose=features",
    "/v1/evidence/1/0?disclose=identity",
    "/decisions/tile/entries/000",
    "/v1/positions/0/0",
    "/v1/positions/0/0/bundle",
    "/v1/positions/0/0/bundle?disclose=features",
    *(f"/v1/positions/0/0/{form}" for form in ("tlog-proof", "receipt", "entry")),
    "/v1/positions/3/77",
    "/v1/positions/zero/0",
    f"/v1/models/{hashlib.sha256(MODEL_FILE).hexdigest()}",
    f"/v1/models/{'1' * 64}",
]
"""What only a token opens."""


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """Check that an answer is a problem of this kind, and nothing else is in it; return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["type"] == f"urn:tallystick:problem:{kind}"
    assert body["status"] == status
    assert set(body) <= {"type", "title", "status", "detail", "errors"}
    for leak in ("Traceback", "asyncpg", "/tmp", "SELECT", ".py"):  # noqa: S108  looked for, not used
        assert leak not in answer.text
    return body


def test_decision_by_transaction(auditor: httpx.Client, world: World) -> None:
    """A transaction id finds its decision, in plain words, with where it is in the log."""
    answer = auditor.get("/v1/decisions/tx-plain")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    decision = body["decision"]
    made = world.named["plain"]
    assert decision["log_index"] == 0
    assert decision["leaf_hash"] == leaf_hash(made.entry).hex()
    assert (decision["outcome"], decision["reasons"]) == ("DECLINE", ["MARGIN_DECLINE"])
    assert decision["margin"] == {"bits": "40200000", "value": MARGIN}
    assert decision["evidence_digest"] == made.decision.evidence_digest.hex()
    assert set(decision["commitments"]) == {"identity", "transaction", "features", "explanation"}
    assert body["log"]["size"] == PUBLISHED
    assert b64decode(body["log"]["root"]) == world.decisions.builder.root()
    assert body["other_decisions"] == []
    assert answer.headers["cache-control"] == "no-store"


def test_bundle_verifies_offline(auditor: httpx.Client, world: World) -> None:
    """The proof bundle verifies with nothing but the auditor's own trust policy."""
    answer = auditor.get("/v1/decisions/tx-plain/bundle")
    assert answer.status_code == 200, answer.text
    verified = verify_bundle(answer.content, world.policy)
    assert verified.index == 0
    assert verified.decision == world.named["plain"].decision
    assert verified.model == world.bank.model
    assert verified.disclosures == {}


def test_tampered_bundle_is_refused(auditor: httpx.Client, world: World) -> None:
    """The verifier of this test can fail: one changed bit of the entry is refused."""
    bundle = auditor.get("/v1/decisions/tx-plain/bundle").json()
    entry = bundle["decision"]["entry"]
    bundle["decision"]["entry"] = ("B" if entry[0] != "B" else "C") + entry[1:]
    with pytest.raises(BundleError):
        verify_bundle(json.dumps(bundle).encode(), world.policy)


def test_disclosures_open(auditor: httpx.Client, world: World) -> None:
    """With the token, the groups asked for are disclosed, and no others."""
    answer = auditor.get("/v1/decisions/tx-plain/bundle", params={"disclose": "features,transaction"})
    assert answer.status_code == 200, answer.text
    verified = verify_bundle(answer.content, world.policy)
    assert set(verified.disclosures) == {"features", "transaction"}
    assert b"EUR" in verified.disclosures["transaction"]


def test_bundle_of_every_tile(auditor: httpx.Client, world: World) -> None:
    """Proofs hold in full tiles, at their edges and in the partial tile."""
    places = {0: (0, 0), 11: (0, 1), 255: (0, 245), 256: (0, 246), 599: (0, 589)}
    for index, (partition, sequence) in places.items():
        answer = auditor.get(f"/v1/positions/{partition}/{sequence}/bundle")
        assert answer.status_code == 200, answer.text
        assert verify_bundle(answer.content, world.policy).index == index


def test_rejected_decision_by_place(auditor: httpx.Client, world: World) -> None:
    """A rejected record has no evidence; it is found by its place, and its bundle verifies without governance."""
    decision = auditor.get("/v1/positions/1/1").json()["decision"]
    assert (decision["outcome"], decision["reasons"]) == ("REJECTED", ["NO_ACTIVE_MODEL"])
    assert decision["margin"] is decision["evidence_digest"] is decision["activation_index"] is None
    verified = verify_bundle(auditor.get("/v1/positions/1/1/bundle").content, world.policy)
    assert verified.governance is None


def test_rejected_decision_discloses_nothing(auditor: httpx.Client) -> None:
    """Asking for the evidence of a rejected record is a problem of its own."""
    problem(auditor.get("/v1/positions/1/1/bundle?disclose=features"), 404, "no-evidence")


def test_transaction_id_decided_twice(auditor: httpx.Client) -> None:
    """The newest decision on a transaction id is answered, and the older one is listed."""
    body = auditor.get("/v1/decisions/tx-twice").json()
    assert body["decision"]["sequence"] == 6
    assert [(other["partition"], other["sequence"], other["log_index"]) for other in body["other_decisions"]] == [(1, 0, 1)]
    assert body["bundle"] == "/v1/decisions/tx-twice/bundle"


def test_transaction_id_with_slashes(auditor: httpx.Client, world: World) -> None:
    """Any visible ASCII is a transaction id, slashes included."""
    body = auditor.get("/v1/decisions/tx%2Fwith%2Fslash").json()
    assert body["decision"]["sequence"] == 2
    answer = auditor.get(f"{body['bundle']}?disclose=identity")
    assert b"tx/with/slash" in verify_bundle(answer.content, world.policy).disclosures["identity"]


def test_evidence_of_a_second_scoring_is_ignored(auditor: httpx.Client, world: World) -> None:
    """Of two evidence records for one sequence, the one that the logged decision names is used."""
    answer = auditor.get("/v1/decisions/tx-rescored/bundle?disclose=identity")
    assert answer.status_code == 200, answer.text
    assert verify_bundle(answer.content, world.policy).decision == world.named["rescored"].decision


def test_evidence_that_no_decision_names_finds_nothing(auditor: httpx.Client) -> None:
    """Evidence whose digest is not the logged one leads to no decision, least of all to another transaction's."""
    problem(auditor.get("/v1/decisions/tx-ignored"), 404, "unknown")


@pytest.mark.parametrize("path", ["/v1/decisions/tx-pending", "/v1/decisions/tx-unpublished", "/v1/positions/3/0"])
@pytest.mark.parametrize("suffix", ["", "/bundle"])
def test_not_yet_logged(auditor: httpx.Client, path: str, suffix: str) -> None:
    """A decision whose evidence is here before its log entry is published is said to be on its way."""
    answer = auditor.get(path + suffix)
    problem(answer, 404, "not-yet-logged")
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("path", ["/v1/decisions/tx-misindexed", "/v1/positions/2/901"])
def test_index_is_not_believed(auditor: httpx.Client, path: str) -> None:
    """An index row that points to another decision's entry answers nothing rather than that decision."""
    problem(auditor.get(path), 500, "inconsistent")


def test_decision_of_another_topic_is_not_answered(auditor: httpx.Client) -> None:
    """An entry that names another input topic is not the decision that was asked for."""
    problem(auditor.get("/v1/positions/1/7"), 500, "inconsistent")


def test_erased_evidence(auditor: httpx.Client, world: World) -> None:
    """When the customer's key is gone, the evidence is said to be erased, and the proof still verifies."""
    problem(auditor.get("/v1/decisions/tx-erased/bundle?disclose=features"), 410, "evidence-erased")
    assert verify_bundle(auditor.get("/v1/decisions/tx-erased/bundle").content, world.policy).index == 5


@pytest.mark.parametrize(
    "path",
    [
        "/v1/decisions/tx-nobody-knows",
        "/v1/positions/3/77",
        "/v1/positions/2147483647/9007199254740991",
    ],
)
def test_unknown(auditor: httpx.Client, path: str) -> None:
    """What nobody decided is unknown."""
    problem(auditor.get(path), 404, "unknown")
    problem(auditor.get(f"{path}/bundle"), 404, "unknown")


def test_a_log_that_is_not_here_is_unknown(client: httpx.Client) -> None:
    """The answer says which there are."""
    problem(client.get("/v1/logs/other/consistency?first=1"), 404, "unknown")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/decisions/" + "x" * 65,
        "/v1/decisions/" + "x" * 5000,
        "/v1/decisions/t%C3%A4g",
        "/v1/decisions/a%00b",
        "/v1/decisions/a%20b",
        "/v1/decisions/tx-plain/bundle?disclose=everything",
        "/v1/decisions/tx-plain/bundle?disclose=",
        "/v1/positions/-1/0",
        "/v1/positions/0/9223372036854775808",
        "/v1/positions/zero/0",
        "/v1/positions/0/1.5",
        "/v1/logs/Other/consistency?first=1",
        "/v1/logs/decisions/consistency",
        "/v1/logs/decisions/consistency?first=0",
        "/v1/logs/decisions/inclusion",
        "/v1/logs/decisions/inclusion?index=-1",
        "/v1/models/" + "A" * 64,
        "/v1/models/abc",
        "/v1/models/..%2F..%2Fetc%2Fpasswd",
        "/v1/trust-policy/..%2Ftoken",
        "/v1/trust-policy/other",
    ],
)
def test_invalid_requests(auditor: httpx.Client, path: str) -> None:
    """Parameters out of range are refused with what is wrong, and without repeating what was sent."""
    answer = auditor.get(path)
    if answer.status_code == 404:
        problem(answer, 404, "no-such-resource")  # a slash within a parameter is another address
    else:
        assert problem(answer, 422, "invalid-request")["errors"]
    assert "x" * 65 not in answer.text
    assert "passwd" not in answer.text


@pytest.mark.parametrize("path", CLOSED)
def test_without_a_token(client: httpx.Client, path: str) -> None:
    """Without a token there is no decision, no evidence, no model, nothing that can be had by counting."""
    problem(answer := client.get(path), 401, "token-missing")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_what_is_for_everybody(client: httpx.Client) -> None:
    """Checkpoints, hash tiles and the governance log need nothing."""
    for path in ("/v1/logs", "/decisions/checkpoint", "/decisions/tile/0/000", "/governance/tile/entries/000.p/3"):
        assert client.get(path).status_code == 200


def test_the_bundle_by_place_is_where_the_answer_says(auditor: httpx.Client, world: World) -> None:
    """A decision by place names the bundle by place, since a rejected one has no other."""
    body = auditor.get("/v1/positions/1/1").json()
    assert verify_bundle(auditor.get(body["bundle"]).content, world.policy).index == body["decision"]["log_index"]


def test_no_such_resource(client: httpx.Client) -> None:
    """An address that is none is a problem like the others."""
    problem(client.get("/v2/anything"), 404, "no-such-resource")
    problem(client.get("/"), 404, "no-such-resource")


@pytest.mark.parametrize("path", ["/v1/decisions/tx-plain", "/decisions/checkpoint", "/v1/logs"])
def test_method_not_allowed(client: httpx.Client, path: str) -> None:
    """Nothing can be changed over this API."""
    for method in ("POST", "PUT", "DELETE"):
        answer = client.request(method, path)
        problem(answer, 405, "method-not-allowed")
        assert "GET" in answer.headers["allow"]


def test_security_headers(client: httpx.Client) -> None:
    """Every answer, an error included, forbids sniffing, framing and scripts."""
    for path in ("/v1/logs", "/nowhere", "/health", "/decisions/checkpoint"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert "server" not in headers


def test_logs(client: httpx.Client, world: World) -> None:
    """The logs are listed with origin, size and root."""
    logs = {log["name"]: log for log in client.get("/v1/logs").json()["logs"]}
    assert logs["decisions"]["size"] == PUBLISHED
    assert logs["governance"]["size"] == len(world.governance.entries)
    assert logs["decisions"]["origin"] == world.policy.origins["decisions"]


@pytest.mark.parametrize(("first", "second"), [(1, 600), (255, 256), (256, 600), (257, 511), (599, 600), (600, 600)])
def test_consistency(client: httpx.Client, first: int, second: int) -> None:
    """A consistency proof between two sizes verifies against the two roots."""
    body = client.get("/v1/logs/decisions/consistency", params={"first": first, "second": second}).json()
    proof = [b64decode(node) for node in body["proof"]]
    verify_consistency(first, second, b64decode(body["first_root"]), b64decode(body["second_root"]), proof)


def test_consistency_with_the_newest(client: httpx.Client, world: World) -> None:
    """Without a second size, the published one is taken."""
    body = client.get("/v1/logs/decisions/consistency?first=300").json()
    assert body["second"] == PUBLISHED
    assert b64decode(body["second_root"]) == world.decisions.builder.root()


@pytest.mark.parametrize("query", ["first=601", "first=1&second=601", "first=5&second=4"])
def test_consistency_out_of_range(client: httpx.Client, query: str) -> None:
    """Sizes that were not published have no proof."""
    problem(client.get(f"/v1/logs/decisions/consistency?{query}"), 404, "out-of-range")


@pytest.mark.parametrize("size", [1, 255, 256, 257, 599, None])
def test_inclusion(client: httpx.Client, world: World, size: int | None) -> None:
    """A proof says what is at a place of the tree of any size that was passed, without showing the entry."""
    for index in {0, (size or PUBLISHED) // 2, (size or PUBLISHED) - 1}:
        query = {"index": index} | ({} if size is None else {"size": size})
        body = client.get("/v1/logs/decisions/inclusion", params=query).json()
        assert b64decode(body["leaf_hash"]) == leaf_hash(world.decisions.entries[index])
        proof = [b64decode(node) for node in body["proof"]]
        verify_inclusion(index, size or PUBLISHED, b64decode(body["leaf_hash"]), proof, b64decode(body["root"]))


@pytest.mark.parametrize("query", ["size=256&index=7", "index=%37&size=256", "index=7&size=256&other=1", "index=7&size=+256"])
def test_inclusion_asked_for_in_other_words(client: httpx.Client, query: str) -> None:
    """A query that is written otherwise has the same answer to the byte."""
    url = "/v1/logs/decisions/inclusion?"
    assert client.get(url + query).content == client.get(url + "index=7&size=256").content


@pytest.mark.parametrize("log", ["decision", "governance/x", "DECISIONS"])
def test_inclusion_in_no_log(client: httpx.Client, log: str) -> None:
    """A log that is not served is not found, whatever is asked of it."""
    assert client.get(f"/v1/logs/{log}/inclusion?index=7").status_code in {404, 422}


@pytest.mark.parametrize("query", ["index=600", "index=5&size=5", "index=0&size=601"])
def test_inclusion_out_of_range(client: httpx.Client, query: str) -> None:
    """What was not published has no proof."""
    problem(client.get(f"/v1/logs/decisions/inclusion?{query}"), 404, "out-of-range")


def test_checkpoint(client: httpx.Client, world: World) -> None:
    """The checkpoint is served as it was signed, always asked for anew, and 304 to who has it."""
    answer = client.get("/decisions/checkpoint")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert (
        world.policy.log_policy.verify_checkpoint(answer.content, world.policy.origins["decisions"]).checkpoint.size
        == PUBLISHED
    )
    again = client.get("/decisions/checkpoint", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    governance = Checkpoint.parse(Note.parse(client.get("/governance/checkpoint").content).text)
    assert governance.size == len(world.governance.entries)


def test_tiles(client: httpx.Client, world: World) -> None:
    """Hash tiles are public, full ones immutable, partial ones of every width within the published tree."""
    full = client.get("/decisions/tile/0/000")
    assert full.content == b"".join(map(leaf_hash, world.decisions.entries[:256]))
    assert full.headers["content-type"] == "application/octet-stream"
    assert "immutable" in full.headers["cache-control"]
    assert client.get("/decisions/tile/0/000", headers={"If-None-Match": full.headers["etag"]}).status_code == 304
    partial = client.get("/decisions/tile/0/002.p/88")
    assert partial.content == b"".join(map(leaf_hash, world.decisions.entries[512:]))
    assert "immutable" not in partial.headers["cache-control"]
    assert client.get("/decisions/tile/0/001.p/7").content == b"".join(map(leaf_hash, world.decisions.entries[256:263]))
    assert len(client.get("/decisions/tile/1/000.p/2").content) == 64


def test_entry_bundles(client: httpx.Client, auditor: httpx.Client, world: World) -> None:
    """The decisions' entries need the token and are not cached; the governance log's are public."""
    answer = auditor.get("/decisions/tile/entries/002.p/88")
    assert decode_bundle(answer.content, 88) == world.decisions.entries[512:]
    assert answer.headers["cache-control"] == "private, no-store"
    governance = client.get("/governance/tile/entries/000.p/3")
    assert decode_bundle(governance.content, 3) == world.governance.entries[:3]


@pytest.mark.parametrize(
    "tile",
    [
        "0/003",
        "0/002",
        "0/002.p/89",
        "2/000.p/1",
        "1/000",
        "63/000",
        "0/x001/x234/067",
        "0/000.p/0",
        "0/000.p/256",
        "0/0",
        "00/000",
        "0/000/",
        "entries",
        "../checkpoint",
        "..%2F..%2Fgovernance%2Fcheckpoint",
        "0/..%2F..%2Fcheckpoint",
        "%2Fetc%2Fpasswd",
        "0/000%00",
        "0/%D9%A0%D9%A0%D9%A0",
        "0/" + "x001/" * 200 + "001",
    ],
)
def test_tiles_that_are_none(world: World, tile: str) -> None:
    """Whatever is not the path of a tile within the published tree is not served, wherever it points."""
    # Not httpx, which would tidy the path up.
    connection = http.client.HTTPConnection(world.url.removeprefix("http://"), timeout=30)
    connection.putrequest("GET", f"/decisions/tile/{tile}")
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status in (404, 422), body
    assert answer.headers["content-type"] == "application/problem+json"


def test_model(auditor: httpx.Client) -> None:
    """A model's file comes with the bytes that its digest names; one that does not match is not given out."""
    digest = hashlib.sha256(MODEL_FILE).hexdigest()
    answer = auditor.get(f"/v1/models/{digest}")
    assert answer.content == MODEL_FILE
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    again = auditor.get(f"/v1/models/{digest}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    problem(auditor.get(f"/v1/models/{'1' * 64}"), 404, "unknown")
    problem(auditor.get(f"/v1/models/{'ba5e' * 16}"), 500, "inconsistent")


def test_trust_policy(client: httpx.Client, world: World) -> None:
    """The operator's trust policy can be compared with one's own."""
    for name in ("log.policy", "trust.toml"):
        assert client.get(f"/v1/trust-policy/{name}").content == (world.servers.policy / name).read_bytes()


def test_health(client: httpx.Client) -> None:
    """Health names what the API depends on, and metrics are Prometheus'."""
    health = client.get("/health").json()
    logs = {"decisions-log", "fallbacks-log", "governance-log"}
    assert set(health["components"]) == {"database", "key table", "vault", "models", "issuer"} | logs
    assert client.get("/health/live").status_code == client.get("/health/ready").status_code == 200
    assert "tallystick_component_up" in client.get("/metrics").text


def test_log_that_grows(auditor: httpx.Client, world: World) -> None:
    """Answers are against the newest checkpoint, and old ones stay provable in it."""
    before = auditor.get("/governance/checkpoint").content
    world.governance.publish([b"one entry more"])
    after = auditor.get("/governance/checkpoint").content
    assert after != before
    old, new = [Checkpoint.parse(Note.parse(note).text) for note in (before, after)]
    body = auditor.get("/v1/logs/governance/consistency", params={"first": old.size}).json()
    verify_consistency(old.size, new.size, old.root, new.root, [b64decode(node) for node in body["proof"]])
    assert verify_bundle(auditor.get("/v1/decisions/tx-plain/bundle").content, world.policy).model == world.bank.model
