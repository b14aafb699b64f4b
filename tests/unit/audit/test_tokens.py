"""Access tokens: what counts, by a clock that is given."""

import json
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from tallystick.audit.tokens import Caller, Scope, Terms, TokenError, parse_keys, read_header, verify

NOW_S = 1_790_000_000
TERMS = Terms("https://issuer.example", "tallystick-audit")
CLAIMS = {
    "iss": TERMS.issuer,
    "aud": ["other", TERMS.audience],
    "sub": "ada",
    "exp": NOW_S + 60,
    "iat": NOW_S,
    "scope": "openid tallystick:auditor",
}
P256 = ec.generate_private_key(ec.SECP256R1())
P384 = ec.generate_private_key(ec.SECP384R1())
OKP = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65537, 2048)
ALGORITHMS: dict[str, tuple[Any, Any]] = {
    "ES256": (P256, jwt.algorithms.ECAlgorithm),
    "ES384": (P384, jwt.algorithms.ECAlgorithm),
    "EdDSA": (OKP, jwt.algorithms.OKPAlgorithm),
    "RS256": (RSA, jwt.algorithms.RSAAlgorithm),
    "PS256": (RSA, jwt.algorithms.RSAAlgorithm),
}


def jwk(algorithm: str, **more: object) -> dict[str, Any]:
    """Return the public key of an algorithm."""
    key, family = ALGORITHMS[algorithm]
    return {**family.to_jwk(key.public_key(), as_dict=True), "kid": "k", **more}


def check(claims: Mapping[str, object], algorithm: str = "ES256", key: dict[str, Any] | None = None, **header: Any) -> Caller:
    """Sign claims and verify them."""
    token = jwt.encode(dict(claims), ALGORITHMS[algorithm][0], algorithm, {"kid": "k", **header})
    return verify(token, read_header(token), key or jwk(algorithm), TERMS, NOW_S).caller


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm(algorithm: str) -> None:
    """Each is verified by its own key, whether that says what it is for or not."""
    assert check(CLAIMS, algorithm) == Caller("ada", frozenset({Scope.AUDITOR}))
    assert check(CLAIMS, algorithm, jwk(algorithm, alg=algorithm, use="sig")).may(Scope.AUDITOR)


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [("RS256", jwk("RS256", alg="PS256")), ("ES256", jwk("ES384")), ("ES256", jwk("EdDSA")), ("EdDSA", jwk("ES256"))],
)
def test_a_key_is_for_one_algorithm(algorithm: str, key: dict[str, Any]) -> None:
    """A key that is for another one verifies nothing."""
    with pytest.raises(TokenError, match="not for its algorithm"):
        check(CLAIMS, algorithm, key)


def test_a_small_key_is_refused() -> None:
    """1,024 bits of RSA prove nothing."""
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505  as small as it must not be
    key = {**jwt.algorithms.RSAAlgorithm.to_jwk(small.public_key(), as_dict=True), "kid": "k"}
    with pytest.raises(TokenError, match="less than 2048"):
        check(CLAIMS, "RS256", key)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"exp": NOW_S - 30}, "expired"),
        ({"exp": float("inf")}, "no numbers"),
        ({"exp": "tomorrow"}, "no numbers"),
        ({"exp": True}, "no numbers"),
        ({"nbf": NOW_S + 31}, "not valid yet"),
        ({"iat": NOW_S + 31}, "not valid yet"),
        ({"aud": "tallystick"}, "another audience"),
        ({"iss": "https://issuer.example/"}, "another issuer"),
        ({"sub": ""}, "subject"),
        ({"sub": "a\nb"}, "subject"),
        ({"sub": "x" * 256}, "subject"),
        ({"exp": None}, "lacks the claim exp"),
    ],
)
def test_what_does_not_count(change: dict[str, object], why: str) -> None:
    """Each claim is needed, and needed to be right."""
    with pytest.raises(TokenError, match=why):
        check({**CLAIMS, **change})


@pytest.mark.parametrize("change", [{"exp": NOW_S - 29}, {"nbf": NOW_S + 30}, {"iat": NOW_S + 30}, {"nbf": NOW_S}])
def test_clocks_may_differ(change: dict[str, object]) -> None:
    """By the leeway and no more."""
    assert check({**CLAIMS, **change}).subject == "ada"


@pytest.mark.parametrize(
    ("scope", "scopes"),
    [
        ("tallystick:customer tallystick:privacy", {Scope.CUSTOMER, Scope.PRIVACY}),
        (["tallystick:auditor"], {Scope.AUDITOR}),
        ("tallystick:auditors tallystick tallystick:AUDITOR", set()),
        ({"tallystick:auditor": True}, set()),
        (None, set()),
    ],
)
def test_scopes(scope: object, scopes: set[Scope]) -> None:
    """A string of them or a list; what is not known here opens nothing."""
    assert check({**CLAIMS, "scope": scope}).scopes == scopes


@pytest.mark.parametrize(("claim", "customer"), [("c-1", "c-1"), (17, None), ("", None), (["c-1"], None)])
def test_customer(claim: object, customer: str | None) -> None:
    """Which customer it is, if the claim is a name."""
    assert check({**CLAIMS, "customer_id": claim}).customer_id == customer


@pytest.mark.parametrize(
    ("header", "why"),
    [({"kid": ""}, "kid"), ({"crit": ["exp"]}, "crit|not a signed"), ({"kid": "x" * 256}, "kid")],
)
def test_headers_that_are_refused(header: dict[str, Any], why: str) -> None:
    """A token names its key, and demands nothing that is not understood."""
    with pytest.raises(TokenError, match=why):
        check(CLAIMS, **header)


@pytest.mark.parametrize("token", ["", "a.b.c", "a", "é.é.é", "." * 20, "x" * 9_000])
def test_no_token(token: str) -> None:
    """What is no JWT is refused, and nothing else is raised."""
    with pytest.raises(TokenError):
        read_header(token)


def test_key_sets() -> None:
    """Public keys for signatures that have an id count; the first of an id that is there twice; others are left out."""
    keys = [
        jwk("ES256"),
        jwk("ES384"),
        jwk("RS256", kid="enc", use="enc"),
        jwk("RS256", kid="ops", key_ops=["encrypt"]),
        jwk("RS256", kid=7),
        {"kty": "oct", "kid": "secret", "k": "AAAA"},
        {**jwk("ES256"), "kid": "private", "d": "AAAA"},
        "key",
    ]
    assert parse_keys(json.dumps({"keys": keys}).encode()) == {"k": jwk("ES256")}


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"keys": {}}', b'{"keys": []}', b"[" * 100_000, b'{"keys": 3}'])
def test_no_key_set(data: bytes) -> None:
    """What is no set of keys is refused, and nothing else is raised."""
    with pytest.raises(ValueError):  # noqa: PT011  which of the two sentences does not matter
        parse_keys(data)
