"""What provision writes for others to read: the trust policy's text, URLs, password verifiers."""

import base64
import tomllib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.cli.provision import Provisioned, ProvisionError, ProvisionPlan, SealerKey, SignerKey, Witness, Witnesses
from tallystick.cli.provision.anchorers import Authority, ContractPin, pins
from tallystick.cli.provision.policy import Origins, policy_files, trust_toml
from tallystick.cli.provision.postgres import scram_verifier
from tallystick.cli.provision.vault import CLOCK_KEY, log_key, receipt_key
from tallystick.embedded import Tsa
from tallystick.merkle.keys import COSIGNATURE_V1, ED25519, VerifierKey
from tallystick.trust.anchors.pins import Contract, TimestampAuthority
from tallystick.trust.policy import Freshness, TrustPolicy


@pytest.mark.parametrize("name", ['Zoë "Z" O\'Neil', "a\\b", "tab\there", "[signers]", "\x7f", "日本"])
def test_names_are_read_back_as_they_were(name: str) -> None:
    """Whatever a name holds, it stays one string in trust.toml."""
    key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    text = trust_toml(Origins.under("bank.example/fraud"), [SignerKey(name, ("publisher",), key)], "in.put", 3, Witnesses())
    read = tomllib.loads(text.decode())
    assert read["signers"] == [{"name": name, "public_key": base64.b64encode(key).decode(), "roles": ["publisher"]}]
    assert list(read["topics"]) == ["in.put"]


def vkey(name: str, kind: int = COSIGNATURE_V1) -> VerifierKey:
    """Return a new verifier key."""
    return VerifierKey.make(name, kind, Ed25519PrivateKey.generate().public_key().public_bytes_raw())


def transit_keys(*more: str) -> dict[str, bytes]:
    """Return public keys such as Vault holds for the logs."""
    names = [made(log) for log in ("decisions", "fallbacks", "governance") for made in (log_key, receipt_key)]
    return {name: vkey("x").public_key for name in (*names, *more)}


def test_the_policy_names_the_witnesses_and_how_many_must_cosign() -> None:
    """With witnesses: their addresses, a group of them as the quorum, and its time as the governance log's; no clock key."""
    members = [Witness.parse(f"{vkey(f'w.example/{at}')} http://127.0.0.1:{at}/") for at in (1, 2, 3)]
    keys = transit_keys()
    files = policy_files(Origins.under("bank.example"), keys, [], "in", 3, Witnesses.of(members))
    policy = TrustPolicy.parse(files["log.policy"], files["trust.toml"])
    assert policy.log_policy.witness_urls == {f"w{at}": f"http://127.0.0.1:{at}" for at in (1, 2, 3)}
    assert [policy.log_policy.has_quorum(names) for names in (["w1"], ["w1", "w3"])] == [False, True]
    assert policy.freshness == Freshness(None, 60)
    assert {key.origin: key.public_key for key in policy.receipt_keys} == {
        f"bank.example/{log}": keys[receipt_key(log)] for log in ("decisions", "fallbacks", "governance")
    }


def test_the_policy_names_the_sealers_and_a_log_for_their_seals() -> None:
    """Only where there are any; a key that is none is refused before anything is made."""
    sealer = SealerKey.parse(f"s1:{base64.b64encode(vkey('x').public_key).decode()}")
    keys = transit_keys(CLOCK_KEY, log_key("seals"), receipt_key("seals"))
    files = policy_files(Origins.under("bank.example", sealed=True), keys, [], "in", 3, Witnesses(), sealers=[sealer])
    policy = TrustPolicy.parse(files["log.policy"], files["trust.toml"])
    assert policy.seals_origin == "bank.example/seals"
    assert [(one.name, one.public_key) for one in policy.sealers] == [("s1", sealer.public_key)]
    assert list(policy.origins) == ["decisions", "fallbacks", "seals", "governance"]
    for bad in ("s1", "s1:no key"):
        with pytest.raises(ProvisionError, match="is not NAME:PUBLIC_KEY"):
            SealerKey.parse(bad)


def test_without_witnesses_the_clock_tells_the_time() -> None:
    """Then the quorum is none, and the policy names the notary's own key."""
    keys = transit_keys(CLOCK_KEY)
    files = policy_files(Origins.under("bank.example"), keys, [], "in", 3, Witnesses())
    policy = TrustPolicy.parse(files["log.policy"], files["trust.toml"])
    assert policy.log_policy.quorum is None
    assert policy.freshness == Freshness("notary-clock", 60)


@pytest.mark.parametrize(
    "text",
    ["", "w+0+AA== http://w.example", str(vkey("w.example")), f"{vkey('w')} ftp://w", f"{vkey('w', ED25519)} http://w"],
    ids=["nothing", "no key", "no address", "another scheme", "another kind of key"],  # keys are made anew in each worker
)
def test_what_is_no_witness_is_refused(text: str) -> None:
    """A key and an address, and the key of the kind that cosigns."""
    with pytest.raises(ProvisionError, match=r"VKEY URL|kind 4"):
        Witness.parse(text)


def test_a_quorum_is_a_majority_unless_said_otherwise() -> None:
    """None of nobody; never more than there are."""
    members = [Witness(vkey(f"w{at}"), "http://w") for at in range(4)]
    assert Witnesses.of([]).quorum == 0
    assert [Witnesses.of(members[:size]).quorum for size in (1, 2, 3, 4)] == [1, 2, 2, 3]
    assert Witnesses.of(members, 1).quorum == 1
    for quorum, some in ((0, members), (5, members), (1, [])):
        with pytest.raises(ProvisionError, match="quorum"):
            Witnesses.of(some, quorum)


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


def test_who_anchors_is_pinned(tmp_path: Path) -> None:
    """Authorities by their roots, all that are in the file, and contracts by chain and address, come back from the policy."""
    authority = Tsa(tmp_path)
    authority.make_keys()
    roots = tmp_path / "roots.pem"
    roots.write_text(2 * authority.root_pem)
    pinned = pins([Authority.parse(f"tsa1:{roots}")], [ContractPin.parse(f"chain1:17:0x{'ab' * 20}")])
    keys = transit_keys(CLOCK_KEY)
    origins = Origins.under("bank.example")
    log_lines = policy_files(origins, keys, [], "in", 3, Witnesses())["log.policy"]
    policy = TrustPolicy.parse(log_lines, trust_toml(origins, [], "in", 3, Witnesses(), pinned))
    tsa, contract = policy.anchorers["tsa1"], policy.anchorers["chain1"]
    assert isinstance(tsa, TimestampAuthority)
    assert len(tsa.roots) == 2
    assert contract == Contract("chain1", 17, b"\xab" * 20)


@pytest.mark.parametrize("text", ["tsa1", "tsa1:/nowhere", "chain1:x:0x00", "chain1:1"])
def test_what_names_nobody_is_refused(text: str) -> None:
    """Each with what was expected."""
    parse = Authority.parse if text.startswith("tsa") else ContractPin.parse
    with pytest.raises(ProvisionError):
        parse(text)
