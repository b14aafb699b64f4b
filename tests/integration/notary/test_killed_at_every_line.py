"""kill -9 at every line of the notary's code, over real files or bucket, PostgreSQL, Vault and a witness.

Which lines there are is found by letting a notary live undisturbed. Then for each line one lives until that line is about to
run, and another one after it until all is logged. After each life everything is verified by code that shares nothing with the
product: every public file, every index row, every recorded checkpoint, and everything that Vault was ever asked to sign.

Every line where REQUIRE_ALL=1 (CI), which takes some minutes; else some of them, which the run's seed chooses.
"""

import asyncio
import json
import os
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from tallystick.notary.pipeline import Pipeline

from .ground import DONE, KILLED, OVERSEEN, PLACES, Ground, lived, verify, verify_complete
from .mortal import Life, Line, first_line_of

LIVES_AT_ONCE = 3
BATCH = 2  # the phase that fills tiles
SOME, FEW = 8, 4
LIVES = (*PLACES, OVERSEEN)
EFFECTS = {"pipeline.py", "world.py", "intake.py", "directory.py", "database.py", "signer.py", "receipts.py"}
OWN_EFFECTS = {"bucket": {"bucket.py"}, OVERSEEN: {"witnesses.py", "witness_http.py", "keyring.py"}}
"""Of what is between its lines only this is new, where not all is."""


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> object:
    """Return the run's seed: `--randomly-seed=…` chooses the same lines again."""
    return request.config.getoption("randomly_seed", 0)


def lines_of(ground: Ground, life: Life) -> list[Line]:
    """Return the lines that run in the rest of a log's life, undisturbed."""
    file = ground.home / f"{life.log}.lines"
    assert lived(replace(life, lines_file=file)) == DONE
    return [Line(*line) for line in json.loads(file.read_text())]


async def test_an_undisturbed_life_logs_everything(ground: Ground) -> None:
    """What the tests below count on, over both storages, and with a witness and a governance log."""
    for place in LIVES:
        life = ground.life(place)
        assert lived(life) == DONE
        await verify_complete(ground, life)


async def rows(ground: Ground, place: str, kills: Sequence[Sequence[Line]], seed: object) -> None:
    """For each row, let notaries live in a log until its lines, one after the other, and then one to the end.

    After each life everything is verified. Each line kills: one that does not run is a mistake in the table. Each line is
    chosen by itself, so that the run's seed chooses it again though another line run or not.
    """
    if os.environ.get("REQUIRE_ALL") != "1":
        kills = sorted(kills, key=lambda lines: Random(f"{seed} {lines}").random())[: FEW if place == OVERSEEN else SOME]
    permits = asyncio.Semaphore(LIVES_AT_ONCE)

    async def row(lines: Sequence[Line]) -> None:
        async with permits:
            life = ground.life(place)
            for line in lines:
                assert await asyncio.to_thread(lived, replace(life, kill_at=line)) == KILLED, f"{line} did not run"
                await verify(ground, life)
            assert await asyncio.to_thread(lived, life) == DONE, f"after {lines}: {life.words_file.read_text()}"
            await verify_complete(ground, life)

    async with asyncio.TaskGroup() as all_rows:
        for lines in kills:
            all_rows.create_task(row(lines))
    print(f"{len(kills)} rows")


def lines_with_effects(lines: Sequence[Line], phase: int, place: str) -> list[Line]:
    """Return the lines of a phase between which something in the world may change, and that no other place has."""
    files = OWN_EFFECTS.get(place, EFFECTS)
    return [line for line in lines if line.phase == phase and line.file in files]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("place", LIVES)
async def test_killed_while_a_log_is_begun(ground: Ground, place: str, seed: object) -> None:
    """Every line until the empty log is published."""
    lines = lines_with_effects(lines_of(ground, ground.life(place)), 0, place)
    await rows(ground, place, [[line] for line in lines], seed)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("place", LIVES)
async def test_killed_in_a_batch(ground: Ground, place: str, seed: object) -> None:
    """Every line from reading a batch that fills tiles to announcing its checkpoint."""
    lines = lines_with_effects(lines_of(ground, ground.life(place)), BATCH, place)
    await rows(ground, place, [[line] for line in lines], seed)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("place", LIVES)
async def test_killed_again_in_the_recovery(ground: Ground, place: str, seed: object) -> None:
    """Killed when a batch is committed and nothing of it public, and then again at every line of the recovery."""
    committed = first_line_of(Pipeline._copy, BATCH)
    life = ground.life(place)
    assert lived(replace(life, kill_at=committed)) == KILLED
    lines = lines_with_effects(lines_of(ground, life), 0, place)
    await rows(ground, place, [[committed, line] for line in lines], seed)
