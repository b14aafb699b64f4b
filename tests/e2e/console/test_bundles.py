"""The console's verifier and the Python one give the same verdict on a bundle, and the console's says what is wrong with it."""

import base64
import json
import os
import random
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from playwright.sync_api import Page

from tallystick.contracts import Activation, EntryKind, LogEntry, ReasonCode
from tallystick.trust.bundle import BundleError, verify_bundle
from tallystick.trust.bundle_format import encode_bundle
from tallystick.trust.policy import TrustPolicy, TrustPolicyError

from ...unit.trust import test_bundle, test_bundle_governance
from ...unit.trust.helpers import DECISIONS, Log, World, log_policy, trust_toml

Document = dict[str, Any]
GROUPS = ("identity", "transaction", "features", "explanation")
SOUND = World().bundle(*GROUPS)
FILES = {"log.policy": log_policy(), "trust.toml": trust_toml().replace(b"'", b'"')}
TRUST = TrustPolicy.parse(*FILES.values())
_VERIFY = """([bundle, files]) => {
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const policy = Object.fromEntries(Object.entries(files).map(([name, text]) => [name, bytes(text)]));
  return attempt(async () => {
    const found = await verifier.verifyBundle(bytes(bundle), policy);
    return {checks: found.checks, unchecked: found.unchecked, outcome: found.decision.outcome,
            named: found.disclosed.features?.named ?? null};
  });
}"""


def _verify(page: Page, bundle: bytes, files: dict[str, bytes] | None = None) -> Document:
    encoded = {name: base64.b64encode(data).decode() for name, data in (files or FILES).items()}
    answer: Document = page.evaluate(_VERIFY, [base64.b64encode(bundle).decode(), encoded])
    return answer


def _both_refuse(page: Page, bundle: bytes) -> str:
    """Check that both verifiers refuse a bundle, and return why the console's does."""
    with pytest.raises(BundleError):
        verify_bundle(bundle, TRUST)
    answer = _verify(page, bundle)
    assert "refused" in answer, "the console's verifier took it"
    words = str(answer["refused"])
    # Words for people: none that the language itself throws about a value that it did not expect.
    assert not any(odd in words for odd in ("undefined", "not a function", "Cannot ", "null ("))
    return words


@pytest.mark.browser
def test_a_sound_bundle(page: Page) -> None:
    """It holds, the checks are told in the Python verifier's words where they are the same, and features have their names."""
    found = _verify(page, SOUND)["found"]
    told = verify_bundle(SOUND, TRUST)
    assert found["checks"][1:3] == told.checks[1:3]
    assert found["outcome"] == told.decision.outcome
    assert found["named"] == [["amount", 12.5], ["count_7d", 3]]
    assert any("quorum is none" in words for words in found["unchecked"])


@pytest.mark.browser
@pytest.mark.parametrize("in_force", [True, False])
def test_a_rejected_record(page: Page, in_force: bool) -> None:
    """It proves the rejection, with what was in force if anything was."""
    world = World()
    world.reject(ReasonCode.REASON_CODE_AMOUNT_NEGATIVE, in_force=in_force)
    verify_bundle(world.bundle(), TRUST)
    assert _verify(page, world.bundle())["found"]["outcome"] == 4


@pytest.mark.browser
def test_who_was_enrolled_may_sign(page: Page) -> None:
    """With the enrolments of both approvers it holds, and says by whom they were enrolled."""
    bundle = test_bundle_governance.bundle(
        *test_bundle_governance.governed(), [test_bundle_governance.DAN, test_bundle_governance.EVE]
    )
    assert "dan was made approver by ada and bob (entry 0)" in _verify(page, bundle)["found"]["checks"]


@pytest.mark.browser
@pytest.mark.parametrize("change", [change for change, _ in test_bundle.FILE.values()], ids=list(test_bundle.FILE))
def test_a_changed_file(page: Page, change: Callable[[Document], None]) -> None:
    """Every change to a bundle's file that the Python verifier refuses."""
    document = json.loads(World().bundle("features"))
    change(document)
    _both_refuse(page, json.dumps(document).encode())


@pytest.mark.browser
@pytest.mark.parametrize("change", [change for change, _ in test_bundle.WORLDS.values()], ids=list(test_bundle.WORLDS))
def test_what_is_logged_and_wrong(page: Page, change: Callable[[World], None]) -> None:
    """Well logged, well proven, and not sound: outcomes, digests, places, signers, activations."""
    world = World()
    change(world)
    _both_refuse(page, world.bundle())


@pytest.mark.browser
@pytest.mark.parametrize(
    "shown", [shown for shown, _ in test_bundle_governance.REFUSED.values()], ids=list(test_bundle_governance.REFUSED)
)
def test_other_enrolments_than_are_needed(page: Page, shown: Sequence[int]) -> None:
    """Enrolments that are missing, doubled, out of order or too many."""
    _both_refuse(page, test_bundle_governance.bundle(*test_bundle_governance.governed(), shown))


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if isinstance(value, dict | list):
        for place in value if isinstance(value, dict) else range(len(value)):
            yield from _leaves(value[place], (*path, place))
    elif path:
        yield path


def _broken(path: tuple[str | int, ...]) -> bytes:
    """Return the sound bundle with one field broken: a number one more, a bit of what base64 holds, a letter of a text."""
    document = json.loads(SOUND)
    target = document
    for place in path[:-1]:
        target = target[place]
    value = target[path[-1]]
    if isinstance(value, int):
        target[path[-1]] = value + 1
    elif path[-1] in {"checkpoint", "group", "format"}:
        target[path[-1]] = value.replace("\n9\n", "\n8\n").replace("\n4\n", "\n3\n") if "\n" in value else value[::-1]
    else:
        data = bytearray(base64.b64decode(value)) or bytearray(1)
        data[len(data) // 2] ^= 1
        target[path[-1]] = base64.b64encode(data).decode()
    return json.dumps(document).encode()


@pytest.mark.browser
@pytest.mark.parametrize("path", list(_leaves(json.loads(SOUND))), ids=lambda path: "-".join(map(str, path)))
def test_each_field_broken(page: Page, path: tuple[str | int, ...]) -> None:
    """Every field of a bundle counts, and what failed is said."""
    assert _both_refuse(page, _broken(path))


@pytest.mark.browser
@pytest.mark.parametrize("place", [0, 1])
def test_a_bad_signature_on_what_activates(page: Page, place: int) -> None:
    """Well logged, by people who may sign, and one of them did not."""
    world = World()
    log = world.governance_log()
    entry = LogEntry.FromString(log.entries[2])
    record = Activation.FromString(entry.value)
    record.signatures[place].signature = bytes(
        [record.signatures[place].signature[0] ^ 1, *record.signatures[place].signature[1:]]
    )
    entry.value = record.SerializeToString()
    log.entries[2] = entry.SerializeToString()
    assert "is not good" in _both_refuse(page, encode_bundle(world.proofs(governance=log)))


@pytest.mark.browser
@pytest.mark.parametrize(
    ("old", "new"),
    [(b"\x20\x28", b"\x23\x28"), (b"\x20\x28", b"\x20\x28\x92\x01\x00"), (b"\x20\x28", b"\x20\x28\x20\x28\xff")],
    ids=["another wire type", "unknown", "cut short"],
)
def test_a_record_in_another_form(page: Page, old: bytes, new: bytes) -> None:
    """A logged decision whose bytes could be read in another way, or in none: its sequence, 40, is written otherwise."""
    world, log = World(), Log(DECISIONS, [b"before"] * 5)
    value = world.decision.SerializeToString()
    assert value.count(old) == 1
    index = log.append(EntryKind.ENTRY_KIND_DECISION, value.replace(old, new), topic="decisions", partition=2)
    _both_refuse(page, encode_bundle(replace(world.proofs(), decision=log.prove(index), checkpoint=log.checkpoint())))


@pytest.mark.browser
def test_a_name_that_is_repeated(page: Page) -> None:
    """JSON that two readers could understand in two ways."""
    assert "is repeated" in _both_refuse(page, SOUND.replace(b'"format"', b'"format": "x", "format"', 1))


@pytest.mark.browser
def test_bits(page: Page) -> None:
    """Bits flipped anywhere in the file are refused."""
    sound, dice = test_bundle._without_cosignatures(), random.Random(7)
    for _ in range(150 if os.environ.get("REQUIRE_ALL") == "1" else 40):
        broken = bytearray(sound)
        broken[dice.randrange(len(sound))] ^= 1 << dice.randrange(8)
        _both_refuse(page, bytes(broken))


@pytest.mark.browser
def test_a_quorum_counts(page: Page) -> None:
    """Under a policy that wants a witness the same bundle holds with its cosignature, and not with a stranger's name on it."""
    files = FILES | {"log.policy": log_policy("notary-clock")}
    assert "found" in _verify(page, SOUND, files)
    stranger = SOUND.replace("— notary-clock ".encode(), "— notary-clack ".encode())
    assert "found" in _verify(page, stranger)
    assert "lacks cosignatures" in _verify(page, stranger, files)["refused"]


# --- the trust policy ---------------------------------------------------------------------------------------------------------

CONTRACT = f'[[contracts]]\nname = "chain1"\nchain_id = 1\naddress = "0x{"ab" * 20}"\n'.encode()
POLICIES = {
    "another version": (b"version = 1", b"version = 2"),
    "an unknown table": (b"[freshness]", b"[freshnest]"),
    "an unknown name": (b"partitions = 4", b"partitions = 4\npartition = 4"),
    "a table twice": (b"[freshness]", b"[logs]"),
    "a name twice": (b"version = 1", b"version = 1\nversion = 1"),
    "no topic of that many": (b"partitions = 4", b"partitions = 0"),
    "a log without a key": (b"/governance", b"/elsewhere"),
    "one log for both": (b"test/governance", b"test/decisions"),
    "roles twice": (b'["approver"]', b'["approver", "approver"]'),
    "an unknown role": (b'["approver"]', b'["director"]'),
    "two of one name": (b'name = "bob"', b'name = "ada"'),
    "a value over two lines": (b'["approver"]', b'["approver"'),
    "words after a value": (b"version = 1", b"version = 1 2"),
    "an unknown name of a contract": (b"[[receipt_keys]]", CONTRACT + b"foo = 1\n[[receipt_keys]]"),
    "an unknown name of an authority": (
        b"[[receipt_keys]]",
        b'[[timestamp_authorities]]\nname = "tsa1"\nfoo = 1\n[[receipt_keys]]',
    ),
    "an unknown name of freshness": (b"max_age_s = 60", b"max_age_s = 60\nskew_s = 1"),
    "an object of JSON": (
        b"version = 1",
        f'version = 1\ncontracts = [{{"name": "c", "chain_id": 1, "address": "0x{"ab" * 20}"}}]'.encode(),
    ),
    "null": (b"version = 1", b"version = 1\ntopics = null"),
    "an escape of JSON": (b"test/governance", b"test\\/governance"),
    "half a character": (b"[topics.transactions]", b'[topics."\\ud83d\\ude00"]'),
    "a comment with a control character": (b"version = 1", b"version = 1 # \x07"),
}


@pytest.mark.browser
@pytest.mark.parametrize(("old", "new"), POLICIES.values(), ids=POLICIES)
def test_a_policy_that_is_not_one(page: Page, old: bytes, new: bytes) -> None:
    """What the Python verifier does not take for a policy, the console's does not either."""
    changed = FILES["trust.toml"].replace(old, new)
    assert changed != FILES["trust.toml"]
    with pytest.raises(TrustPolicyError):
        TrustPolicy.parse(FILES["log.policy"], changed)
    assert "the trust policy cannot be used" in _verify(page, SOUND, FILES | {"trust.toml": changed})["refused"]


@pytest.mark.browser
@pytest.mark.parametrize("strangers", [b'name = "ada"', b'name = "bob"', b'name = "pat"'], ids=["ada", "bob", "pat"])
def test_only_the_policy_is_trusted(page: Page, strangers: bytes) -> None:
    """The same bundle, whose signer the policy does not know."""
    files = FILES | {"trust.toml": FILES["trust.toml"].replace(strangers, b'name = "who"')}
    assert "is not known as" in _verify(page, SOUND, files)["refused"]


TOML = {
    "comments": b'# a comment\nname = "a # b" # another\n\n[t] # table\nx = [1, 2]\n',
    "names in quotes": b'[topics."a.b"]\n"c d" = "e"\n',
    "escapes": '[a]\nb = "\\u00e4 \\" \\\\ ü"\n'.encode(),
    "tables of tables": b"[[a]]\nb = 1\n[[a]]\nb = 2\n[c]\nd = true\n",
    "as provisioned": FILES["trust.toml"],
    "carriage returns": b"a = 1\r\n[b]\r\nc = -2\r\n",
}


@pytest.mark.browser
@pytest.mark.parametrize("text", TOML.values(), ids=TOML)
def test_toml_is_read_alike(page: Page, text: bytes) -> None:
    """What the console's verifier reads of TOML, it reads as Python's own parser does."""
    read = "(text) => JSON.stringify(records.parseToml(text), (_, value) => typeof value === 'bigint' ? Number(value) : value)"
    assert json.loads(page.evaluate(read, text.decode())) == tomllib.loads(text.decode())
