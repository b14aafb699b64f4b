"""Asking witnesses: a quorum in time is enough, and whoever is slow, dead, wrong or lying is named and left aside."""

import asyncio
import gzip
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.keys import ED25519, VerifierKey
from tallystick.merkle.notes import Note, SignatureLine
from tallystick.merkle.policy import LogPolicy
from tallystick.merkle.tiles import TileBuilder, TilePath, consistency_proof
from tallystick.notary.errors import UnavailableError
from tallystick.notary.signer import NoteSigner
from tallystick.notary.witness_messages import MAX_ANSWER_BYTES, SIZE_TYPE, add_checkpoint
from tallystick.notary.witnesses import Witnesses
from tallystick.runtime.backoff import Backoff
from tallystick.witness.key import WitnessKey
from tallystick.witness.sqlite_store import SqliteStore
from tallystick.witness.witness import Witness

from .cosigners import KEYS, NAMES, PRIVATE, cosignature, policy_text
from .stand import ALLOWED, ORIGIN, Known, LocalKeys

GRACE_S, DEADLINE_S = 0.1, 0.4
SIGNER = NoteSigner(LocalKeys(), "notary-decisions", ORIGIN, ALLOWED)


class Log:
    """A log of `size` leaves, its notes and its proofs."""

    def __init__(self) -> None:
        self.tiles: dict[TilePath, bytes] = {}
        self.builder = TileBuilder()
        self.roots: dict[int, bytes] = {0: self.builder.root()}

    def grow(self, leaves: int, seed: str = "leaf") -> Checkpoint:
        """Append leaves; return the new head."""
        self.tiles |= self.builder.append([leaf_hash(f"{seed} {self.builder.size + at}".encode()) for at in range(leaves)])
        self.roots[self.builder.size] = self.builder.root()
        return Checkpoint(ORIGIN, self.builder.size, self.builder.root())

    async def prove(self, old: int, new: int) -> Sequence[bytes]:
        """See `Prove`."""
        return consistency_proof(old, new, self.read) if old else ()

    def read(self, path: TilePath) -> bytes:
        """Return a tile, cut from a fuller one if need be."""
        fuller = max(
            (each for each in self.tiles if (each.level, each.index) == (path.level, path.index)), key=lambda x: x.width
        )
        return self.tiles[fuller][: path.width * 32]


Handler = Callable[[httpx.Request], Awaitable[httpx.Response]]


@dataclass
class Wire:
    """The way to a witness, the real service's own, until a test puts a fault in its place."""

    witness: Witness
    fault: Handler | None = None
    requests: list[str] = field(default_factory=list)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        body = await request.aread()
        self.requests.append(body.decode().partition("\n")[0] or request.url.path)
        return await (self.fault or self.sound)(request)

    async def sound(self, request: httpx.Request) -> httpx.Response:
        """Let the witness answer."""
        if request.method == "POST":
            answer = await self.witness.add_checkpoint(await request.aread())
            return httpx.Response(answer.status, content=answer.text, headers={"content-type": answer.media_type})
        note = await self.witness.latest(request.url.path.split("/")[1])
        return httpx.Response(404) if note is None else httpx.Response(200, content=note)


@dataclass
class Bench:
    """Three witnesses behind a transport without a network, and those who ask them."""

    wires: dict[str, Wire]
    witnesses: Witnesses
    policy: LogPolicy
    log: Log
    reports: list[str | None]
    http: httpx.AsyncClient

    async def cosigned(self, leaves: int = 1) -> set[str]:
        """Let the log grow, have its head cosigned, verify the note under the policy; return who cosigned."""
        checkpoint = self.log.grow(leaves)
        note = await self.witnesses.cosign(checkpoint, await SIGNER.sign(checkpoint), self.log.prove)
        return set(self.policy.verify_checkpoint(note, ORIGIN).cosigned)

    async def submit(self, name: str, old: int) -> None:
        """Have a witness cosign the log's head without those who ask here knowing of it."""
        checkpoint = Checkpoint(ORIGIN, self.log.builder.size, self.log.builder.root())
        proof = await self.log.prove(old, checkpoint.size)
        answer = await self.wires[name].witness.add_checkpoint(add_checkpoint(old, proof, await SIGNER.sign(checkpoint)))
        assert answer.status == 200, answer

    def error(self, name: str) -> str:
        """Return what is said of a witness."""
        return self.witnesses.states[name].error or ""


@asynccontextmanager
async def bench(pause_s: float = 5.0) -> AsyncIterator[Bench]:
    """Give a bench; its workers end with the block."""
    log_key = VerifierKey.make(ORIGIN, ED25519, LocalKeys().public_of("notary-decisions"))
    policy = LogPolicy.parse(policy_text(log_key))
    with TemporaryDirectory() as folder:
        wires = {name: Wire(await sound_witness(name, Path(folder), log_key)) for name in NAMES}
        async with asking(wires, policy, pause_s) as made:
            yield made


async def sound_witness(name: str, folder: Path, log_key: VerifierKey) -> Witness:
    """Return the real service's witness, with a state of its own."""
    key = WitnessKey(f"{name}.example", PRIVATE[name])
    assert key.verifier == KEYS[name]
    store = SqliteStore(folder / name)
    await store.create(key.verifier)
    witness = Witness(key, store, {ORIGIN: (log_key,)})
    await witness.check()
    return witness


@asynccontextmanager
async def asking(wires: dict[str, Wire], policy: LogPolicy, pause_s: float) -> AsyncIterator[Bench]:
    """Let the notary's side run."""
    reports: list[str | None] = []

    async def route(request: httpx.Request) -> httpx.Response:
        return await wires[request.url.host.removesuffix(".example")](request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(route), timeout=None) as http:  # noqa: S113  as the notary's
        witnesses = Witnesses(
            policy,
            ORIGIN,
            http,
            deadline_s=DEADLINE_S,
            report=reports.append,
            grace_s=GRACE_S,
            backoff=Backoff(pause_s, pause_s, lambda: 0),
        )
        running = asyncio.create_task(witnesses.run())
        try:
            yield Bench(wires, witnesses, policy, Log(), reports, http)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def never(request: httpx.Request) -> httpx.Response:
    """Do not answer."""
    await asyncio.Event().wait()
    raise AssertionError


async def dead(request: httpx.Request) -> httpx.Response:
    """Refuse the connection."""
    raise httpx.ConnectError("Connection refused")


def answers(status: int, content: bytes = b"", content_type: str = "text/plain", **headers: str) -> Handler:
    """Return a witness that always answers the same."""

    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=content, headers={"content-type": content_type, **headers})

    return answer


def cosigns(make: Callable[[bytes], bytes]) -> Handler:
    """Return a witness whose answer is made from the text that it is to cosign."""

    async def answer(request: httpx.Request) -> httpx.Response:
        body = (await request.aread()).partition(b"\n\n")[2]
        return httpx.Response(200, content=make(Note.parse(body).text))

    return answer


def elsewhere() -> Handler:
    """Return a witness that stands elsewhere each time it is asked."""
    sizes = iter(range(1, 99))

    async def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(409, content=f"{next(sizes)}\n", headers={"content-type": SIZE_TYPE})

    return answer


async def dripping(request: httpx.Request) -> httpx.Response:
    """Send a byte now and then, for ever."""

    async def drip() -> AsyncIterator[bytes]:
        while True:
            yield b"x"
            await asyncio.sleep(0.01)

    return httpx.Response(200, content=drip())


async def test_all_that_answer_are_in_the_note() -> None:
    """Three prompt witnesses cosign head after head, each from where it last stood, and their states say so."""
    async with bench() as made:
        for leaves in (1, 300, 0, 7):
            assert await made.cosigned(leaves) == {"w1", "w2", "w3"}
        assert made.wires["w1"].requests == ["old 0", "old 1", "old 301", "old 301"]
        state = made.witnesses.states["w1"]
        assert (state.size, state.error) == (308, None)
        assert abs((state.time_s or 0) - time.time()) < 5
        assert set(made.reports) == {None}


async def test_a_log_without_entries_is_cosigned_too() -> None:
    """Size 0, from size 0, without a proof."""
    async with bench() as made:
        assert await made.cosigned(0) == {"w1", "w2", "w3"}


async def test_a_dead_witness_is_left_alone_for_a_while_and_keeps_nobody_waiting() -> None:
    """Others make the quorum at once; it is asked again after a pause and not before; well again, it cosigns again."""
    async with bench(pause_s=0.3) as made:
        made.wires["w2"].fault = dead
        started = time.monotonic()
        for _ in range(5):
            assert await made.cosigned() == {"w1", "w3"}
        assert time.monotonic() - started < 5 * GRACE_S
        assert len(made.wires["w2"].requests) == 1
        assert made.error("w2") == "not reached: Connection refused"
        made.wires["w2"].fault = None
        await asyncio.sleep(0.35)
        assert await made.cosigned() >= {"w1", "w3"}
        await asyncio.sleep(0.02)
        assert await made.cosigned() == {"w1", "w2", "w3"}
        assert made.error("w2") == ""


async def test_a_witness_that_was_dead_is_told_of_the_newest_head_though_none_follows() -> None:
    """The more of them know it, the surer an old backup is found out; and health says at once that it is well again."""
    async with bench(pause_s=0.05) as made:
        made.wires["w2"].fault = dead
        for leaves in (3, 4):
            assert await made.cosigned(leaves) == {"w1", "w3"}
        made.wires["w2"].fault = None
        await asyncio.sleep(0.1)
        assert (made.witnesses.states["w2"].size, made.error("w2")) == (7, "")


async def test_a_slow_witness_costs_one_grace_and_follows_as_well_as_it_can() -> None:
    """It is waited for once; from then on rounds go on without it, while it is still told of the newest head."""
    async with bench() as made:
        gate = asyncio.Event()

        async def slow(request: httpx.Request) -> httpx.Response:
            await gate.wait()
            return await made.wires["w3"].sound(request)

        made.wires["w3"].fault = slow
        started = time.monotonic()
        for _ in range(6):
            assert await made.cosigned() == {"w1", "w2"}
        assert GRACE_S <= time.monotonic() - started < 5 * GRACE_S
        assert len(made.wires["w3"].requests) == 1
        gate.set()
        await asyncio.sleep(0.05)
        assert made.wires["w3"].requests == ["old 0", "old 1"]
        assert made.witnesses.states["w3"].size == 6
        assert await made.cosigned() == {"w1", "w2", "w3"}


async def test_a_witness_that_never_answers_is_given_up_after_the_deadline() -> None:
    """Its request ends then, and it counts as failing."""
    async with bench() as made:
        made.wires["w1"].fault = never
        assert await made.cosigned() == {"w2", "w3"}
        await asyncio.sleep(DEADLINE_S + 0.05)
        assert made.error("w1") == "no answer within 0.4 s"


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (answers(400), "malformed"),
        (answers(403), "must be given the log's key"),
        (answers(404), "does not know this log"),
        (answers(409, b"0\n"), "another tree of this size"),
        (answers(409, b"nought\n", SIZE_TYPE), "without the size"),
        (answers(409, b"-1\n", SIZE_TYPE), "without the size"),
        (answers(409, b"\xff\n", SIZE_TYPE), "without the size"),
        (answers(409, b"0\n", SIZE_TYPE), "another tree of this size"),
        (answers(409, b"9000\n", SIZE_TYPE), "9,000 entries already, more than the log's 40"),
        (elsewhere(), "stands elsewhere each time"),
        (answers(422), "not a continuation"),
        (answers(500, b"trace back"), "HTTP status 500"),
        (answers(302, location="http://w1.example/add-checkpoint"), "HTTP status 302"),
        (answers(200, gzip.compress(bytes(10**7)), **{"content-encoding": "gzip"}), "is compressed"),
        (answers(200), "its answer is refused"),
        (answers(200, b"\xff" * 50), "its answer is refused"),
        (answers(200, b"x" * (MAX_ANSWER_BYTES + 1)), "more than 65,536 bytes"),
        (dripping, "no answer within 0.4 s"),
        (dead, "not reached"),
        (cosigns(lambda text: cosignature("w3", text).encode().encode()), "another key than the policy says"),
        (cosigns(lambda text: cosignature("w2", text + b"more\n").encode().encode()), "does not verify"),
        (cosigns(lambda text: cosignature("w2", text, int(time.time()) - 3600).encode().encode()), "360[0-9] s away from this"),
        (cosigns(lambda text: cosignature("w2", text, int(time.time()) + 90).encode().encode()), "s away from this machine's"),
        (cosigns(lambda text: b"more\n\n" + cosignature("w2", text).encode().encode()), "more than cosignature lines"),
    ],
)
async def test_whatever_a_witness_does_is_its_own_fault_and_in_nobodys_way(fault: Handler, said: str) -> None:
    """The two others make the quorum, nothing of its answer gets into the note, and what it did is said."""
    async with bench() as made:
        made.wires["w2"].fault = fault
        assert await made.cosigned(40) == {"w1", "w3"}
        if not made.error("w2"):
            await asyncio.sleep(DEADLINE_S + 0.05)
        assert re.search(said, made.error("w2"))
        assert await made.cosigned() == {"w1", "w3"}
        assert made.reports[-1] is None


async def test_lines_of_keys_that_the_policy_does_not_name_are_left_out() -> None:
    """A witness may cosign with other keys beside; only the policy's gets into the note."""
    async with bench() as made:

        def both(text: bytes) -> bytes:
            return (SignatureLine("new.example", b"abcd", bytes(72)).encode() + cosignature("w2", text).encode()).encode()

        made.wires["w2"].fault = cosigns(both)
        assert await made.cosigned() == {"w1", "w2", "w3"}


async def test_a_witness_that_stands_elsewhere_is_followed() -> None:
    """Told another size, the log proves from there: somebody else had submitted the log's head, while we did not reach it."""
    async with bench() as made:
        await made.cosigned(10)
        made.wires["w1"].fault = never
        await made.cosigned(20)
        await made.submit("w1", 10)
        made.wires["w1"].fault = None
        await asyncio.sleep(DEADLINE_S)
        made.witnesses = Witnesses(made.policy, ORIGIN, made.http, deadline_s=DEADLINE_S)  # another notary, that knows nothing
        running = asyncio.create_task(made.witnesses.run())
        assert await made.cosigned(5) >= {"w1"}
        assert made.wires["w1"].requests[-2:] == ["old 0", "old 30"]
        running.cancel()


async def test_without_a_quorum_there_is_no_note_and_with_one_there_is_again() -> None:
    """Two dead: UnavailableError within the deadline, saying who and why; one returns, and the next attempt holds."""
    async with bench(pause_s=0.1) as made:
        await made.cosigned()
        made.wires["w1"].fault, made.wires["w2"].fault = dead, never
        started = time.monotonic()
        with pytest.raises(UnavailableError) as lacking:
            await made.cosigned()
        assert time.monotonic() - started < 10 * DEADLINE_S
        assert lacking.value.component == "witnesses"
        assert re.match(r"w3 for the quorum witnesses; w1: not reached: .*; w2: no answer", lacking.value.reason)
        assert made.reports[-1] == lacking.value.reason
        made.wires["w2"].fault = None
        assert await made.cosigned() == {"w2", "w3"}
        assert made.reports[-1] is None


async def test_a_witness_that_returns_within_the_deadline_is_asked_again_within_it() -> None:
    """A round that lacks a quorum asks those who failed again, after their pause."""
    async with bench(pause_s=0.05) as made:
        made.wires["w1"].fault = made.wires["w2"].fault = dead
        asking = asyncio.create_task(made.cosigned())
        await asyncio.sleep(0.12)
        made.wires["w2"].fault = None
        assert await asking == {"w2", "w3"}


async def test_a_proof_that_cannot_be_made_is_no_witnesss_fault() -> None:
    """The disk's failure ends the round as what it is, at once."""
    async with bench() as made:
        await made.cosigned()

        async def prove(old: int, new: int) -> Sequence[bytes]:
            raise UnavailableError("disk", "gone")

        checkpoint = made.log.grow(1)
        with pytest.raises(UnavailableError, match="disk: gone"):
            await made.witnesses.cosign(checkpoint, await SIGNER.sign(checkpoint), prove)
        assert {made.error(name) for name in NAMES} == {""}


async def test_heads_are_what_witnesses_show_and_nothing_is_an_answer_too() -> None:
    """Each sound answer counts, 404 included; sizes are kept, so that a notary's first request is right at once."""
    async with bench() as made:
        known = await SIGNER.known()
        assert await made.witnesses.heads(known) == []
        made.log.grow(12)
        for name in ("w1", "w2"):
            await made.submit(name, 0)
        heads = await made.witnesses.heads(known)
        assert {head.who: head.checkpoint.size for head in heads} == {
            "the checkpoint that witness w1 cosigned": 12,
            "the checkpoint that witness w2 cosigned": 12,
        }
        assert await made.cosigned(1) == {"w1", "w2", "w3"}
        assert [made.wires[name].requests[-1] for name in NAMES] == ["old 12", "old 12", "old 0"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (dead, "not reached"),
        (never, "no answer within"),
        (answers(500), "HTTP status 500"),
        (answers(200, b"nothing\n"), "the checkpoint that it shows is refused"),
        (answers(200, b"x" * (MAX_ANSWER_BYTES + 1)), "more than 65,536 bytes"),
    ],
)
async def test_as_many_heads_as_make_a_quorum_are_needed(fault: Handler, said: str) -> None:
    """One witness may fail; with two, nobody can tell whether this log is the one that they know."""
    async with bench() as made:
        known = await SIGNER.known()
        made.wires["w1"].fault = fault
        assert await made.witnesses.heads(known) == []
        made.wires["w2"].fault = fault
        with pytest.raises(UnavailableError, match=f"w3 for the quorum witnesses; w1: .*{said}"):
            await made.witnesses.heads(known)


async def test_a_head_counts_only_with_both_signatures() -> None:
    """The log's and that witness's own: what lacks either is no answer, and nothing that could stop the notary."""
    async with bench() as made:
        checkpoint = made.log.grow(9)
        signed = Note.parse(await SIGNER.sign(checkpoint))
        known = await SIGNER.known()
        lying = [
            signed.encode(),
            Note(signed.text, (*signed.signatures, cosignature("w2", signed.text))).encode(),
            Note(signed.text, (cosignature("w1", signed.text),)).encode(),
            Note(signed.text, (*signed.signatures, cosignature("w1", signed.text + b"x\n"))).encode(),
        ]
        for note in lying:
            made.wires["w1"].fault = answers(200, note)
            assert await made.witnesses.heads(known) == []
            assert "is refused" in made.error("w1")


async def test_a_head_by_a_stolen_retired_key_stops_nobody() -> None:
    """Whoever has the key and one witness shows no head of the log's: that witness has not answered, and the others suffice."""
    retired = Known(ALLOWED.keys, retired=ALLOWED.keys, last_size=8)
    async with bench() as made:
        made.log.grow(9)
        await made.submit("w1", 0)
        assert [head.checkpoint.size for head in await made.witnesses.heads(await ALLOWED.known(ORIGIN))] == [9]
        assert await made.witnesses.heads(await retired.known(ORIGIN)) == []
        assert "signed by a retired key" in made.error("w1")


async def test_nothing_is_left_behind() -> None:
    """With requests under way, the end of `run` ends them at once."""
    before = asyncio.all_tasks()
    async with bench() as made:
        for wire in made.wires.values():
            wire.fault = never
        with pytest.raises(UnavailableError):
            await made.cosigned()
        started = time.monotonic()
    assert time.monotonic() - started < DEADLINE_S
    assert asyncio.all_tasks() == before
