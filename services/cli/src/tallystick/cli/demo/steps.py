"""What the demo does, one function a step, each through the product's own commands and interfaces."""

import asyncio
import json
import os
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tallystick.cli.demo.platform import PROFILES, Platform
from tallystick.cli.stream import Shift, StreamSettings, send_labels, stream_table
from tallystick.embedded.service_process import console_script

_POLL_S = 0.2
_STALLED_S = 60.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.05, 0.3


class DemoError(RuntimeError):
    """A step did not do what it should; the message says which and how."""


@dataclass(frozen=True, slots=True)
class Release:
    """What the trainer published."""

    model_digest: str
    policy_digest: str
    average_precision: float


def command(argv: list[str], environment: Mapping[str, str] | None = None) -> str:
    """Run one of Tallystick's commands and return what it printed.

    Raises:
        DemoError: with the end of what it said, if it fails.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TALLYSTICK_")}
    done = subprocess.run(  # noqa: S603  our own commands
        [console_script(argv[0]), *argv[1:]],
        env=inherited | dict(environment or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise DemoError(f"`{' '.join(argv[:2])}` failed with code {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def fill_profiles(platform: Platform, data: Path, shift_ms: int, until_ms: int) -> None:
    """Take in what happened at terminals before the stream begins, with the labels that are known of it."""
    arguments = ["--shift-ms", str(shift_ms), "--until-ms", str(until_ms)]
    command(["tallystick-profiles", "backfill", str(data), *arguments], platform.environment(PROFILES))


def label(platform: Platform, table: pa.Table, fraud: NDArray[np.bool_], shift_ms: int, now_ms: int) -> None:
    """Send the labels of those frauds that would be known by now, and wait until profiles have taken them."""
    before = platform.health(PROFILES)["records"]
    sent = asyncio.run(send_labels(platform.kafka, table, fraud, shift_ms, now_ms))
    wait_until(lambda: platform.health(PROFILES)["records"] >= before + sent, "the labels to be taken")


def train(data: Path, days: tuple[int, int], out: Path, schema: str) -> dict[str, Any]:
    """Train on some days of a file and return what the trainer says of the release."""
    # One thread: XGBoost's threads wait for each other by spinning, which beside the services costs more than it brings.
    days_arguments = ["--train-days", f"{days[0]}:{days[1]}", "--threads", "1"]
    said: dict[str, Any] = json.loads(
        command(["tallystick-trainer", "train", str(data), *days_arguments, "--schema", schema, "--out", str(out), "--json"])
    )
    return said


def publish(platform: Platform, release: Path, publisher: str) -> None:
    """Publish a release under a person's name and wait until the governance log holds it."""
    logged = platform.health("notary")["logs"]["governance"]["published_size"]
    person = platform.people[publisher]
    command(
        ["tallystick-trainer", "publish", str(release), "--signer-key", str(person.key_file), "--signer", person.name],
        {"TALLYSTICK_KAFKA_BOOTSTRAP": platform.stack.kafka.address, "TALLYSTICK_MODELS_URL": platform.models.as_uri()},
    )
    wait_until(
        lambda: platform.health("notary")["logs"]["governance"]["published_size"] >= logged + 2, "the model to be logged"
    )


def activate(platform: Platform, model_digest: str, policy_digest: str, effective_at_ms: int) -> None:
    """Propose an activation as one person, approve it as another, and wait until it is logged."""
    logged = platform.health("notary")["logs"]["governance"]["published_size"]
    sign_activation(platform, model_digest, policy_digest, effective_at_ms, publish=True)
    wait_until(
        lambda: platform.health("notary")["logs"]["governance"]["published_size"] > logged, "the activation to be logged"
    )


def sign_activation(platform: Platform, model_digest: str, policy_digest: str, effective_at_ms: int, *, publish: bool) -> Path:
    """Propose an activation as ada and approve it as grace; return the file, which is sent if it is to be published."""
    file = platform.directory / f"activation-{model_digest[:16]}-{effective_at_ms}.bin"
    first, second = platform.people["ada"], platform.people["grace"]
    common = ["--log", f"{platform.log_url}/governance", "--trust", str(platform.policy)]
    command(
        [
            *("tallystick", "activate", "propose", "--model", model_digest, "--policy", policy_digest),
            *("--effective-at", str(effective_at_ms), *common, "--key", str(first.key_file), "--signer", first.name),
            *("--out", str(file)),
        ]
    )
    command(
        [
            *("tallystick", "activate", "approve", str(file), *common, "--key", str(second.key_file)),
            *("--signer", second.name, "--yes"),
            *(("--publish", "--kafka", platform.stack.kafka.address) if publish else ()),
        ]
    )
    return file


def wait_until(condition: Callable[[], bool], what: str, timeout_s: float = _STALLED_S) -> None:
    """Wait for something to become true; it is looked at less often the longer it takes, as looking takes time of others.

    Raises:
        DemoError: if it does not in time.
    """
    deadline, pause_s = time.monotonic() + timeout_s, _FIRST_PAUSE_S
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except httpx.HTTPError:  # not up yet, or being started again
            pass
        time.sleep(pause_s)
        pause_s = min(1.2 * pause_s, _LONGEST_PAUSE_S)
    raise DemoError(f"waited {timeout_s:.0f} s for {what}, in vain")


def stream(platform: Platform, table: pa.Table, now_ms: int, console: Console, rate: float | None = None) -> float:
    """Stream a table until every decision is in the published log, with a progress bar; return when it began (s since 1970).

    `rate` is in transactions a second, None for as fast as it goes.

    Raises:
        DemoError: if nothing moves any more.
        StreamError: if Kafka does not take it.
    """
    return asyncio.run(_stream(platform, table, now_ms, console, rate))


async def _stream(platform: Platform, table: pa.Table, now_ms: int, console: Console, rate: float | None) -> float:
    columns = (
        TextColumn("[bold]streaming"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} decided"),
        TextColumn("[cyan]{task.fields[rate]:,.0f}/s"),
        TextColumn("log {task.fields[log]:,}"),
        TextColumn("lag {task.fields[lag]:,}"),
        TimeElapsedColumn(),
    )
    settings = StreamSettings(kafka=platform.kafka, shift=Shift.WHOLE_WEEKS, now_ms=now_ms, rate=rate)
    before = published_decisions(platform.health("notary"))
    total = before + table.num_rows
    started = time.time()
    sending = asyncio.create_task(stream_table(table, settings))
    # Where no terminal shows it, a bar would leave an empty line.
    with Progress(*columns, console=console, transient=True, disable=not console.is_interactive) as bar:
        task = bar.add_task("", total=table.num_rows, rate=0.0, log=0, lag=0)
        try:
            async with httpx.AsyncClient(timeout=5) as http:
                published, moved = before, time.monotonic()
                while published < total or not sending.done():
                    await asyncio.sleep(_POLL_S)
                    if sending.done():
                        sending.result()
                    decided, size = await _progress(http, platform)
                    if size > published:
                        published, moved = size, time.monotonic()
                    elif time.monotonic() - moved > _STALLED_S:
                        raise DemoError(f"the log stands still at {published:,} of {total:,} entries")
                    reached = decided / (time.time() - started)
                    bar.update(task, completed=decided, rate=reached, log=published, lag=max(decided - published, 0))
        finally:
            sending.cancel()
            await asyncio.wait([sending])
    return started


async def _progress(http: httpx.AsyncClient, platform: Platform) -> tuple[int, int]:
    """Return how much is decided and how much of that is in the published log; 0 while a service does not answer."""
    try:
        decided: int = (await _health(http, platform, "scoring"))["decisions"]
        size = published_decisions(await _health(http, platform, "notary"))
    except httpx.HTTPError:
        return 0, 0
    return decided, size


def published_decisions(notary: Mapping[str, Any]) -> int:
    """Return how many entries the published decisions logs have, by what the notary says of itself."""
    return sum(log["published_size"] or 0 for name, log in notary["logs"].items() if name.startswith("decisions"))


async def _health(http: httpx.AsyncClient, platform: Platform, service: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await http.get(f"{platform.url(service)}/health")).json()
    return answer
