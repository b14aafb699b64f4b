"""The issuer's keys over HTTP: read once, read again for a new one, not too often; and what is said when it is down."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from tallystick.audit.api.access import Gate
from tallystick.audit.errors import ClosedError, TokenRefusedError, UnavailableError
from tallystick.audit.issuer import FLOOR_S, REFRESH_S, STALE_S, Issuer
from tallystick.audit.tokens import ANYBODY, Scope, Terms
from tallystick.embedded import LocalIssuer, free_port
from tallystick.embedded import issuer as serving

NOW_S = 1_790_000_000.0


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = NOW_S

    def __call__(self) -> float:
        """Tell the time."""
        return self.now_s


class Counted(LocalIssuer):
    """An issuer that counts how often its keys are asked for."""

    asked = 0

    def key_set(self) -> dict[str, Any]:
        """Return the keys, and count."""
        self.asked += 1
        return super().key_set()


@pytest.fixture
def clock() -> Clock:
    """Give a clock."""
    return Clock()


@pytest.fixture
def local(clock: Clock) -> Iterator[Counted]:
    """Run an issuer by that clock."""
    with Counted(clock=clock) as issuer:
        yield issuer


def gate(local: LocalIssuer, clock: Clock) -> Gate:
    """Return a gate that believes the issuer."""
    return Gate(Issuer(local.url, clock=clock), Terms(local.url, "tallystick-audit"), clock)


def bearer(local: LocalIssuer, **claims: Any) -> str:
    """Return an auditor's header."""
    return f"Bearer {local.token('ada', ['tallystick:auditor'], **claims)}"


async def test_keys_are_read_once(local: Counted, clock: Clock) -> None:
    """Many tokens, one reading; a second one long after, by the probe."""
    asked = gate(local, clock)
    for _ in range(5):
        assert (await asked.caller(bearer(local))).may(Scope.AUDITOR)
    assert local.asked == 1
    issuer = Issuer(local.url, clock=clock)
    await issuer.probe()
    clock.now_s += REFRESH_S / 2
    await issuer.probe()
    assert local.asked == 2
    clock.now_s += REFRESH_S / 2
    await issuer.probe()
    assert local.asked == 3


async def test_an_unknown_key_is_looked_for_but_not_too_often(local: Counted, clock: Clock) -> None:
    """A key that is new is found; ids that are made up have the issuer asked once in ten seconds, and no more."""
    asked = gate(local, clock)
    await asked.caller(bearer(local))
    clock.now_s += FLOOR_S
    local.rotate()
    assert (await asked.caller(bearer(local))).subject == "ada"
    assert local.asked == 2
    stranger = LocalIssuer(clock=clock)
    for _ in range(4):
        stranger.rotate()
    for _ in range(10):
        with pytest.raises(TokenRefusedError, match="does not have"):
            await asked.caller(bearer(stranger, iss=local.url))
    assert local.asked == 2
    clock.now_s += FLOOR_S
    with pytest.raises(TokenRefusedError):
        await asked.caller(bearer(stranger, iss=local.url))
    assert local.asked == 3


async def test_a_key_that_was_taken_back(local: Counted, clock: Clock) -> None:
    """After the next reading its tokens are refused, also those that had been taken before."""
    issuer = Issuer(local.url, clock=clock)
    asked, old = Gate(issuer, Terms(local.url, "tallystick-audit"), clock), bearer(local)
    assert (await asked.caller(old)).subject == "ada"
    local.rotate(keep=False)
    clock.now_s += REFRESH_S
    await issuer.probe()
    with pytest.raises(TokenRefusedError):
        await asked.caller(old)


async def test_a_token_that_was_taken_expires(local: Counted, clock: Clock) -> None:
    """That it held once does not make it hold for ever."""
    asked, token = gate(local, clock), bearer(local, lifetime_s=60)
    assert (await asked.caller(token)).subject == "ada"
    clock.now_s += 91
    with pytest.raises(TokenRefusedError, match="expired"):
        await asked.caller(token)


async def test_an_issuer_that_is_down_is_said(local: Counted, clock: Clock) -> None:
    """Keys that are known go on to count for a day; what cannot be told is neither taken nor refused."""
    issuer = Issuer(local.url, clock=clock)
    asked, token = Gate(issuer, Terms(local.url, "tallystick-audit"), clock), bearer(local, lifetime_s=10 * STALE_S)
    await asked.caller(token)
    local.stop()
    clock.now_s += REFRESH_S
    with pytest.raises(UnavailableError, match="issuer is not answering"):
        await issuer.probe()
    assert (await asked.caller(token)).subject == "ada"
    local.rotate()
    with pytest.raises(UnavailableError):
        await asked.caller(bearer(local))
    clock.now_s += STALE_S
    with pytest.raises(UnavailableError):
        await asked.caller(token)
    local.start()
    clock.now_s += FLOOR_S
    assert (await asked.caller(token)).subject == "ada"


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ({"issuer": "https://elsewhere.example", "jwks_uri": "http://127.0.0.1:1/"}, "another issuer's"),
        ({"issuer": "{url}", "jwks_uri": "file:///etc/passwd"}, "https"),
        ({"issuer": "{url}"}, "jwks_uri"),
        (["{url}"], "jwks_uri"),
    ],
    ids=["another", "file", "no keys", "no object"],
)
async def test_a_discovery_document_that_is_none(
    local: Counted, clock: Clock, monkeypatch: pytest.MonkeyPatch, document: object, why: str
) -> None:
    """What names other keys than the issuer's own is not followed."""
    said = json.dumps(document).replace("{url}", local.url).encode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(said)

    monkeypatch.setattr(serving._Handler, "do_GET", answer)
    with pytest.raises(UnavailableError) as raised:
        await Issuer(local.url, clock=clock).probe()
    assert why in raised.value.reason


async def test_without_discovery(local: Counted, clock: Clock) -> None:
    """Where the keys are may be said instead."""
    issuer = Issuer("https://issuer.example", f"{local.url}/jwks.json", clock=clock)
    asked = Gate(issuer, Terms("https://issuer.example", "tallystick-audit"), clock)
    assert (await asked.caller(bearer(local, iss="https://issuer.example"))).subject == "ada"


async def test_nobody_and_nowhere(local: Counted, clock: Clock) -> None:
    """Without a token one is anybody; without an issuer, everything is closed."""
    assert await gate(local, clock).caller(None) is ANYBODY
    with pytest.raises(ClosedError):
        await Gate(None, Terms("", "tallystick-audit"), clock).caller(bearer(local))
    with pytest.raises(UnavailableError):
        await Gate(Issuer(f"http://127.0.0.1:{free_port()}", clock=clock), Terms("", ""), clock).caller(bearer(local))
