"""Gateways before a chain, as processes of their own."""

import time
from pathlib import Path
from typing import Any

import httpx

from tallystick.cli.demo.platform import Platform
from tallystick.embedded import ServiceProcess, free_port

TOKEN = "token-of-the-cards-channel"
CLOSED_TOKEN = "token-of-the-branch-channel"


class Gateway:
    """A gateway with a spool of its own; `settings` are further ones."""

    def __init__(self, platform: Platform, directory: Path, **settings: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        callers = directory / "callers"
        callers.write_text(f"cards {TOKEN}\nbranch {CLOSED_TOKEN}\n")
        self.spool = directory / "spool"
        environment = platform.environment("gateway") | {
            "TALLYSTICK_TRUST_POLICY": str(platform.policy),
            "TALLYSTICK_SPOOL_DIR": str(self.spool),
            "TALLYSTICK_CALLERS_FILE": str(callers),
            "TALLYSTICK_FALLBACK": '{"cards": "approve", "branch": "none"}',
            "TALLYSTICK_AUDIT_URL": platform.url("audit"),
            "TALLYSTICK_HTTP_PORT": str(free_port()),
        }
        environment |= {f"TALLYSTICK_{name.upper()}": value for name, value in settings.items()}
        self.process = ServiceProcess("gateway", ["tallystick-gateway"], environment, directory / "gateway.log")
        self.url = self.process.health_url.removesuffix("/health")

    def start(self) -> "Gateway":
        """Start it and wait until it hears decisions."""
        self.process.start()
        self.process.wait_ready()
        return self

    def post(
        self, key: str, body: dict[str, Any], deadline_ms: int = 5_000, token: str = TOKEN, **headers: str
    ) -> httpx.Response:
        """Ask for a decision."""
        asked = {
            "Authorization": f"Bearer {token}",
            "Idempotency-Key": f'"{key}"',
            "Tallystick-Deadline-Ms": str(deadline_ms),
        }
        return httpx.post(f"{self.url}/v1/transactions", json=body, headers=asked | headers, timeout=30)

    def health(self) -> dict[str, Any]:
        """Return what it says of itself."""
        answer: dict[str, Any] = httpx.get(f"{self.url}/health", timeout=30).json()
        return answer


def payment(customer: str, amount_minor: int = 1_234) -> dict[str, Any]:
    """Return a sound transaction without an id, of now."""
    now_ms = time.time_ns() // 1_000_000
    return {"customerId": customer, "amountMinor": str(amount_minor), "currency": "EUR", "eventTimeMs": str(now_ms)}
