"""P3, with people and processes that change: who signs evolves with the log, and an old log is not believed after a restart."""

import asyncio
import contextlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.cli.approval import public_key_of, write_key
from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.proof import fetch, offline
from tallystick.cli.demo.steps import command, wait_until

from .bank import now_ms, send, sound
from .governing import Release, activation, govern, governance, install, logged, next_statement, person, publish_release
from .reading import emitted, read_run
from .rough import Rough
from .test_governance import _root, _sign

APPROVERS = ("ada", "grace")
COMPONENTS = ("governance", "scoring")


def two_people(platform: Platform, action: str, arguments: list[str], file: Path, by: tuple[str, str] = APPROVERS) -> None:
    """Propose something as one person and approve it as another, with the product's commands, and wait until it is logged."""
    before = logged(platform)
    common = ["--log", f"{platform.log_url}/governance", "--trust", str(platform.policy)]
    keys = [["--key", str(platform.directory / "people" / f"{name}.pem"), "--signer", name] for name in by]
    command(["tallystick", action, "propose", *arguments, *common, *keys[0], "-o", str(file)])
    sending = ["--yes", "--publish", "--kafka", platform.stack.kafka.address]
    command(["tallystick", action, "approve", str(file), *common, *keys[1], *sending])
    wait_until(lambda: logged(platform) > before, "the record to be logged")


def test_somebody_enrolled_activates_and_somebody_revoked_does_not(
    rough: Rough, release: Release, other_release: Release, tmp_path: Path
) -> None:
    """Hopper, enrolled by ada and grace, approves a model that then scores; the bundle shows who enrolled hopper.

    Grace, revoked by ada and hopper, approves in vain, and what she approved before stands.
    """
    platform, hopper = rough.platform, Ed25519PrivateKey.generate()
    write_key(hopper, platform.directory / "people" / "hopper.pem")
    new = ["hopper", "--public-key", public_key_of(hopper), "--role", "approver"]
    two_people(platform, "enrol", new, tmp_path / "enrol")
    publish_release(platform, other_release)
    ada, grace = person(platform, "ada"), person(platform, "grace")
    index = govern(platform, activation(next_statement(platform, other_release, 1), [("hopper", hopper), ada]))
    wait_until(lambda: index in platform.health("scoring")["governance"]["activations"], "scoring to believe hopper")
    asyncio.run(send(platform.kafka, [sound("hopper-0", now_ms())]))
    assert read_run(platform).of("hopper")["0"].activation_index == index

    bundle = tmp_path / "bundle.json"
    fetch(platform, "hopper-0", bundle)
    verdict = offline(["verify", str(bundle), "--policy", str(platform.policy), "--json"])
    assert verdict.code == 0, verdict.said
    shown = json.loads(bundle.read_bytes())
    assert len(shown["governance"].pop("enrolments")) == 1
    bundle.write_text(json.dumps(shown))
    verdict = offline(["verify", str(bundle), "--policy", str(platform.policy)])
    assert verdict.code == 1
    assert "'hopper' is neither in the trust policy nor enrolled" in verdict.said["reason"]

    two_people(platform, "revoke", ["grace"], tmp_path / "revoke", by=("ada", "hopper"))
    before = govern(platform, activation(next_statement(platform, release, 1), [ada, grace]))
    assert dict(governance(platform).rejected)[before] == "its signer 'grace' was revoked"
    wait_until(lambda: platform.health("scoring")["governance"]["log_size"] > before, "scoring to read it")
    assert before not in platform.health("scoring")["governance"]["activations"]
    assert index in platform.health("scoring")["governance"]["activations"]

    back = ["grace", "--role", "publisher", "--role", "approver"]
    two_people(platform, "enrol", back, tmp_path / "back", by=("hopper", "ada"))
    install(platform, release)


def _rolled_back(rough: Rough, folder: Path, size: int, _: bytes) -> str:
    """Serve the log of before its last activation, freshly signed and cosigned: the operator has the keys."""
    _sign(rough.platform, folder, size=size, root=_root(rough.platform, size))
    return "does not have: it was rolled back"


def _forked(rough: Rough, folder: Path, size: int, _: bytes) -> str:
    """Serve another tree, freshly signed and cosigned."""
    _sign(rough.platform, folder, size=size, root=sha256(b"another").digest())
    return "do not lead to its checkpoint"


def _replayed(_: Rough, folder: Path, __: int, old: bytes) -> str:
    """Serve a checkpoint that the notary itself signed and cosigned a while ago: nobody's keys are needed."""
    (folder / "checkpoint").write_bytes(old)
    return "s old"


def _truncated(rough: Rough, folder: Path, _: int, __: bytes) -> str:
    """Serve the present checkpoint over entries that end early."""
    shutil.copy(rough.platform.log_dir / "governance" / "checkpoint", folder)
    for tile in (folder / "tile" / "entries").rglob(str(logged(rough.platform))):
        tile.write_bytes(tile.read_bytes()[:100])
    return "cannot be followed"


Spoil = Callable[[Rough, Path, int, bytes], str]


@contextlib.contextmanager
def serving(rough: Rough, spoil: Spoil, size: int, old: bytes) -> Iterator[str]:
    """Let scoring see a spoiled log for as long as the block runs, spoiled anew all the time; give what scoring will say."""
    folder, done = rough.view.copy("governance"), threading.Event()
    words = spoil(rough, folder, size, old)
    rough.view.show("governance", folder)

    def again() -> None:
        while not done.wait(0.5):
            spoil(rough, folder, size, old)

    with ThreadPoolExecutor() as threads:
        spoiling = threads.submit(again)
        try:
            yield words
        finally:
            done.set()
            rough.view.restore()
        spoiling.result()


@pytest.mark.sampled(2)
@pytest.mark.parametrize("spoil", [_rolled_back, _forked, _replayed, _truncated])
def test_a_log_of_before_is_not_believed_after_a_restart_either(
    rough: Rough, release: Release, other_release: Release, spoil: Spoil
) -> None:
    """A process that has seen nothing yet decides nothing by it, says why, and goes on when the log is the true one again.

    Rolled back, every signature in the log is good and fresh: only the decisions show that there was more.
    """
    platform, name = rough.platform, f"restarted{spoil.__name__}"
    old, size = (platform.log_dir / "governance" / "checkpoint").read_bytes(), logged(platform)
    index = install(platform, other_release)
    asyncio.run(send(platform.kafka, [sound(f"{name}-{number}", now_ms()) for number in range(8)]))
    assert {item.activation_index for item in read_run(platform).of(name).values()} == {index}

    scoring = platform.services["scoring"]
    with serving(rough, spoil, size, old) as words:
        scoring.kill()
        scoring.start()
        scoring.wait_ready(url=f"{scoring.health_url}/live")
        wait_until(lambda: any(words in platform.health("scoring")["components"][part] for part in COMPONENTS), words)
        before = emitted(platform)
        asyncio.run(send(platform.kafka, [sound(f"{name}-{number}", now_ms()) for number in range(8, 16)]))
        time.sleep(1.0)
        assert emitted(platform) == before
    assert len(read_run(platform).of(name)) == 16
    install(platform, release)
