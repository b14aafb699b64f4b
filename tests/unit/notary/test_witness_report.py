"""What health and metrics say of the witnesses."""

from tallystick.merkle.policy import LogPolicy
from tallystick.notary.witness_http import client
from tallystick.notary.witness_report import Quorums, report_witnesses
from tallystick.notary.witnesses import Witnesses
from tallystick.runtime.health import Health

from .cosigners import policy_text


def test_one_log_without_its_quorum_is_enough_to_fail() -> None:
    """The component is ok only while every log has its quorum; another log's success hides nothing."""
    health = Health("notary", ("witnesses",))
    quorums = Quorums(health)
    assert health.state("witnesses") == "starting"
    quorums.say("governance", None)
    assert health.state("witnesses") == "ok"
    quorums.say("decisions", "w1: dead")
    quorums.say("governance", None)
    assert "no quorum since" in health.state("witnesses")
    assert health.state("witnesses").endswith(": decisions: w1: dead")
    quorums.say("decisions", None)
    assert health.state("witnesses") == "ok"


async def test_each_witness_is_in_health_and_metrics() -> None:
    """By log and name: what it cosigned last, when, and whether it fails."""
    health = Health("notary")
    async with client() as http:
        witnesses = Witnesses(LogPolicy.parse(policy_text()), "example/decisions", http, deadline_s=1)
        report_witnesses(health, {"decisions": witnesses})
    assert health.snapshot()["witnesses"] == {
        "decisions": {name: {"size": None, "time_s": None, "error": None} for name in ("w1", "w2", "w3")}
    }
    metrics = health.metrics().decode()
    for name in ("size", "time_seconds", "failing"):
        assert f'tallystick_notary_witness_{name}{{log="decisions",witness="w2"}} 0.0' in metrics
