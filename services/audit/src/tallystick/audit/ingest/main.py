"""`tallystick-audit-ingest`: wires settings, health and the loop."""

import asyncio
import sys

from tallystick.audit.ingest.loop import DATABASE, KAFKA, ingest
from tallystick.audit.ingest.settings import IngestSettings
from tallystick.runtime.health import Health
from tallystick.runtime.http import serving
from tallystick.runtime.logging import configure
from tallystick.runtime.service import run
from tallystick.runtime.settings import load


def main() -> None:
    """Run the ingest until it is told to stop."""
    settings = load(IngestSettings)
    configure("audit-ingest", settings.log_level)
    sys.exit(run(_serve(settings)))


async def _serve(settings: IngestSettings) -> None:
    health = Health("audit-ingest", components=(KAFKA, DATABASE))
    async with serving(health.app(), settings.http_host, settings.http_port), asyncio.TaskGroup() as tasks:
        tasks.create_task(ingest(settings, health), name="ingest")


if __name__ == "__main__":
    main()
