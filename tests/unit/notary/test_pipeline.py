"""The pipeline's refusals, its repeated publication, and what it says of itself."""

import copy
import shutil
from pathlib import Path

import pytest

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import EMPTY_ROOT
from tallystick.notary.effects import KnownHead
from tallystick.notary.errors import CorruptLogError, FencedError, ForkError, UnavailableError
from tallystick.notary.service import keep_going
from tallystick.notary.state import Head
from tallystick.runtime.backoff import Backoff
from tallystick.runtime.health import Health

from .cosigners import MemoryWitnesses
from .stand import ORIGIN, Stand, decisions

BATCHES = ({0: decisions(0, range(300))}, {0: decisions(0, range(300, 400), 300)})


async def test_an_empty_log_is_published(tmp_path: Path) -> None:
    """There is a checkpoint of size 0 before the first record."""
    stand = Stand(tmp_path)

    pipeline = await stand.run()

    assert await stand.verify() == (Checkpoint(ORIGIN, 0, EMPTY_ROOT), [])
    assert pipeline.published_size == 0
    assert list(stand.ledger.checkpoints) == [0]


async def test_every_checkpoint_is_recorded_and_announced(tmp_path: Path) -> None:
    """File, database and topic have the same note, byte for byte."""
    stand = Stand(tmp_path, BATCHES)

    await stand.run()

    assert list(stand.ledger.checkpoints) == [0, 300, 400]
    assert stand.announcements.notes == [note for _, note in stand.ledger.checkpoints.values()]
    assert (stand.public / "checkpoint").read_bytes() == stand.announcements.notes[-1]


async def test_an_unchanged_checkpoint_is_published_again_when_due(tmp_path: Path) -> None:
    """Every `refresh_s`, and not before."""
    stand = Stand(tmp_path)
    pipeline, _ = stand.notary(refresh_s=10)
    await pipeline.recover()

    published = []
    for now_s in (5, 10, 15, 19.9, 20):
        stand.now_s = now_s
        await pipeline.round()
        published.append(len(stand.announcements.notes))

    assert published == [1, 2, 2, 2, 3]


async def test_a_public_checkpoint_ahead_of_the_database_stops_the_notary(tmp_path: Path) -> None:
    """A database restored from an old backup is never continued: that would be a fork."""
    stand = Stand(tmp_path, BATCHES)
    await stand.run()
    stand.ledger.head = Head(300, stand.ledger.checkpoints[300][0])
    stand.witnesses = MemoryWitnesses()

    with pytest.raises(ForkError, match="400 entries, the database only 300"):
        await stand.run()

    assert (await stand.verify())[0].size == 400


async def test_another_root_at_the_same_size_stops_the_notary(tmp_path: Path) -> None:
    """So does a database of another history."""
    stand = Stand(tmp_path, BATCHES)
    await stand.run()
    stand.ledger.head = Head(400, bytes(32))
    stand.witnesses = MemoryWitnesses()

    with pytest.raises(ForkError, match="different roots"):
        await stand.run()


async def test_a_head_that_witnesses_know_and_the_database_does_not_stops_the_notary(tmp_path: Path) -> None:
    """Database and files restored together from an old backup look whole; what witnesses cosigned since tells."""
    stand = Stand(tmp_path, BATCHES[:1])
    await stand.run()
    backup, tree = copy.deepcopy(stand.ledger), shutil.copytree(stand.public, tmp_path / "backup")
    stand.batches = BATCHES
    await stand.run()

    old = Stand(tmp_path / "old", ({0: decisions(0, range(300, 350), 300)},), backup, witnesses=stand.witnesses)
    shutil.copytree(tree, old.public)
    with pytest.raises(ForkError, match=r"w1 cosigned has 400 entries, the database only 300\..*an old backup.*another name"):
        await old.run()
    assert (await old.verify())[0].size == 300
    old.witnesses = MemoryWitnesses()
    assert (await old.run()).size == 350, "without what the witnesses know, this is how a log is forked"


@pytest.mark.parametrize("size", [100, 300])
async def test_a_head_that_witnesses_know_of_another_tree_stops_the_notary(tmp_path: Path, size: int) -> None:
    """Not larger, but not of this log either: a fork, whatever the notary's own files say."""
    stand, other = Stand(tmp_path, BATCHES[:1]), Stand(tmp_path / "other", ({1: decisions(1, range(size))},))
    await stand.run()
    await other.run()
    stand.witnesses = other.witnesses

    with pytest.raises(
        ForkError, match="different roots" if size == 300 else "w1 cosigned, of size 100, is not part of this log"
    ):
        await stand.run()


async def test_heads_known_elsewhere_count_as_well(tmp_path: Path) -> None:
    """Whoever else keeps heads of the log is asked once, before the first signature."""
    asked = []

    async def anchors() -> list[KnownHead]:
        asked.append(len(stand.announcements.notes))
        return [KnownHead("the anchor of last night", Checkpoint(ORIGIN, 900, bytes(32)))][: len(asked) - 1]

    stand = Stand(tmp_path, BATCHES, elsewhere=(anchors,))
    pipeline = await stand.run()
    await pipeline.recover()
    assert asked == [0]
    with pytest.raises(ForkError, match="the anchor of last night has 900 entries, the database only 400"):
        await stand.run()


async def test_without_a_quorum_nothing_is_signed_or_published_and_the_log_does_not_grow(tmp_path: Path) -> None:
    """At the start, heads are needed; later, cosignatures: what was committed waits for them, and nothing is added to it."""
    stand = Stand(tmp_path, BATCHES)
    stand.witnesses.dead = {"w1", "w2"}
    pipeline, _ = stand.notary()
    with pytest.raises(UnavailableError, match="witnesses: w1, w2: dead"):
        await pipeline.recover()
    assert not (stand.public / "checkpoint").exists()

    stand.witnesses.dead = {"w1"}
    await pipeline.recover()
    await pipeline.round()
    stand.witnesses.dead = {"w2", "w3"}
    for step in (pipeline.round, pipeline.recover, pipeline.recover):
        with pytest.raises(UnavailableError):
            await step()
        assert ((await stand.verify())[0].size, stand.ledger.head.size) == (300, 400)

    stand.witnesses.dead = {"w3"}
    await pipeline.recover()
    assert (await stand.verify())[0].size == 400


async def test_a_public_checkpoint_that_is_no_prefix_stops_the_notary(tmp_path: Path) -> None:
    """A smaller checkpoint must be a state that this very log was in."""
    stand, other = Stand(tmp_path, BATCHES), Stand(tmp_path / "other", ({0: decisions(0, range(100))},))
    await stand.run()
    await other.run()
    (stand.public / "checkpoint").write_bytes((other.public / "checkpoint").read_bytes())
    await stand.run()  # 100 of the same decisions: a prefix

    foreign = Stand(tmp_path / "foreign", ({1: decisions(1, range(100))},))
    await foreign.run()
    (stand.public / "checkpoint").write_bytes((foreign.public / "checkpoint").read_bytes())
    with pytest.raises(ForkError, match="not part of this log"):
        await stand.run()


async def test_lost_tiles_stop_the_notary(tmp_path: Path) -> None:
    """The database's root must be the tiles'."""
    stand = Stand(tmp_path, BATCHES)
    await stand.run()
    (stand.public / "tile/0/001.p/144").unlink()

    with pytest.raises(CorruptLogError, match="missing"):
        await stand.run()


async def test_a_second_notary_shuts_the_first_out(tmp_path: Path) -> None:
    """The first can neither commit nor publish from the moment that the second has begun."""
    stand = Stand(tmp_path, BATCHES)
    first, _ = stand.notary()
    await first.recover()
    await stand.run()

    with pytest.raises(FencedError):
        await first.round()
    with pytest.raises(FencedError):
        await first.recover()
    assert (await stand.verify())[0].size == 400


async def test_a_gap_is_said_and_the_log_goes_on(tmp_path: Path) -> None:
    """A stopped partition is in the pipeline's state, with its lag, and is not read again after a restart either."""
    stand = Stand(
        tmp_path, ({0: decisions(0, [0, 2]), 1: decisions(1, [0])}, {0: decisions(0, [3], 2), 1: decisions(1, [1], 1)})
    )

    for _ in range(2):
        pipeline = await stand.run()
        assert list(pipeline.stopped_partitions) == [0]
        assert pipeline.lag == 2
        assert pipeline.size == 3


async def test_an_unavailable_server_is_waited_for_with_growing_pauses(tmp_path: Path) -> None:
    """Each failure is said in health, the pauses grow, and the log recovers; anything else ends the notary."""
    stand, health = Stand(tmp_path, BATCHES), Health("notary", ("decisions",), ("decisions",))
    pipeline, topic = stand.notary()
    pauses: list[float] = []
    states: list[str] = []
    down = stand.ledger.open

    async def not_answering(epoch: int | None) -> None:
        raise UnavailableError("database", "gone")

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        states.append(health.state("decisions"))
        if len(pauses) == 3:
            stand.ledger.open = down  # type: ignore[method-assign]  # a failure is put in its place

    async def fetch(timeout_s: float) -> None:
        raise ZeroDivisionError

    stand.ledger.open = not_answering  # type: ignore[method-assign, assignment]  # as above, and it never returns
    topic.fetch = fetch  # type: ignore[method-assign, assignment]
    with pytest.raises(ZeroDivisionError):
        await keep_going(pipeline, health=health, log="decisions", backoff=Backoff(0.1, 1, lambda: 0), sleep=sleep)

    assert pauses == [0.1, 0.2, 0.4]
    assert all("database: gone" in state for state in states)
    assert health.state("decisions") == "ok"
