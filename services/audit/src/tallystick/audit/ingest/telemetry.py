"""What the ingest says of itself in health and metrics."""

from prometheus_client import Counter, Gauge

from tallystick.runtime.health import Health


class Telemetry:
    """Counters of what was done, and where each partition stands; one a process."""

    def __init__(self, health: Health) -> None:
        registry = health.registry
        self.written = Counter("tallystick_evidence_records", "Evidence records kept", registry=registry)
        self.malformed = Counter("tallystick_evidence_malformed", "Records that are no evidence", registry=registry)
        self.gaps = Counter("tallystick_evidence_gap_records", "Records deleted before they were read", registry=registry)
        self._lag = Gauge("tallystick_evidence_lag_records", "Records not copied yet", ["partition"], registry=registry)
        self._standing: dict[str, dict[int, int]] = {"next_offset": {}, "lag": {}}
        health.detail("evidence", lambda: self._standing)

    def stand(self, positions: dict[int, int], lag: dict[int, int]) -> None:
        """Say the next offset and the records left, by partition."""
        self._standing = {"next_offset": dict(positions), "lag": lag}
        for partition, records in lag.items():
            self._lag.labels(partition).set(records)
