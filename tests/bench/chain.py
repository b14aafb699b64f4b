"""The whole chain: a transaction in, a decision out, the decision provable."""

import time

import numpy as np
from rich.console import Console

from tallystick.cli.demo.figures import Figures, figures, read_logs
from tallystick.cli.demo.steps import stream

from .figures import Row, row
from .material import Material, platform

REQUIRED_PER_S = 10_000.0
PROVABLE_P50_MS, PROVABLE_P99_MS = 300.0, 1_000.0
"""At the required rate. Sunlight in production: p99 1.04 s."""


def run(material: Material, runs: int, console: Console) -> list[Row]:
    """Stream the material through fresh platforms; everything shares this machine's cores."""
    found = [_once(material, console) for _ in range(runs)]
    paced = [_once(material, console, REQUIRED_PER_S) for _ in range(runs)]
    rate = [each.decisions_per_s for each in found]
    return [
        row(
            "from decision to provable (2 of 3 witnesses) at 10,000/s, p50",
            "ms",
            [each.provable_p50_ms for each in paced],
            "required",
            [PROVABLE_P50_MS],
        ),
        row(
            "from decision to provable (2 of 3 witnesses) at 10,000/s, p99",
            "ms",
            [each.provable_p99_ms for each in paced],
            "required",
            [PROVABLE_P99_MS],
        ),
        row("whole chain, to provable", "decisions/s", rate, "required", [REQUIRED_PER_S]),
        row(
            "from decision to provable, p50, at full load",
            "ms",
            [each.provable_p50_ms for each in found],
            "a second",
            [PROVABLE_P99_MS],
        ),
        row(
            "from decision to provable, p99, at full load",
            "ms",
            [each.provable_p99_ms for each in found],
            "a second",
            [PROVABLE_P99_MS],
        ),
    ]


def _once(material: Material, console: Console, rate: float | None = None) -> Figures:
    now_ms = time.time_ns() // 1_000_000
    with platform(material, now_ms) as running:
        started_s = stream(running, material.table, now_ms, console, rate)
        decided = read_logs(running)
    nobody = np.zeros(len(decided.decisions), np.bool_)
    nobody[0] = True  # average precision wants one; it is not looked at here
    return figures(decided, nobody, material.table.num_rows, started_s)
