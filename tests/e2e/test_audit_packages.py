"""What an auditor takes away: every decision of a time executed again, and a case in one file, from the running services."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import wait_until
from tallystick.cli.main import main
from tallystick.embedded import free_port

from .bank import stream, transactions
from .reading import read_run

ROWS = 400


def test_a_time_is_executed_again_and_a_case_is_taken_away(
    platform: Platform, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the audit service: all bits the same, those of the features, too; a package of one customer that is accepted.

    Fails if evidence in bulk is not what single bundles disclose, if a replay needs more than the service gives, or if another
    customer's decision comes into the case.
    """
    table = transactions(ROWS, "taken", seed=9, customers=20)
    asyncio.run(stream(platform.kafka, table))
    mine = read_run(platform).of("taken")
    times = table["event_time_ms"]  # and Kafka's
    logs = ["--from", times[0].as_py(), "--to", times[-1].as_py() + 1, "--logs", platform.log_url]
    policy = ["--policy", platform.policy, "--json"]
    service = ["--audit", platform.url("audit"), "--token-file", platform.auditor_token_file, *policy]

    def said(code: int, *arguments: object) -> dict[str, Any]:
        capsys.readouterr()
        assert main([*map(str, arguments)]) == code
        document: dict[str, Any] = json.loads(capsys.readouterr().out)
        return document

    kafka = ["--transactions", "kafka", "--kafka", platform.kafka.kafka_bootstrap]
    kept, sent = tmp_path / "evidence", [*kafka, "--labels", "labels"]
    missing = ["replay", *map(str, (*logs, *service)), "--engine", "xgboost"]
    wait_until(lambda: main(missing) == 0, "all evidence")
    found = said(0, "replay", *logs, *service, *sent, "--save-evidence", kept)
    assert (found["identical"], found["missing"]) == (True, 0)
    assert found["executed"] >= len(mine) == ROWS
    assert found["transactions"]["compared"] == found["executed"]
    assert (found["transactions"]["differing"], found["transactions"]["unrecorded"]) == (0, 0)
    assert found["transactions"]["profiles"]["not_recomputed"] == {}  # this model asks for none
    offline = ["--evidence", kept, "--models", platform.models, *policy]
    capsys.readouterr()
    nobody = ["--transactions", "kafka", "--kafka", f"127.0.0.1:{free_port()}"]
    assert main([*map(str, ("replay", *logs, *offline, *nobody))]) == 2
    assert capsys.readouterr().err.startswith("tallystick replay: transactions cannot be read at 127.0.0.1:")
    assert said(0, "replay", *logs, *offline, "--engine", "own")["executed"] == found["executed"]

    whose, package = table["customer_id"][0].as_py(), tmp_path / "case.zip"
    case = ["--case", "2026-17", "--customer", whose, "--disclose", "features,transaction", *logs]
    theirs = sum(name.as_py() == whose for name in table["customer_id"])
    assert len(said(0, "export", *case, *service, "-o", package)["decisions"]) == theirs
    verified = said(0, "verify", package, *policy)
    assert (verified["sound"], verified["operators_trust_policy_is_the_same"]) == (True, True)
    package.write_bytes(package.read_bytes().replace(b"APPROVE", b"DECLINE", 1))
    assert said(1, "verify", package, *policy)["sound"] is False
