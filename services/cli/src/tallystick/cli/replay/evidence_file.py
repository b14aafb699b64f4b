"""Opened evidence kept in a folder, so that decisions can be executed again without asking anybody.

A Parquet file for each decisions log, `<log's name>.parquet`, a row for each scored decision, in the log's order:

| column | is |
|---|---|
| `index` | the decision's place in the log |
| `state` | 0 opened, 1 erased, 2 missing |
| `sealed` | of erased evidence, the `Evidence` as it was stored |
| `salt_<group>`, `content_<group>` | what opens the decision's commitment to that group |

It holds personal data in the clear: whoever keeps it keeps it as they keep the data.
"""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tallystick.cli.replay.decided import Decisions
from tallystick.cli.replay.opened import EvidenceSource, EvidenceUnavailableError, Opened, State
from tallystick.cli.replay.reading import STRETCH
from tallystick.trust.decisions import GROUPS
from tallystick.trust.policy import log_name

ROW_GROUP = STRETCH


class EvidenceFolder:
    """A folder to read from, each file front to back as its log is read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._origin = ""
        self._groups = frozenset[str]()
        self._pieces: list[pa.Table] = []
        self._waiting: Iterable[pa.RecordBatch] = iter(())

    async def read(self, origin: str, batches: Sequence[Decisions], groups: Collection[str]) -> list[Opened]:
        """Return the evidence of scored decisions. Raises EvidenceUnavailableError."""
        path = self._folder / f"{log_name(origin)}.parquet"
        try:
            if origin != self._origin or not self._groups.issuperset(groups):  # from the front again, once for each group
                self._groups = (self._groups if origin == self._origin else frozenset()) | frozenset(groups)
                self._origin, self._pieces = origin, []
                columns = [f"{part}_{group}" for group in sorted(self._groups) for part in ("salt", "content")]
                self._waiting = pq.ParquetFile(path).iter_batches(ROW_GROUP, columns=["index", "state", "sealed", *columns])
            table = self._between(
                min(int(batch.indexes[0]) for batch in batches), max(int(batch.indexes[-1]) for batch in batches)
            )
            return [_opened(batch, table, groups) for batch in batches]
        except (OSError, pa.ArrowException, KeyError, ValueError) as error:
            raise EvidenceUnavailableError(f"{path}: no evidence that can be read: {error}") from error

    def _between(self, first: int, last: int) -> dict[str, np.ndarray]:
        """Return the columns that hold the places from `first` to `last`; what lies a stretch before them is dropped."""
        first -= STRETCH  # a stretch's decisions are asked for by activation, in any order
        self._pieces = [piece for piece in self._pieces if piece["index"][-1].as_py() >= first]
        for piece in self._waiting:
            if piece.num_rows and piece["index"][-1].as_py() >= first:
                self._pieces.append(pa.Table.from_batches([piece]))
                if piece["index"][-1].as_py() >= last:
                    break
        if not self._pieces:
            return {}
        table = pa.concat_tables(self._pieces)
        return {name: table[name].to_numpy() for name in table.column_names}


def _opened(batch: Decisions, table: dict[str, np.ndarray], groups: Collection[str]) -> Opened:
    rows = len(batch)
    states = np.full(rows, State.MISSING, np.uint8)
    indexes = table.get("index", np.zeros(0, np.int64)).astype(np.int64)
    places = np.minimum(np.searchsorted(indexes, batch.indexes), max(len(indexes) - 1, 0))
    here = np.flatnonzero(indexes[places] == batch.indexes) if len(indexes) else np.zeros(0, np.int64)
    found = places[here]

    def column(name: str) -> list[bytes]:
        values = np.full(rows, b"", object)
        if len(here):
            values[here] = table[name][found]
        return [value or b"" for value in values.tolist()]

    if len(here):
        states[here] = np.minimum(table["state"][found], State.MISSING)
    sealed = column("sealed")
    return Opened(
        states,
        {group: column(f"salt_{group}") for group in groups},
        {group: column(f"content_{group}") for group in groups},
        {row: sealed[row] for row in np.flatnonzero(states == State.ERASED).tolist()},
    )


class EvidenceKeeper:
    """Reads from another source, and keeps what it gave in a folder; use it as a context manager."""

    def __init__(self, source: EvidenceSource, folder: Path) -> None:
        self._source = source
        self._folder = folder
        self._files: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> Self:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    async def read(self, origin: str, batches: Sequence[Decisions], groups: Collection[str]) -> list[Opened]:
        """Return the evidence of scored decisions, all of it kept. Raises EvidenceUnavailableError."""
        found = await self._source.read(origin, batches, groups)
        indexes = np.concatenate([batch.indexes for batch in batches])
        order = np.argsort(indexes, kind="stable")
        columns: dict[str, list[object]] = {
            "state": [state for one in found for state in one.states.tolist()],
            "sealed": [one.sealed.get(row) for one in found for row in range(len(one.states))],
        }
        for group in GROUPS:
            for part in ("salt", "content"):
                columns[f"{part}_{group}"] = [
                    value or None for one in found for value in (getattr(one, f"{part}s").get(group) or [b""] * len(one.states))
                ]
        arrays = [pa.array(indexes[order]), pa.array(columns.pop("state"), pa.uint8()).take(order)]
        arrays += [pa.array(values, pa.binary()).take(order) for values in columns.values()]
        table = pa.Table.from_arrays(arrays, names=["index", "state", *columns])
        if origin not in self._files:
            path = self._folder / f"{log_name(origin)}.parquet"
            self._files[origin] = pq.ParquetWriter(path, table.schema, compression="none", use_dictionary=False)
        self._files[origin].write_table(table, row_group_size=ROW_GROUP)
        return found
