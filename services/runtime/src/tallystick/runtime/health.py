"""A service's health: which component answers, whether its loops turn, and the HTTP that says so.

Alive means progress: every named loop has turned within `max_silence_s`. Ready means that every component is ok. Both are
answered from what the service reported; asking never touches a server.

`GET /health/live`, `/health/ready`: 200 or 503; `/health`: everything as JSON; `/metrics`: Prometheus.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tallystick.runtime.problems import internal_error

OK = "ok"
STARTING = "starting"
Detail = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Component:
    """A component's state: `ok`, `starting`, or what is wrong since when."""

    state: str
    since_s: float
    ok: bool


class Health:
    """What a service knows about itself; one instance a process, used from the event loop's thread."""

    def __init__(
        self,
        service: str,
        components: Iterable[str] = (),
        loops: Iterable[str] = ("main",),
        *,
        max_silence_s: float = 30.0,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.service = service
        self.registry = CollectorRegistry()
        self._clock, self._monotonic, self._max_silence_s = clock, monotonic, max_silence_s
        self._components = {name: Component(STARTING, clock(), ok=False) for name in components}
        self._turned = {loop: monotonic() for loop in loops}
        self._details: dict[str, Detail] = {}
        self._up = Gauge("tallystick_component_up", "1 if the component answers", ["component"], registry=self.registry)
        self._age = Gauge("tallystick_loop_age_seconds", "Age of the loop's last turn", ["loop"], registry=self.registry)

    def progress(self, loop: str = "main") -> None:
        """Say that a loop has turned: it polled, worked or retried."""
        self._turned[loop] = self._monotonic()

    def ok(self, component: str) -> None:
        """Say that a component answers."""
        known = self._components.get(component)
        if known is None or not known.ok:
            self._components[component] = Component(OK, self._clock(), ok=True)

    def failing(self, component: str, reason: str, what: str = "not answering") -> None:
        """Say that a component does not answer; the time of the first failure in a row is kept."""
        known = self._components.get(component)
        failing_already = known is not None and not known.ok and known.state != STARTING
        since = known.since_s if known is not None and failing_already else self._clock()
        self._components[component] = Component(f"{what} since {_utc(since)}: {reason}", since, ok=False)

    def detail(self, name: str, provider: Detail) -> None:
        """Add a field to `/health`; the provider is called for each answer and returns something JSON can hold."""
        self._details[name] = provider

    def state(self, component: str) -> str:
        """Return a component's state in words."""
        return self._components[component].state

    def states(self) -> dict[str, str]:
        """Return every component's state in words."""
        return {name: component.state for name, component in self._components.items()}

    @property
    def live(self) -> bool:
        """True if every loop has turned lately."""
        return all(age <= self._max_silence_s for age in self.loop_ages().values())

    @property
    def ready(self) -> bool:
        """True if every component is ok."""
        return all(component.ok for component in self._components.values())

    def loop_ages(self) -> dict[str, float]:
        """Return the seconds since each loop's last turn."""
        now = self._monotonic()
        return {loop: round(now - turned, 3) for loop, turned in self._turned.items()}

    def snapshot(self) -> dict[str, object]:
        """Return everything as JSON can hold it."""
        return {
            "service": self.service,
            "live": self.live,
            "ready": self.ready,
            "components": self.states(),
            "loop_age_s": self.loop_ages(),
        } | {name: provider() for name, provider in self._details.items()}

    def metrics(self) -> bytes:
        """Return this service's metrics in Prometheus' text format."""
        for name, component in self._components.items():
            self._up.labels(name).set(component.ok)
        for loop, age in self.loop_ages().items():
            self._age.labels(loop).set(age)
        return generate_latest(self.registry)

    def routes(self) -> list[Route]:
        """Return the HTTP routes, for the service's own application."""

        async def live(_: Request) -> Response:
            return JSONResponse({"live": self.live, "loop_age_s": self.loop_ages()}, 200 if self.live else 503)

        async def ready(_: Request) -> Response:
            waiting = {name: component.state for name, component in self._components.items() if not component.ok}
            return JSONResponse({"ready": self.ready, "waiting_for": waiting}, 200 if self.ready else 503)

        async def everything(_: Request) -> Response:
            return JSONResponse(self.snapshot())

        async def metrics(_: Request) -> Response:
            return Response(self.metrics(), media_type=CONTENT_TYPE_LATEST)

        return [
            Route("/health/live", live),
            Route("/health/ready", ready),
            Route("/health", everything),
            Route("/metrics", metrics),
        ]

    def app(self, routes: Iterable[Route] = ()) -> Starlette:
        """Return an application of the health routes and the service's own."""
        return Starlette(routes=[*self.routes(), *routes], exception_handlers={Exception: internal_error})


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
