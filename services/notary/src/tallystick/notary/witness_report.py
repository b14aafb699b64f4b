"""What health and metrics say of the witnesses."""

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial

from prometheus_client import Gauge

from tallystick.notary.witnesses import COMPONENT, Witnesses
from tallystick.runtime.health import Health


class Quorums:
    """The component `witnesses` in health: ok while every log has its quorum."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._lacking: dict[str, str] = {}

    def say(self, log: str, reason: str | None) -> None:
        """Say that a log has its quorum, or why not."""
        if reason is None:
            self._lacking.pop(log, None)
        else:
            self._lacking[log] = reason
        if self._lacking:
            self._health.failing(COMPONENT, "; ".join(f"{log}: {why}" for log, why in self._lacking.items()), "no quorum")
        else:
            self._health.ok(COMPONENT)


def report_witnesses(health: Health, logs: Mapping[str, Witnesses]) -> None:
    """Say of each log's witnesses what they last cosigned, when, and what is wrong with them."""
    health.detail(
        COMPONENT,
        lambda: {log: {name: asdict(state) for name, state in witnesses.states.items()} for log, witnesses in logs.items()},
    )
    gauges = {
        "size": Gauge(
            "tallystick_notary_witness_size", "Entries under the last cosigned checkpoint", _LABELS, registry=health.registry
        ),
        "time_s": Gauge(
            "tallystick_notary_witness_time_seconds", "Time of the last cosignature", _LABELS, registry=health.registry
        ),
        "failing": Gauge("tallystick_notary_witness_failing", "1 if the witness fails", _LABELS, registry=health.registry),
    }
    for log, witnesses in logs.items():
        for name in witnesses.states:
            for what, gauge in gauges.items():
                gauge.labels(log, name).set_function(partial(_value, witnesses, name, what))


_LABELS = ("log", "witness")


def _value(witnesses: Witnesses, name: str, what: str) -> float:
    state = witnesses.states[name]
    values = {"size": state.size or 0, "time_s": state.time_s or 0, "failing": state.error is not None}
    return float(values[what])
