"""The whole notary as a process, with its logs in an S3-compatible store."""

import asyncio
from collections.abc import Iterator

import pytest

from ..s3 import S3Server
from .installation import Installation, every_partition, logged_sequences


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Provide a server that knows its users."""
    with S3Server(tmp_path_factory.mktemp("s3"), strict=True) as server:
        yield server


@pytest.fixture
def stored(installation: Installation, s3: S3Server) -> Installation:
    """Provide an installation whose notaries keep the logs in the store."""
    installation.s3 = s3
    return installation


async def test_kill_9_in_mid_stream_loses_and_doubles_nothing(stored: Installation, s3: S3Server) -> None:
    """Killed again and again while decisions stream in, the notary logs each once, and forks or shrinks the log never."""
    rounds, each = 4, 200

    async def stream() -> None:
        for start in range(0, rounds * each, 50):
            await stored.send_decisions(range(max(0, start - 5), start + 50))
            await asyncio.sleep(0.1)

    streaming = asyncio.create_task(stream())
    for at in range(rounds):
        notary = await stored.started()
        before = await stored.published_size()
        await asyncio.sleep(0.2 + 0.11 * at)  # anywhere in a batch
        notary.kill()
        await stored.verify()
        assert await stored.published_size() >= before
    await streaming
    notary = await stored.started()

    _, entries = await stored.wait_for(rounds * each * 4)

    assert logged_sequences(entries) == every_partition(range(rounds * each))
    assert (await stored.health(notary))["components"]["bucket"] == "ok"
    await stored.wait_for(0, "governance")
    assert not [key for key in s3.objects(f"{stored.home.name}/") if ".staging/" in key]
    assert not (stored.home / "logs").exists()
    assert notary.stop() == 0


async def test_a_second_notary_fences_the_first(stored: Installation) -> None:
    """Started by mistake, a second notary takes over; the first ends with a message that says so; the log stays one."""
    first = await stored.started()
    await stored.send_decisions(range(20))
    await stored.wait_for(80)
    second = await stored.started()
    await stored.send_decisions(range(20, 40))
    _, entries = await stored.wait_for(160)
    while first.exit_code is None:  # noqa: ASYNC110  another process
        await asyncio.sleep(0.02)

    assert first.exit_code == 1
    assert "another notary has taken this log over" in first.child.log_tail()
    assert second.is_alive
    assert logged_sequences(entries) == every_partition(range(40))


async def test_a_store_that_goes_away_is_said_and_waited_for(stored: Installation, s3: S3Server) -> None:
    """While it is stopped nothing is published and health names it; it hangs, and comes back, and all is logged."""
    notary = await stored.started()
    await stored.send_decisions(range(10))
    await stored.wait_for(40)
    s3.suspend()
    try:
        await stored.send_decisions(range(10, 20))
        await stored.says(notary, "bucket", "not answering")
    finally:
        s3.wake()

    _, entries = await stored.wait_for(80)
    assert logged_sequences(entries) == every_partition(range(20))
    await stored.says(notary, "bucket", "ok")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TALLYSTICK_LOG_STORE", "s3://nobodys", "TALLYSTICK_LOG_STORE: s3://nobodys"),
        ("TALLYSTICK_S3_ACCESS_KEY_ID", "nobody", "TALLYSTICK_LOG_STORE: "),
    ],
)
async def test_what_cannot_be_used_is_named_before_anything_is_done(
    stored: Installation, name: str, value: str, said: str
) -> None:
    """No such bucket, or a stranger to it: exit code 2, one line, and the running notary is not fenced."""
    running = await stored.started()
    wrong = stored.notary(**{name: value})
    wrong.start()
    while wrong.exit_code is None:  # noqa: ASYNC110  another process
        await asyncio.sleep(0.02)
    assert wrong.exit_code == 2
    (line,) = wrong.child.log_file.read_text().splitlines()
    assert line.startswith(said)

    await stored.send_decisions(range(2))
    await stored.wait_for(8)
    assert running.is_alive
