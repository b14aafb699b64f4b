"""The service in all of its layers, when something in it fails that nobody had foreseen."""

import logging
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from tallystick.audit.api.app import create_app
from tallystick.audit.api.compression import Compressed
from tallystick.audit.api.limits import Bounded, Limits
from tallystick.audit.buckets import Rate
from tallystick.runtime.health import Health
from tallystick.runtime.shield import Shield

ANY = Rate(0, 1)


def client() -> httpx.AsyncClient:
    """Return a caller of an API that has lost its policy's files, and everything else."""
    limits = Limits(ANY, ANY)
    audit = cast("Any", SimpleNamespace(logs={}, closed=frozenset(), limits=limits, policy_files={}))
    app = create_app(audit, Health("audit"), cast("Any", None))
    return httpx.AsyncClient(transport=httpx.ASGITransport(Shield(Compressed(Bounded(app, limits)))), base_url="http://audit")


@pytest.mark.parametrize("path", ["/v1/trust-policy/log.policy", "/console/models"])
async def test_an_unexpected_error(path: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is the problem that the OpenAPI document declares for every operation, and logged once."""
    async with client() as caller:
        answer = await caller.get(path)
        document = (await caller.get("/openapi.json")).json()
    assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
    declared = document["paths"]["/v1/trust-policy/{file}"]["get"]["responses"]["500"]["content"]["application/problem+json"]
    assert answer.json() == declared["examples"]["internal"]["value"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert len([record for record in caplog.records if record.levelno >= logging.ERROR]) == 1


FORMS = {
    "too many fields": ({"content": "&".join(f"{name}=1" for name in "abcdefghij")}, "more fields"),
    "too long": ({"content": "token=" + "x" * 20_000}, "too long"),
    "no site": ({"content": "token=x", "headers": {"Origin": "http://["}}, "another site"),
}


@pytest.mark.parametrize("path", ["/console/sign-in", "/console/sign-out"])
@pytest.mark.parametrize(("sent", "words"), FORMS.values(), ids=FORMS)
async def test_a_form_that_is_none(path: str, sent: dict[str, Any], words: str, caplog: pytest.LogCaptureFixture) -> None:
    """The page says what is wrong with it, and nothing is logged."""
    async with client() as caller:
        answer = await caller.post(path, **sent)
    assert (answer.status_code, answer.headers["content-type"]) == (400, "text/html; charset=utf-8")
    assert words in answer.text
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
