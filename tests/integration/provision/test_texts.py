"""What provision writes for others to read: the trust policy's text, URLs, password verifiers."""

import base64
import tomllib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.cli.provision import Provisioned, ProvisionPlan, SignerKey
from tallystick.cli.provision.policy import Origins, trust_toml
from tallystick.cli.provision.postgres import scram_verifier


@pytest.mark.parametrize("name", ['Zoë "Z" O\'Neil', "a\\b", "tab\there", "[signers]", "\x7f", "日本"])
def test_names_are_read_back_as_they_were(name: str) -> None:
    """Whatever a name holds, it stays one string in trust.toml."""
    key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    text = trust_toml(Origins.under("bank.example/fraud"), [SignerKey(name, ("publisher",), key)], "in.put", 3)
    read = tomllib.loads(text.decode())
    assert read["signers"] == [{"name": name, "public_key": base64.b64encode(key).decode(), "roles": ["publisher"]}]
    assert list(read["topics"]) == ["in.put"]


def test_a_services_url_keeps_the_options_and_loses_the_password(tmp_path: Path) -> None:
    """Host, port and TLS options are the administrator's; user and database the service's."""
    url = "postgresql://postgres:s3cret@db:6432/postgres?sslmode=verify-full"
    plan = ProvisionPlan(kafka={}, vault_addr="", vault_token="", database_url=url, output=tmp_path)
    assert Provisioned(plan, ()).database_url("audit") == "postgresql://audit@db:6432/tallystick?sslmode=verify-full"


def test_a_verifier_is_the_known_one() -> None:
    """The keys of RFC 7677 §3's exchange: password `pencil`, its salt, 4096 rounds."""
    verifier = scram_verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="))
    assert verifier == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )
