"""`tallystick policy`: a policy taken up to the keys that the log names, and what provisioning makes of it afterwards."""

from pathlib import Path

import pytest

from tallystick.cli.main import main
from tallystick.cli.policy import updated_files
from tallystick.cli.provision.errors import ProvisionError
from tallystick.cli.provision.policy import write_policy
from tallystick.contracts import EntryKind
from tallystick.merkle.keys import ED25519, VerifierKey
from tallystick.trust.governance import replay
from tallystick.trust.log_keys import LogKeys
from tallystick.trust.policy import TrustPolicy

from ..trust.helpers import DECISIONS, GOVERNANCE, Log, log_key, log_policy, public, trust_policy, trust_toml
from .logs import publish

OLD, NEW = VerifierKey.make(GOVERNANCE, ED25519, public(GOVERNANCE)), VerifierKey.make(GOVERNANCE, ED25519, public("new"))


def governance() -> Log:
    """Return a log that adds a key to the governance log and retires the old one, and speaks of a log that nobody knows."""
    log = Log(GOVERNANCE)
    for record in (log_key("new"), log_key("else", origin="unknown.example/log"), log_key(GOVERNANCE, last_size=7)):
        log.append(EntryKind.ENTRY_KIND_LOG_KEY, record)
    return log


def keys() -> LogKeys:
    """Return what that log says of keys."""
    return replay(governance().entries, trust_policy()).log_keys


def test_an_updated_policy_knows_both_keys_and_how_far_the_old_one_is_good() -> None:
    """Everything else stays byte for byte, and doing it again changes nothing."""
    files = updated_files(log_policy(), trust_toml(), keys())
    policy = TrustPolicy.parse(files["log.policy"], files["trust.toml"])
    assert [key.public_key for key, _ in policy.log_policy.logs if key.name == GOVERNANCE] == [
        public(GOVERNANCE),
        public("new"),
    ]
    assert policy.log_policy.retired == {OLD: 7}
    assert {key.name for key, _ in policy.log_policy.logs} == {GOVERNANCE, DECISIONS}
    assert files["trust.toml"].startswith(trust_toml())
    assert updated_files(files["log.policy"], files["trust.toml"], keys()) == files


def test_without_a_change_of_keys_nothing_changes() -> None:
    """A log that says nothing of keys leaves both files as they are."""
    assert updated_files(log_policy(), trust_toml(), LogKeys()) == {"log.policy": log_policy(), "trust.toml": trust_toml()}


def test_the_command_writes_a_new_folder_and_says_what_is_in_it(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The log is verified under the old policy, and a folder that is there is not overwritten."""
    publish(governance(), folder / "governance")
    log = ["--log", (folder / "governance").as_uri(), "--trust", str(folder / "policy")]
    assert main(["policy", "update", *log, "-o", str(folder / "new")]) == 0
    told = capsys.readouterr().out
    assert f"log         {NEW}\n" in told
    assert f"log         {OLD}, retired: good up to 7 entries\n" in told
    assert main(["policy", "show", "--trust", str(folder / "new")]) == 0
    assert capsys.readouterr().out == told
    assert main(["policy", "update", *log, "-o", str(folder / "new")]) == 1


def test_a_log_that_does_not_verify_updates_nothing(folder: Path) -> None:
    """Somebody else's log cannot bring in its keys."""
    publish(governance(), folder / "governance", governance().checkpoint(signer="eve"))
    log = ["--log", (folder / "governance").as_uri(), "--trust", str(folder / "policy")]
    assert main(["policy", "update", *log, "-o", str(folder / "new")]) == 1
    assert not (folder / "new").exists()


def test_provisioning_again_keeps_a_policy_that_was_updated(tmp_path: Path) -> None:
    """What was provisioned is still in it, and beyond it only logs' keys; anything else is another policy, and refused."""
    made = {"log.policy": log_policy(), "trust.toml": trust_toml()}
    write_policy(tmp_path, made)
    updated = updated_files(made["log.policy"], made["trust.toml"], keys())
    for name, data in updated.items():
        (tmp_path / name).write_bytes(data)
    write_policy(tmp_path, made)
    assert {name: (tmp_path / name).read_bytes() for name in made} == updated
    for name, more in (("trust.toml", b"\n[freshness]\n"), ("log.policy", b"quorum none\n")):
        (tmp_path / name).write_bytes(made[name] + more)
        with pytest.raises(ProvisionError, match="says something else"):
            write_policy(tmp_path, made)
        (tmp_path / name).write_bytes(updated[name])
    write_policy(tmp_path, made, replace=True)
    assert (tmp_path / "trust.toml").read_bytes() == made["trust.toml"]
