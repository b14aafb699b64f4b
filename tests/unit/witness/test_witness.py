"""The order of effects: nothing is answered that is not kept, and nothing is cosigned for which the state does not stand."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tallystick.merkle.keys import VerifierKey
from tallystick.witness.decision import Accepted, Head, Refused, Submission, admit, log_id
from tallystick.witness.request import AddCheckpoint
from tallystick.witness.sqlite_store import SqliteStore
from tallystick.witness.store import StateError, StateUnavailableError
from tallystick.witness.witness import Cosigned, Witness

from .logs import NOW_S, Log, witness_key

LOG, KEY = Log(), witness_key()
LOGS = {LOG.origin: (LOG.key,)}
ID = log_id(LOG.origin)


@dataclass
class FaultyStore:
    """A real state whose next writes fail as they are told to: `lost` before the write, `unreported` after it, or `beaten`."""

    inner: SqliteStore
    faults: list[str] = field(default_factory=list)
    writes: int = 0

    async def create(self, witness: VerifierKey) -> None:
        """Pass it on."""
        await self.inner.create(witness)

    async def check(self, witness: VerifierKey) -> None:
        """Pass it on."""
        await self.inner.check(witness)

    async def read(self, log: str) -> Head | None:
        """Pass it on."""
        return await self.inner.read(log)

    async def replace(self, old: Head | None, new: Head) -> bool:
        """Fail, or pass it on."""
        self.writes += 1
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "beaten":
            return False
        if fault != "lost":
            done = await self.inner.replace(old, new)
        if fault:
            raise StateUnavailableError("the disk says no")
        return done

    async def close(self) -> None:
        """Pass it on."""
        await self.inner.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[FaultyStore]:
    """Return a state that works until it is told not to."""
    made = FaultyStore(SqliteStore(tmp_path / "state"))
    await made.create(KEY.verifier)
    yield made
    await made.close()


@pytest.fixture
async def witness(store: FaultyStore) -> Witness:
    """Return a witness that has looked at its state."""
    made = Witness(KEY, store, LOGS, clock=lambda: NOW_S + 0.9)
    await made.check()
    return made


async def test_what_is_answered_is_kept(witness: Witness, store: FaultyStore) -> None:
    """The signature line of the answer is that of the note that is kept, and its time is the clock's whole second."""
    answer = await witness.add_checkpoint(LOG.request(0, 5))
    assert isinstance(answer, Cosigned)
    kept = await store.read(ID)
    assert kept is not None
    assert kept.note == LOG.checkpoint(5) + answer.text.encode()
    assert (kept.time_s, await witness.latest(ID)) == (NOW_S, kept.note)


@pytest.mark.parametrize("fault", ["lost", "unreported"])
async def test_a_write_that_fails_is_not_answered(witness: Witness, store: FaultyStore, fault: str) -> None:
    """Whether it was done or not, nobody is given the cosignature; asking again as the protocol says leads on."""
    await witness.add_checkpoint(LOG.request(0, 3))
    store.faults = [fault]
    answer = await witness.add_checkpoint(LOG.request(3, 5))
    assert isinstance(answer, Refused)
    assert answer.status == 503
    assert "cosigned nothing" in answer.text
    again = await witness.add_checkpoint(LOG.request(3, 5))
    if fault == "unreported":
        assert isinstance(again, Refused)
        assert (again.status, again.text) == (409, "5\n")
        again = await witness.add_checkpoint(LOG.request(5, 5))
    assert isinstance(again, Cosigned)


async def test_who_is_beaten_decides_anew(witness: Witness, store: FaultyStore) -> None:
    """A head that another process has replaced is read again, and the submission held against that one."""
    store.faults = ["beaten", "beaten"]
    assert isinstance(await witness.add_checkpoint(LOG.request(0, 5)), Cosigned)
    assert store.writes == 3
    store.faults = ["beaten"] * 100
    answer = await witness.add_checkpoint(LOG.request(5, 8))
    assert isinstance(answer, Refused)
    assert answer.status == 503
    assert store.writes < 50


async def test_the_same_again_within_a_second_writes_nothing(witness: Witness, store: FaultyStore) -> None:
    """What is kept already is answered again, to the byte."""
    first = await witness.add_checkpoint(LOG.request(0, 5))
    assert await witness.add_checkpoint(LOG.request(5, 5)) == first
    assert store.writes == 1


async def test_requests_at_a_time_are_one_history(witness: Witness, store: FaultyStore) -> None:
    """Of two trees of one size, asked for at a time, one is cosigned."""
    rivals = [LOG.request(0, 5, f"history {number}") for number in range(10)]
    answers = await asyncio.gather(*[witness.add_checkpoint(body) for body in rivals])
    (cosigned,) = [number for number, answer in enumerate(answers) if isinstance(answer, Cosigned)]
    kept = await store.read(ID)
    assert kept is not None
    assert kept.note.startswith(LOG.text(5, f"history {cosigned}"))


async def test_nothing_is_cosigned_before_the_state_is_known(store: FaultyStore) -> None:
    """Until the state was seen to be ours, requests are put off; refusals that need no memory are given."""
    witness = Witness(KEY, store, LOGS)
    for body, status in ((LOG.request(0, 5), 503), (LOG.request(6, 5), 400)):
        answer = await witness.add_checkpoint(body)
        assert isinstance(answer, Refused)
        assert answer.status == status
    assert store.writes == 0


async def test_a_lost_memory_is_for_good(witness: Witness, store: FaultyStore) -> None:
    """Once it has been shown a cosignature that it does not know of, this process cosigns nothing more."""
    submission = admit(LOG.request(0, 5), LOGS, KEY.verifier)
    assert isinstance(submission, Submission)
    forgotten, _ = KEY.cosign(Accepted(submission, NOW_S))
    body = AddCheckpoint(0, (), forgotten.note).encode()
    for request, status in ((body, 500), (LOG.request(0, 5), 503)):
        answer = await witness.add_checkpoint(request)
        assert isinstance(answer, Refused)
        assert answer.status == status
    with pytest.raises(StateError, match="lost what this key has cosigned"):
        await witness.check()
    assert store.writes == 0


async def test_log_lines_hold_no_secrets(witness: Witness, caplog: pytest.LogCaptureFixture) -> None:
    """A fork is told with both notes, once; a bad proof, which anybody can send, is not told at all."""
    caplog.set_level(logging.DEBUG, "tallystick")
    await witness.add_checkpoint(LOG.request(0, 5))
    await witness.add_checkpoint(LOG.request(5, 8, "false"))
    assert caplog.records == []
    await witness.add_checkpoint(LOG.request(5, 5, "false"))
    (record,) = caplog.records
    assert vars(record)["submitted"] == LOG.checkpoint(5, "false").decode()
    assert vars(record)["cosigned_last"].startswith(LOG.checkpoint(5).decode())
