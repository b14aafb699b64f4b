"""P3: no unlogged model or policy can score, nor one that was superseded."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import wait_until
from tallystick.cli.replay import Trees
from tallystick.contracts import Activation, Decision, ModelStatement, PolicyStatement
from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import leaf_hash
from tallystick.runtime.log_reader import LogReader

from .bank import DAY_MS, now_ms, send, sound, stream, transactions
from .evidence import features
from .forging import COLLUDING, forged
from .governing import (
    Record,
    Release,
    activate_release,
    activation,
    govern,
    governance,
    install,
    logged,
    model_version,
    next_statement,
    person,
    policy_version,
    publish_release,
)
from .reading import emitted, read_run
from .rough import Rough

ROWS, KILLED_EVERY = 3_000, 750


def test_forged_governance_has_no_effect(platform: Platform, release: Release, other_release: Release) -> None:
    """Records that break a rule are in the log, and change nothing: the sound activation goes on deciding.

    The other model's file is there all the while, and its version is published soundly: that alone activates nothing.
    """
    (index,) = platform.health("scoring")["governance"]["activations"]
    ada, grace, mallory = person(platform, "ada"), person(platform, "grace"), ("mallory", Ed25519PrivateKey.generate())
    publish_release(platform, other_release)

    def approved_by(*signers: tuple[str, Ed25519PrivateKey], **other: object) -> Activation:
        return activation(next_statement(platform, other_release, 1, **other), signers)

    entry = governance(platform).activations[0]
    again = next_statement(platform, release, entry.effective_at_ms, number=0)
    again.ClearField("superseded_index")
    unpublished = ModelStatement.FromString(release.model_statement)
    unpublished.digest = sha256(b"unpublished").digest()
    looser = PolicyStatement(name="looser", version="1", decline_margin=99, review_margin=98, max_value_bytes=60_000)
    unknown = next_statement(platform, other_release, 1)
    unknown.policy_digest = sha256(looser.SerializeToString()).digest()
    forged: dict[str, Record] = {
        "an unknown publisher": model_version(unpublished.SerializeToString(), [mallory]),
        "an unknown policy publisher": policy_version(looser.SerializeToString(), [mallory]),
        "a policy that no one published": activation(unknown, [ada, grace]),
        "a single approver": approved_by(ada),
        "one approver twice": approved_by(ada, ada),
        "both signatures by one key": approved_by(ada, ("grace", ada[1])),
        "an unknown approver": approved_by(ada, mallory),
        "the first activation again": activation(again, [ada, grace]),
        "a number that was used": approved_by(ada, grace, number=0),
        "a number that is skipped": approved_by(ada, grace, number=2),
        "the wrong predecessor": approved_by(ada, grace, superseded_index=0),
        "another model's place": approved_by(ada, grace, model_index=1),
        "a model that is not published": approved_by(ada, grace, model_digest=sha256(b"unpublished").digest()),
    }
    before = govern(platform, *forged.values())
    refused = dict(governance(platform).rejected)
    assert set(range(before, before + len(forged))) == {at for at in refused if at >= before}

    wait_until(lambda: platform.health("scoring")["governance"]["log_size"] >= before + len(forged), "scoring to read it")
    assert platform.health("scoring")["governance"]["activations"] == [index]
    asyncio.run(stream(platform.kafka, transactions(400, "forged")))
    for decision in read_run(platform).of("forged").values():
        assert (decision.activation_index, decision.model_digest) == (index, release.model_digest)
        assert decision.policy_digest == release.policy_digest


Spoil = Callable[[Rough], str]


def _stale(rough: Rough) -> str:
    """Freeze the governance log: nothing in it is wrong but its age."""
    rough.view.show("governance", rough.view.copy("governance"))
    return "s old"


def _rolled_back(rough: Rough) -> str:
    """Serve an older log, freshly signed and cosigned: the operator has the key, and two witnesses went over to him."""
    folder = rough.view.copy("governance")
    _sign(rough.platform, folder, size=2, root=_root(rough.platform, 2))
    rough.view.show("governance", folder)
    return "rolled back"


def _forked(rough: Rough) -> str:
    """Serve another tree of the same size, freshly signed and cosigned."""
    folder = rough.view.copy("governance")
    _sign(rough.platform, folder, size=logged(rough.platform), root=sha256(b"fork").digest())
    rough.view.show("governance", folder)
    return "forked"


def _rewritten(rough: Rough) -> str:
    """Serve a larger tree that does not hold what was read before."""
    folder = rough.view.copy("governance")
    size = logged(rough.platform)
    for tile in (folder / "tile" / "entries").rglob(str(size)):
        entries = tile.read_bytes()
        tile.with_name(str(size + 1)).write_bytes(entries + entries[: 2 + int.from_bytes(entries[:2], "big")])
    _sign(rough.platform, folder, size=size + 1, root=sha256(b"rewritten").digest())
    rough.view.show("governance", folder)
    return "do not lead to its checkpoint"


def _unwitnessed(rough: Rough) -> str:
    """Serve another tree that the operator signed, and one witness of three: without a quorum it is not even looked at."""
    folder = rough.view.copy("governance")
    size, root = logged(rough.platform), sha256(b"fork").digest()
    (folder / "checkpoint").write_bytes(forged(rough.platform, "governance", size, root, ("w3",)))
    rough.view.show("governance", folder)
    return "lacks cosignatures that the policy's quorum witnesses asks for"


def _unsigned(rough: Rough) -> str:
    """Serve a checkpoint whose signature is another text's."""
    folder = rough.view.copy("governance")
    checkpoint = folder / "checkpoint"
    checkpoint.write_bytes(checkpoint.read_bytes().replace(f"\n{logged(rough.platform)}\n".encode(), b"\n1\n", 1))
    rough.view.show("governance", folder)
    return "refused"


@pytest.mark.sampled(2)
@pytest.mark.parametrize("spoil", [_stale, _rolled_back, _forked, _rewritten, _unwitnessed, _unsigned])
def test_a_governance_log_that_cannot_be_believed_stops_scoring(rough: Rough, spoil: Spoil) -> None:
    """Scoring says what is wrong, and once the last good look is too old it decides nothing; put right, it goes on.

    A process that is started meanwhile decides nothing either.
    """
    platform = rough.platform
    name = f"spoiled{spoil.__name__}"
    words = spoil(rough)
    try:
        wait_until(lambda: words in platform.health("scoring")["components"]["governance"], f"scoring to say {words!r}")
        wait_until(lambda: "s old" in platform.health("scoring")["components"]["scoring"], "scoring to stop")
        before = emitted(platform)
        asyncio.run(send(platform.kafka, [sound(f"{name}-{number}", now_ms()) for number in range(8)]))
        if spoil in (_stale, _rewritten, _unwitnessed, _unsigned):  # the others differ only from what was seen before
            platform.services["scoring"].kill()
            platform.services["scoring"].start()
            platform.services["scoring"].wait_ready(url=f"{platform.services['scoring'].health_url}/live")
            wait_until(lambda: "waiting" in platform.health("scoring")["components"]["scoring"], "scoring to wait")
        time.sleep(1.0)
        assert emitted(platform) == before
    finally:
        rough.view.restore()
    assert len(read_run(platform).of(name)) == 8


def test_a_swapped_model_file_does_not_score(rough: Rough, release: Release, other_release: Release) -> None:
    """A file that is not the one that was signed is refused by name, nothing is decided, and the right one goes on.

    Fails without the digest: the file is another whole and sound model.
    """
    platform = rough.platform
    swapped = ModelStatement.FromString(release.model_statement)
    whole = other_release.model_file + b"\n"  # another file, the same model: other tests may have this one in force
    swapped.digest, swapped.size_bytes = sha256(whole).digest(), len(whole)
    other = replace(release, model_file=whole, model_statement=swapped.SerializeToString())
    publish_release(platform, other)
    file = platform.models / f"{other.model_digest.hex()}.json"
    file.write_bytes(release.model_file)
    before = emitted(platform)
    index = activate_release(platform, other, effective_at_ms=1)

    wait_until(lambda: "refused" in platform.health("scoring")["components"]["governance"], "scoring to refuse the file")
    assert file.name in platform.health("scoring")["components"]["governance"]
    wait_until(lambda: "s old" in platform.health("scoring")["components"]["scoring"], "scoring to stop")
    asyncio.run(send(platform.kafka, [sound(f"swapped-{number}", now_ms()) for number in range(8)]))
    time.sleep(1.0)
    assert emitted(platform) == before

    file.write_bytes(whole)
    decided = read_run(platform).of("swapped").values()
    assert {(item.activation_index, item.model_digest) for item in decided} == {(index, other.model_digest)}
    install(platform, release)


@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_a_damaged_decisions_log_stops_scoring(rough: Rough, damage: str) -> None:
    """Scoring that follows the decisions' log into a damaged tile says so, stops, and goes on when the log is whole."""
    platform, view = rough.platform, rough.view
    asyncio.run(send(platform.kafka, [sound(f"before-{damage}", now_ms())]))
    read_run(platform)
    view.show("decisions", view.copy("decisions"))
    asyncio.run(send(platform.kafka, [sound(f"unseen-{damage}-{number}", now_ms()) for number in range(5)]))
    size = read_run(platform).checkpoint.size
    damaged = view.copy("decisions")
    (tile,) = (damaged / "tile" / "0").rglob(f"*.p/{size % 256}")
    data = bytearray(tile.read_bytes())
    data[-1] ^= 1
    tile.write_bytes(data if damage == "flipped" else data[:-32])
    try:
        view.show("decisions", damaged)
        words = "do not lead to its checkpoint" if damage == "flipped" else "cannot be followed"
        wait_until(lambda: words in platform.health("scoring")["components"]["scoring"], "scoring to say so")
        before = emitted(platform)
        asyncio.run(send(platform.kafka, [sound(f"after-{damage}-{number}", now_ms()) for number in range(5)]))
        time.sleep(1.0)
        assert emitted(platform) == before
        assert platform.services["scoring"].is_alive
    finally:
        view.restore()
    assert len(read_run(platform).of(f"after-{damage}")) == 5


def test_a_new_model_takes_over_at_its_time_and_for_good(rough: Rough, release: Release, other_release: Release) -> None:
    """Each partition switches at its first record whose time stamp reaches `effective_at`, kill -9 around it or not.

    Times are not in order, so records from before that time come after the switch: they stay with the new model. Each margin is
    its own model's, by the features disclosed. Fails if the switch is taken from a clock, or forgotten on resuming.
    """
    platform, at_ms = rough.platform, now_ms() - DAY_MS
    old = governance(platform).activations[-1]
    other, models = other_release.model_digest, {made.model_digest: made for made in (release, other_release)}
    publish_release(platform, other_release)
    new = activate_release(platform, other_release, effective_at_ms=at_ms)
    wait_until(lambda: new in platform.health("scoring")["governance"]["activations"], "scoring to see it")
    table = _shuffled(transactions(ROWS, "switched"))
    for start in range(0, ROWS, KILLED_EVERY):
        before = emitted(platform)
        asyncio.run(stream(platform.kafka, table.slice(start, KILLED_EVERY)))
        wait_until(lambda before=before: emitted(platform) > before, "decisions")  # type: ignore[misc]  # the default binds the loop's value
        platform.services["scoring"].kill()
        platform.services["scoring"].start()

    run = read_run(platform)
    mine = {place: item for place, item in run.decisions.items() if run.key(place).startswith(b"switched-")}
    seen = features(run, platform, mine)
    switched: set[int] = set()
    by_model: dict[bytes, list[tuple[list[float], int]]] = {digest: [] for digest in models}
    for place, decision in mine.items():
        switched |= {place[0]} if decision.decided_at_ms >= at_ms else set()
        expected = (new, other) if place[0] in switched else (old.index, old.model_digest)
        assert (decision.activation_index, decision.model_digest) == expected
        by_model[decision.model_digest].append((seen[place], decision.margin_bits))
    assert _late(list(mine.values()), at_ms, new), "no record came late: the test shows nothing"
    for digest, made in models.items():
        margins = Trees.parse(made.model_file).margins(np.array([row for row, _ in by_model[digest]], np.float32))
        assert margins.view(np.uint32).tolist() == [bits for _, bits in by_model[digest]]
    install(platform, release)


def _late(decisions: list[Decision], at_ms: int, index: int) -> bool:
    return any(item.decided_at_ms < at_ms and item.activation_index == index for item in decisions)


def _shuffled(table: pa.Table) -> pa.Table:
    """Return transactions in an order that is not that of their times, by up to a day: half of them are late somewhere."""
    times = table["event_time_ms"].to_numpy() + np.random.default_rng(4).integers(0, DAY_MS, table.num_rows)
    return table.take(np.argsort(times, kind="stable"))


def _root(platform: Platform, size: int) -> bytes:
    """Return the governance log's true root of some size."""

    async def read() -> list[bytes]:
        async with LogReader(f"{platform.log_url}/governance") as log:
            return await log.entries(0, size, logged(platform))

    frontier = Frontier()
    frontier.append(leaf_hash(entry) for entry in asyncio.run(read()))
    return frontier.root()


def _sign(platform: Platform, folder: Path, size: int, root: bytes) -> None:
    """Put a checkpoint there, signed now with the notary's own key, and cosigned by a quorum that colludes."""
    (folder / "checkpoint").write_bytes(forged(platform, "governance", size, root, COLLUDING))
