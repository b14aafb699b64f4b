"""Reading a log from an S3-compatible store."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.tiles import TilePath
from tallystick.notary.bucket import LogBucket
from tallystick.notary.tree import Tree
from tallystick.runtime.bucket import Bucket
from tallystick.runtime.log_reader import LogNotFoundError, LogReader, LogUnavailableError
from tallystick.runtime.settings import S3Settings

from ..s3 import BUCKET, S3Server

ENTRIES = [sha256(b"%d" % number).digest() * (number % 3) for number in range(700)]
URL = f"s3://{BUCKET}/some/where/decisions"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Provide a store with a log of 700 entries, which grew through 300."""
    with S3Server(tmp_path_factory.mktemp("s3")) as server:
        log, tree = LogBucket(Bucket(URL, server.settings())), Tree()
        log.begin(1, None)
        log.publish(tree.append(ENTRIES[:300]))
        log.publish(tree.append(ENTRIES[300:]))
        server.client().put_object(Bucket=BUCKET, Key="some/where/decisions/checkpoint", Body=b"a checkpoint")
        for key in server.objects():
            server.client().put_object_acl(Bucket=BUCKET, Key=key, ACL="public-read")
        yield server


@pytest.mark.parametrize("with_key", [True, False])
async def test_a_log_is_read_whole(s3: S3Server, *, with_key: bool) -> None:
    """With a key to the store, or, where strangers may read, without one."""
    settings = s3.settings() if with_key else S3Settings(s3_endpoint=s3.address)
    async with LogReader(URL, settings) as log:
        assert await log.checkpoint() == b"a checkpoint"
        assert await log.entries(0, 700) == ENTRIES
        assert await log.leaf_hashes(255, 600, 700) == [leaf_hash(entry) for entry in ENTRIES[255:600]]
        assert await log.entries(0, 200) == ENTRIES[:200]  # cut from the full bundle: the partial one is gone


async def test_what_the_store_does_not_have_is_said(s3: S3Server) -> None:
    """No such tile, no such bucket, more than a checkpoint has: each in words of its own."""
    async with LogReader(URL, s3.settings()) as log, LogReader("s3://nobodys/log", s3.settings()) as nobodys:
        with pytest.raises(LogNotFoundError, match="tile/0/009: not found"):
            await log.read_tile(TilePath(0, 9))
        with pytest.raises(LogUnavailableError, match="there is no such bucket"):
            await nobodys.checkpoint()
    s3.client().put_object(Bucket=BUCKET, Key="large/checkpoint", Body=bytes(1_000_000))
    async with LogReader(f"s3://{BUCKET}/large", s3.settings()) as large:
        with pytest.raises(ValueError, match="large/checkpoint: more than"):
            await large.checkpoint()


async def test_a_store_that_hangs_or_is_gone_is_not_waited_for_in_vain(s3: S3Server, tmp_path: Path) -> None:
    """It is as any server that does not answer: try again."""
    async with LogReader(URL, s3.settings(s3_timeout_s=0.2)) as log:
        s3.suspend()
        try:
            with pytest.raises(LogUnavailableError, match="no answer"):
                await log.checkpoint()
        finally:
            s3.wake()
        assert await log.checkpoint() == b"a checkpoint"
    async with LogReader(URL, s3.settings(port=1)) as nobody:
        with pytest.raises(LogUnavailableError, match="no answer"):
            await nobody.checkpoint()


def test_a_bucket_needs_settings() -> None:
    """An address alone does not say where the store is."""
    with pytest.raises(ValueError, match="is not file"):
        LogReader(URL)
