"""Whose token opens what, over real servers: and every token that must open nothing."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tallystick.embedded import LocalIssuer
from tallystick.trust.bundle import verify_bundle

from .bank import CUSTOMER
from .test_api import CLOSED, problem
from .world import World

AUDITORS = [path for path in CLOSED if not path.startswith("/v1/decisions/tx-plain") or "features" in path]
"""What a customer may not see though it is their own."""


def _unsigned(world: World) -> str:
    return jwt.encode(_claims(world), None, "none", {"kid": "key-1"})  # type: ignore[arg-type]  # which no typed caller would do


def _confused(world: World) -> str:
    """Sign with HMAC under the issuer's public key, as everybody may read it."""
    (key, *_) = world.issuer.key_set()["keys"]
    public = jwt.PyJWK(key).key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    header, claims = (_encoded(part) for part in ({"alg": "HS256", "typ": "JWT", "kid": key["kid"]}, _claims(world)))
    signature = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256).sign(f"{header}.{claims}".encode(), public)
    return f"{header}.{claims}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _encoded(part: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()


def _claims(world: World) -> dict[str, Any]:
    now_s = int(time.time())
    times = {"iat": now_s, "exp": now_s + 600}
    return {"iss": world.issuer.url, "aud": "tallystick-audit", "sub": "mallory", "scope": "tallystick:auditor", **times}


def _strangers(world: World) -> str:
    """Sign with a key of one's own, under the issuer's key id and with one's own key in the header."""
    key = generate_private_key(SECP256R1())
    public = jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return jwt.encode(_claims(world), key, "ES256", {"kid": "key-1", "jwk": public})


def _auditors(**claims: Any) -> Callable[[World], str]:
    return lambda world: world.bearer(**claims)["Authorization"].removeprefix("Bearer ")


REFUSED: dict[str, Callable[[World], str]] = {
    "expired": _auditors(exp=1_700_000_000),
    "not yet valid": _auditors(nbf=4_000_000_000),
    "made in the future": _auditors(iat=4_000_000_000),
    "for ever": _auditors(exp=None),
    "another audience": _auditors(aud="another-service"),
    "no audience": _auditors(aud=None),
    "another issuer": _auditors(iss="https://issuer.example"),
    "nobody's": _auditors(sub=None),
    "alg none": _unsigned,
    "key confusion": _confused,
    "a stranger's key under a known id": _strangers,
    "an unknown key": lambda world: LocalIssuer().token("mallory", ["tallystick:auditor"], iss=world.issuer.url),
    "changed": lambda world: _auditors()(world)[:-8] + "AAAAAAAA",
    "no token": lambda _: "wrong",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_token_that_is_refused(client: httpx.Client, world: World, kind: str) -> None:
    """Whatever is wrong with a token, it opens nothing; the answer says which part, and repeats none of it."""
    token = REFUSED[kind](world)
    for path in ("/v1/positions/0/0", "/v1/decisions/tx-plain", "/decisions/tile/entries/000"):
        answer = client.get(path, headers={"Authorization": f"Bearer {token}"})
        problem(answer, 401, "token-refused")
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert token not in answer.text


def test_a_key_that_is_not_named(client: httpx.Client, world: World) -> None:
    """Basic credentials and a bare token are none."""
    token = world.bearer()["Authorization"].removeprefix("Bearer ")
    for value in (f"Basic {token}", token):
        problem(client.get("/v1/positions/0/0", headers={"Authorization": value}), 401, "token-refused")


@pytest.mark.parametrize("path", AUDITORS)
def test_what_is_for_auditors_alone(client: httpx.Client, customer: httpx.Client, world: World, path: str) -> None:
    """A customer and a privacy officer are told that their token is not for it."""
    answer = customer.get(path)
    problem(answer, 403, "scope-missing")
    assert "insufficient_scope" in answer.headers["www-authenticate"]
    problem(client.get(path, headers=world.bearer("privacy")), 403, "scope-missing")


def test_a_customer_sees_their_own(customer: httpx.Client, world: World) -> None:
    """Outcome and reasons in plain words; the receipt verifies, with who paid what disclosed."""
    body = customer.get("/v1/decisions/tx-plain").json()
    decision = body["decision"]
    assert (decision["outcome"], decision["outcome_text"]) == ("DECLINE", "The payment was refused as suspected fraud.")
    assert [reason["code"] for reason in decision["reasons"]] == ["MARGIN_DECLINE"]
    assert "very likely" in decision["reasons"][0]["text"]
    assert not {"margin", "score", "model_digest"} & set(decision)
    bundle = customer.get(body["bundle"], params={"disclose": "identity,transaction"}).content
    verified = verify_bundle(bundle, world.policy)
    assert set(verified.disclosures) == {"identity", "transaction"}
    for form in ("tlog-proof", "receipt", "entry"):
        assert customer.get(f"/v1/decisions/tx-plain/{form}").status_code == 200


FORMS = ["", "/bundle", "/bundle?disclose=identity", "/tlog-proof", "/receipt", "/entry"]
ON_THEIR_WAY = {"tx-pending": (404, "not-yet-logged"), "tx-unpublished": (404, "not-yet-logged")}
NOT_ANSWERED = {**ON_THEIR_WAY, "tx-misindexed": (500, "inconsistent"), "tx-ignored": (404, "unknown")}
"""Transactions of the bank's customer that have no answer yet, or none at all, and what they are told of them."""
THEIRS = ["tx-plain", "tx-twice", "tx%2Fwith%2Fslash", "tx-rescored", "tx-first-decided", "tx-erased", *NOT_ANSWERED]


def told(answer: httpx.Response) -> tuple[int, bytes, dict[str, str]]:
    """Return all that an answer tells by what it says, its time apart."""
    return answer.status_code, answer.content, {name: value for name, value in answer.headers.items() if name != "date"}


@pytest.mark.parametrize("form", FORMS)
def test_another_customers_is_not_there(client: httpx.Client, world: World, form: str) -> None:
    """Another's transaction is refused in the words for one that does not exist, wherever it is; so is an erased one."""
    other = world.bearer("customer", "c-2")
    nowhere = client.get(f"/v1/decisions/tx-nowhere{form}", headers=other)
    problem(nowhere, 404, "unknown")
    for transaction_id in THEIRS:
        theirs = client.get(f"/v1/decisions/{transaction_id}{form}", headers=other)
        assert told(theirs) == told(nowhere), transaction_id
    erased = client.get(f"/v1/decisions/tx-erased{form}", headers=world.bearer("customer", CUSTOMER))
    assert told(erased) == told(nowhere)


@pytest.mark.parametrize("form", ["", "/bundle"])
def test_another_customers_is_not_on_the_console(client: httpx.Client, world: World, form: str) -> None:
    """Nor is it there on a page."""
    cookie = {"Cookie": f"tallystick-token={world.bearer('customer', 'c-2')['Authorization'].removeprefix('Bearer ')}"}
    nowhere = client.get(f"/console/decisions/tx-nowhere{form}", headers=cookie)
    assert nowhere.status_code == 404
    for transaction_id in THEIRS:
        theirs = client.get(f"/console/decisions/{transaction_id}{form}", headers=cookie)
        assert told(theirs) == told(nowhere), transaction_id


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("transaction_id", NOT_ANSWERED)
def test_a_customer_is_told_how_far_their_own_is(customer: httpx.Client, transaction_id: str, form: str) -> None:
    """What cannot be answered yet, or at all, is said to whose it is."""
    problem(customer.get(f"/v1/decisions/{transaction_id}{form}"), *NOT_ANSWERED[transaction_id])


def test_a_transaction_id_that_two_customers_used(client: httpx.Client, world: World) -> None:
    """Each is shown their own decision on it, and neither the other's, not even that there is one."""
    for customer_id, made in ((CUSTOMER, "shared, older"), ("c-2", "shared, newer")):
        body = client.get("/v1/decisions/tx-shared", headers=world.bearer("customer", customer_id)).json()
        assert body["other_decisions"] == []
        assert body["decision"]["log_index"] == [one.decision for one in world.named.values()].index(world.named[made].decision)


def test_a_customer_whose_token_names_none(client: httpx.Client, world: World) -> None:
    """The scope alone says not whose decisions they are; so it is refused before anything is looked for."""
    for transaction_id in ("tx-nowhere", *THEIRS):
        problem(client.get(f"/v1/decisions/{transaction_id}", headers=world.bearer("customer")), 403, "scope-missing")
