"""One decision's receipt: fetched, verified offline, broken, replayed."""

import base64
import ctypes
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import DemoError

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_FETCH_S = 30.0
# Runs the verifier with every socket refused, whatever the platform can isolate besides.
_OFFLINE = """
import sys
def refuse(event, arguments):
    if event.startswith("socket."):
        raise PermissionError(f"no network here: {event}")
sys.addaudithook(refuse)
from tallystick.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an offline command said: its exit code and its JSON."""

    code: int
    said: dict[str, Any]


def fetch(platform: Platform, transaction_id: str, bundle: Path) -> None:
    """Fetch a decision's proof bundle from the audit service, with its features disclosed.

    Raises:
        DemoError: if the service does not give it.
    """
    url = f"{platform.url('audit')}/v1/decisions/{transaction_id}/bundle"
    deadline = time.monotonic() + _FETCH_S
    while True:
        answer = httpx.get(
            url,
            params={"disclose": "identity,transaction,features,explanation"},
            headers=platform.auditor,
            timeout=10,
        )
        if answer.status_code == httpx.codes.OK and _anchored_by(answer.json()) == platform.anchored_by:
            bundle.write_bytes(answer.content)
            return
        if time.monotonic() > deadline:
            raise DemoError(f"the audit service answers {answer.status_code}: {answer.text[:500]}")
        time.sleep(0.2)  # evidence is ingested, and heads are anchored, a moment after the decision is logged


def _anchored_by(bundle: dict[str, Any]) -> set[str]:
    return {anchor["receipt"]["by"] for anchor in bundle["anchors"]}


def flip_one_bit(bundle: Path, tampered: Path) -> None:
    """Write a copy of a bundle in which one bit of the logged decision differs."""
    document = json.loads(bundle.read_bytes())
    entry = bytearray(base64.b64decode(document["decision"]["entry"]))
    entry[len(entry) // 2] ^= 1
    document["decision"]["entry"] = base64.b64encode(entry).decode()
    tampered.write_text(json.dumps(document))


def offline(arguments: list[str]) -> Verdict:
    """Run a `tallystick` command with `--json` in a process of its own that has no network.

    Sockets are refused in the process; where the kernel allows it, it has a network namespace of its own besides.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def isolate() -> None:
        if libc is not None and libc.unshare(_NEW_NETWORK) != 0:
            libc.unshare(_NEW_USER | _NEW_NETWORK)

    return _verdict([sys.executable, "-c", _OFFLINE, *arguments], isolate)


def asked(arguments: list[str]) -> Verdict:
    """Run a `tallystick` command with `--json` in a process of its own."""
    return _verdict([sys.executable, "-m", "tallystick.cli.main", *arguments])


def _verdict(argv: list[str], before: Callable[[], None] | None = None) -> Verdict:
    done = subprocess.run(  # noqa: S603  our own interpreter and program
        [*argv, "--json"],
        env={"PATH": os.environ.get("PATH", "")},
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=before,
    )
    said: dict[str, Any] = {"reason": done.stderr.strip()[-500:]}
    with suppress(json.JSONDecodeError):
        said = json.loads(done.stdout)
    return Verdict(done.returncode, said)
