"""What profiles count."""

from prometheus_client import CollectorRegistry, Counter, Gauge


class Telemetry:
    """The service's metrics, in its registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._gathered = Counter("tallystick_profile_records", "Records gathered", ["source"], registry=registry)
        self._refused = Counter("tallystick_profile_refused", "Records that are no such thing", ["source"], registry=registry)
        self._published = Counter("tallystick_profiles_published", "Profiles published", registry=registry)
        self._late = Gauge("tallystick_profile_left_out", "Transactions repeated or too late to count", registry=registry)
        self._subjects = Gauge("tallystick_profile_subjects", "Terminals and merchants known here", registry=registry)
        self._watermark = Gauge("tallystick_profile_watermark_seconds", "Event time that is final", registry=registry)
        self.gathered_total = 0
        self.published_total = 0

    def gathered(self, source: str, count: int) -> None:
        """Count records read."""
        self._gathered.labels(source).inc(count)
        self.gathered_total += count

    def refused(self, source: str) -> None:
        """Count a record that cannot be read."""
        self._refused.labels(source).inc()

    def published(self, count: int) -> None:
        """Count profiles that the broker acknowledged."""
        self._published.inc(count)
        self.published_total += count

    def state(self, subjects: int, left_out: int, watermark_s: int) -> None:
        """Say what is known."""
        self._subjects.set(subjects)
        self._late.set(left_out)
        self._watermark.set(watermark_s)
