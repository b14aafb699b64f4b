"""`tallystick export`, against an audit service of one decision."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from tallystick.cli.main import main

from ..trust.helpers import log_policy, trust_toml
from ..trust.test_packages import MODEL, bank
from .logs import decision_log, publish

WORLD = bank()
Export = Callable[..., int]


def answer(request: httpx.Request) -> httpx.Response:
    """Answer as the audit service does: it knows the transaction t1, at partition 0, sequence 0, and nothing else."""
    path = request.url.path.removeprefix("/v1/")
    unknown = {"title": "Unknown", "detail": "No decision of that kind is known here."}
    known = {
        "decisions/t1/bundle": WORLD.bundle(),
        f"models/{WORLD.model.digest.hex()}": MODEL,
        "trust-policy/log.policy": log_policy(),
        "trust-policy/trust.toml": trust_toml(),
    }
    if path in known:
        return httpx.Response(200, content=known[path])
    if path == "receipts":
        lines = [json.dumps(place | {"problem": unknown}) for place in json.loads(request.content)["places"]]
        return httpx.Response(200, text="".join(f"{line}\n" for line in lines))
    return httpx.Response(404, json=unknown)


@pytest.fixture
def export(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Export:
    """Return the command, which writes `case.zip` in the folder."""
    publish(WORLD.governance_log(), folder / "governance")
    publish(decision_log([WORLD.decision]), folder / "decisions")
    monkeypatch.setattr(httpx, "AsyncClient", partial(httpx.AsyncClient, transport=httpx.MockTransport(answer)))
    fixed = ["--case", "c", "--audit", "http://audit.example", "--logs", folder.as_uri(), "--policy", str(folder / "policy")]
    return lambda *asked: main(["export", *fixed, "-o", str(folder / "case.zip"), *asked])


NOWHERE = {
    "a transaction": (["--transaction", "nothere"], "the transaction nothere: "),
    "a place": (["--place", "3/9"], "partition 3, sequence 9: No decision of that kind"),
    "a time": (["--from", "1", "--to", "2"], "everything from 1 to 2, in milliseconds since 1970: no decision"),
    "many places": (["--place", "3/1-30"], "partition 3, sequence 20: No decision of that kind is known here.; and 10 more"),
}


@pytest.mark.parametrize(("asked", "words"), NOWHERE.values(), ids=NOWHERE)
def test_nothing_that_was_asked_for_is_there(
    export: Export, folder: Path, capsys: pytest.CaptureFixture[str], asked: list[str], words: str
) -> None:
    """Exit code 2 and what was asked for; no package about nothing is written."""
    assert export(*asked) == 2
    told = capsys.readouterr()
    assert "nothing that was asked for is there, so nothing was written" in told.err
    assert words in told.err
    assert told.out == ""
    assert not (folder / "case.zip").exists()


def test_what_is_not_there_is_named_beside_what_is(export: Export, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The package is written, and says which of the transactions and places it could not be given."""
    assert export("--transaction", "t1", "--transaction", "nothere", "--place", "3/9") == 0
    left_out = [line for line in capsys.readouterr().out.splitlines() if line.startswith("left out: ")]
    assert any(line.startswith("left out: the transaction nothere: ") for line in left_out)
    assert any(line.startswith("left out: partition 3, sequence 9: ") for line in left_out)
    assert main(["verify", str(folder / "case.zip"), "--policy", str(folder / "policy"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (len(told["decisions"]), len(told["left_out"])) == (1, 3)  # and the policy's list
    assert [name.partition("/")[0] for name in told["absent"]] == ["lists"]
