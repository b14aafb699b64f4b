"""Decisions executed again: CPU microseconds of each, stage by stage, beside a bare loop of XGBoost over the same rows.

The log lies in a directory and the evidence in a folder, opened and kept by `--save-evidence`: reading both is in the figures,
asking an audit service to open evidence is not. One process, one thread for the engine.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial, wraps
from pathlib import Path
from time import process_time, thread_time
from typing import Any

import numpy as np
from rich.console import Console

from tallystick.cli.replay import executing, ranges
from tallystick.cli.replay.engines import own, xgboost
from tallystick.cli.replay.evidence_file import EvidenceFolder
from tallystick.cli.replay.executing import Finding
from tallystick.cli.replay.governing import Made, models_in
from tallystick.cli.replay.trees import Floats
from tallystick.merkle.frontier import Frontier
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.governance import replay
from tallystick.trust.policy import TrustPolicy

from ..unit.cli.day import Day
from ..unit.trust.helpers import NOW_MS
from . import figures

DECISIONS, TREES, CUSTOMERS = 60_000, 100, 5_000
GOAL_PER_S = 100_000.0
_BATCH = 16_384


def run(directory: Path, runs: int, console: Console) -> list[figures.Row]:
    """Make decisions as scoring makes them, execute them again, and return what it took."""
    rows: list[figures.Row] = []
    for name, plain in (("thresholds alone", True), ("a rule, a list and a challenger", False)):
        console.print(f"decisions executed again: {name} …")
        folder = directory / name.replace(" ", "-")
        folder.mkdir()
        day = Day(count=DECISIONS, trees=TREES, plain=plain, customers=CUSTOMERS)
        day.write(folder)
        asyncio.run(day.keep(folder / "evidence"))
        rows += _measured(folder, name, runs, day)
    return rows


def _measured(folder: Path, name: str, runs: int, day: Day) -> list[figures.Row]:
    totals, stages, matrix = list[float](), list[dict[str, float]](), _Rows()
    for _ in range(runs + 1):  # the first one warms up
        spent = _Spent()
        with spent.watching(), matrix.watching():
            started = process_time()
            finding = asyncio.run(_replayed(folder, day, xgboost))
            totals.append((process_time() - started) * 1e6 / DECISIONS)
        if finding.differing or finding.missing or finding.executed + finding.rejected != DECISIONS:
            raise RuntimeError(f"decisions differ, and nothing else counts then: {finding}")
        stages.append({stage: seconds * 1e6 / DECISIONS for stage, seconds in spent.seconds.items()})
    bare = [_bare(day, matrix.last, xgboost) for _ in range(runs)]
    slow = [_bare(day, matrix.last, own) for _ in range(runs)]
    rows = [
        figures.row(f"{name}: {stage}", "µs CPU", [each[stage] for each in stages[1:]], "all of it", totals[1:])
        for stage in sorted(stages[0], key=lambda stage: -stages[-1][stage])
    ]
    rates = [1e6 / total for total in totals[1:]]
    limits = [1e6 / each for each in bare]
    return [
        *rows,
        figures.row(f"replay of {name}, a core", "decisions/s", rates, "the goal", [GOAL_PER_S], at_least=1),
        figures.row(f"replay of {name}, a core", "decisions/s", rates, "a bare loop of XGBoost", limits),
        figures.row(f"our own evaluator, {name}", "µs CPU", slow, "XGBoost", bare),
    ]


async def _replayed(folder: Path, day: Day, engine: Callable[[bytes, int], Any]) -> Finding:
    policy = TrustPolicy.load(folder / "policy")
    governance = replay(day.governance.entries, policy)
    lists = None if day.plain else folder / "lists"
    made = Made(governance, models_in(folder / "models"), [engine], 1, lists)
    period, location = range(2 * NOW_MS), (folder / "logs").as_uri()
    source = EvidenceFolder(folder / "evidence")
    return await ranges.Replayer(location, policy, made, frozenset(), source, period, None, lambda *_: None).run()


def _bare(day: Day, matrix: Floats, engine: Callable[[bytes, int], Callable[[Floats], Floats]]) -> float:
    """Return the CPU microseconds that the engine alone takes for a row, in batches as large as replay's."""
    execute = engine(day.model, 1)
    execute(matrix[:_BATCH])
    started = process_time()
    for first in range(0, len(matrix), _BATCH):
        execute(matrix[first : first + _BATCH])
    return (process_time() - started) * 1e6 / len(matrix)


class _Rows:
    """Keeps the rows that a model saw."""

    def __init__(self) -> None:
        self.last: Floats = np.zeros((0, 0), np.float32)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look on while vectors are made."""
        seen: list[Floats] = []

        def looked_on(work: Callable[..., Any]) -> Callable[..., Any]:
            def ready(*args: Any) -> Any:
                found = work(*args)
                seen.append(found[2])
                return found

            return ready

        with _replaced(executing, "_ready", looked_on):
            yield
        self.last = np.concatenate(seen)


class _Spent:
    """CPU seconds by stage; what is measured within another stage is not counted there."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._inside = [0.0]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Measure while replay works."""
        with ExitStack() as stack:
            for owner, name, stage in (
                (ranges, "decisions_of", "parsing and checking decisions by column"),
                (executing, "opens", "commitments"),
                (executing, "_vectors", "the vectors' matrix"),
                (executing, "_compare", "comparing, rules and challengers within"),
                (ranges, "execute", "margins, and the rest of executing"),
            ):
                stack.enter_context(_replaced(owner, name, partial(self._timed, stage)))
            stack.enter_context(_replaced(Frontier, "append", partial(self._timed, "hashing entries into the tree")))
            stack.enter_context(_replaced(EvidenceFolder, "read", partial(self._awaited, "evidence from its file")))
            stack.enter_context(_replaced(LogReader, "entries", partial(self._awaited, "entries from the log")))
            yield

    def _timed(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        def timed(*args: Any, **named: Any) -> Any:
            self._inside.append(0.0)
            started = thread_time()
            done = work(*args, **named)
            self._add(stage, thread_time() - started)
            return done

        return timed

    def _awaited(self, stage: str, work: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(work)
        async def timed(*args: Any, **named: Any) -> Any:
            self._inside.append(0.0)
            started = process_time()  # files are read in threads aside; nothing else runs meanwhile
            done = await work(*args, **named)
            self._add(stage, process_time() - started)
            return done

        return timed

    def _add(self, stage: str, seconds: float) -> None:
        self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds - self._inside.pop()
        self._inside[-1] += seconds


@contextmanager
def _replaced(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    work = getattr(owner, name)
    setattr(owner, name, make(work))
    try:
        yield
    finally:
        setattr(owner, name, work)
