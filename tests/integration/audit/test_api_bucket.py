"""The API over logs in an S3-compatible store."""

from pathlib import Path

import httpx

from ..s3 import BUCKET, S3Server
from .world import World, api_process

PATHS = (
    "/decisions/checkpoint",
    "/decisions/tile/0/000",
    "/decisions/tile/0/002.p/88",
    "/decisions/tile/0/001.p/7",
    "/decisions/tile/entries/001",
    "/governance/checkpoint",
    "/governance/tile/0/009",
    "/v1/positions/0/0/bundle",
    "/v1/decisions/tx-plain/bundle?disclose=features",
)


def test_the_api_serves_from_a_bucket_what_it_serves_from_a_directory(
    world: World, auditor: httpx.Client, tmp_path: Path
) -> None:
    """Tiles, bundles of entries, checkpoints and receipts, byte for byte, and the same for what is not there."""
    with S3Server(tmp_path, strict=True) as server:
        folder = world.directory / "log"
        for file in (path for path in folder.rglob("*") if path.is_file()):
            server.client().put_object(Bucket=BUCKET, Key=f"logs/{file.relative_to(folder)}", Body=file.read_bytes())
        reach = {name: str(value) for name, value in server.settings().model_dump(exclude_unset=True).items()}
        api = api_process(world, log_url=f"s3://{BUCKET}/logs", **reach)
        api.start()
        try:
            api.wait_ready()
            headers = world.bearer()
            with httpx.Client(base_url=api.health_url.removesuffix("/health"), timeout=30, headers=headers) as caller:
                found = {path: caller.get(path) for path in PATHS}
        finally:
            assert api.stop() == 0
    for path, answer in found.items():
        expected = auditor.get(path)
        assert (answer.status_code, answer.content) == (expected.status_code, expected.content), path
    assert [answer.status_code for answer in found.values()] == [200] * 6 + [404] + [200] * 2
