"""The small pieces: cache, problems, words, settings."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tallystick.audit.api.problems import NOT_YET_LOGGED, declared
from tallystick.audit.lru import ByteCache
from tallystick.audit.settings import AuditSettings
from tallystick.audit.wording import OUTCOMES, REASONS, tell_outcome, tell_reason
from tallystick.contracts import Outcome, ReasonCode
from tallystick.runtime.problems import Problem, problem
from tallystick.runtime.settings import load


def test_cache_forgets_the_longest_unused() -> None:
    """The cache holds what was used last, within its limit of bytes."""
    cache: ByteCache[str] = ByteCache(10)
    cache.put("a", b"12345")
    cache.put("b", b"12345")
    assert cache.get("a") == b"12345"
    cache.put("c", b"1")
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (b"12345", None, b"1")


def test_cache_replaces_and_refuses() -> None:
    """A value put again replaces the old one; one that is too large changes nothing."""
    cache: ByteCache[str] = ByteCache(10)
    for _ in range(5):
        cache.put("a", b"1234567890")
    cache.put("b", b"12345678901")
    assert (cache.get("a"), cache.get("b")) == (b"1234567890", None)


def test_problem() -> None:
    """A problem is a document of its own media type, with its kind's headers."""
    answer = problem(NOT_YET_LOGGED, "Soon.")
    assert answer.media_type == "application/problem+json"
    assert answer.headers["retry-after"] == "1"
    said = Problem.model_validate(json.loads(bytes(answer.body)))
    assert (said.type, said.status, said.detail) == ("urn:tallystick:problem:not-yet-logged", 404, "Soon.")


def test_declared_problems_have_examples() -> None:
    """Kinds that share a status are declared together, each with its example; what any operation may give is always there."""
    responses = declared(NOT_YET_LOGGED)
    assert set(responses) == {404, 422, 429, 500}
    examples = responses[404]["content"]["application/problem+json"]["examples"]
    Problem.model_validate(examples["not-yet-logged"]["value"])


@pytest.mark.parametrize("codes", [Outcome, ReasonCode], ids=["outcomes", "reasons"])
def test_every_code_has_its_words(codes: Any) -> None:
    """What may be in a decision can be told to its customer; what a later version may add, too."""
    told = {Outcome: OUTCOMES, ReasonCode: REASONS}[codes]
    assert set(told) == set(codes.values()) - {0}
    assert all(len(text) > 10 and text.endswith(".") for text in told.values())
    assert (tell_outcome(99), tell_reason(99)) == (tell_outcome(98), tell_reason(98))


@pytest.mark.parametrize("issuer", ["https://issuer.example/", "https://issuer.example/realms/bank", "http://127.0.0.1:8180"])
def test_an_issuer_is_kept_as_it_is(environment: pytest.MonkeyPatch, issuer: str) -> None:
    """Tokens name it letter by letter, the last slash included."""
    environment.setenv("TALLYSTICK_OIDC_ISSUER", issuer)
    settings = load(AuditSettings)
    assert settings.oidc_issuer == settings.terms(issuer).issuer == issuer


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """Set the least that the API needs."""
    for name in [name for name in os.environ if name.startswith("TALLYSTICK_")]:
        monkeypatch.delenv(name)
    (tmp_path / "secret-id").write_text("x")
    for name, value in {
        "LOG_URL": "file:///somewhere/",
        "MODELS_DIR": str(tmp_path),
        "TRUST_POLICY": str(tmp_path),
        "VAULT_ROLE_ID": "audit",
        "VAULT_SECRET_ID_FILE": str(tmp_path / "secret-id"),
    }.items():
        monkeypatch.setenv(f"TALLYSTICK_{name}", value)
    return monkeypatch


@pytest.mark.usefixtures("environment")
def test_settings() -> None:
    """The least settings load, and name both logs' addresses."""
    settings = load(AuditSettings)
    assert settings.log_part("governance") == "file:///somewhere/governance"
    assert settings.oidc_issuer is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOG_URL", "somewhere"),
        ("LOG_URL", "http://"),
        ("MODELS_DIR", "/nowhere"),
        ("TRUST_POLICY", "/nowhere"),
        ("OIDC_ISSUER", "http://issuer.example"),
        ("OIDC_ISSUER", "https://user@issuer.example"),
        ("OIDC_JWKS_URL", "http://issuer.example/keys"),
        ("OIDC_CA_FILE", "/nowhere"),
        ("OIDC_LEEWAY_S", "-1"),
        ("OIDC_AUDIENCE", ""),
        ("NO_SUCH_SETTING", "1"),
    ],
)
def test_wrong_settings(environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str) -> None:
    """A wrong setting ends the process with code 2 and the setting's name."""
    environment.setenv(f"TALLYSTICK_{name}", value)
    with pytest.raises(SystemExit) as ended:
        load(AuditSettings)
    assert ended.value.code == 2
    assert f"TALLYSTICK_{name}: " in capsys.readouterr().err
