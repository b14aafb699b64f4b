"""Feature columns: from a batch's exact integers to the float32 matrix that the model sees.

A feature is exact integers, one float64 division, one rounding to float32.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tallystick.contracts import FeatureVector, ReasonCode
from tallystick.scoring.profiles import DAY_S, ProfileTable
from tallystick.scoring.windows import DAY_MS
from tallystick.trust.features import PROFILED, Feature, FeatureSchema
from tallystick.trust.transactions import Payment, RejectionError

Matrix = NDArray[np.float32]
Integers = NDArray[np.int64]
_HOUR_MS = 3_600_000
_LAST_NIGHT_HOUR = 6
_SATURDAY = 5
_LARGEST = float(np.finfo(np.float32).max)
_THURSDAY = 3  # 1970-01-01


class Profiled(NamedTuple):
    """What profiles hold of a batch's places, one element a row.

    Attributes:
        windows: count and frauds over each window, one place's behind the other's.
        contents: the profiles' versions, serialised: what goes behind a `FeatureVector`.
        stale: whether any of it may still change.
    """

    windows: list[list[int]]
    contents: list[bytes]
    stale: list[bool]


class Vectoriser:
    """Computes one schema's vectors.

    Attributes:
        spans_ms: the windows that the schema asks for, each once, shortest first.
        attributes: the attributes that it asks for, in the order of its columns.
    """

    def __init__(self, schema: FeatureSchema) -> None:
        self.schema = schema
        days = sorted(_days(feature for feature in schema.features if feature.kind not in PROFILED))
        self.spans_ms = tuple(day * DAY_MS for day in days)
        self.attributes = tuple(feature.attribute for feature in schema.features if feature.attribute is not None)
        self._window = {day: 2 * place for place, day in enumerate(days)}
        self._attribute = {name: place for place, name in enumerate(self.attributes)}
        self._places = _places(schema)
        self._place_columns = sum(2 * len(days) for days in self._places.values())

    @property
    def asks_profiles(self) -> bool:
        """Whether the schema asks for anything that comes from profiles."""
        return bool(self._places)

    def profiled(self, table: ProfileTable, payments: Sequence[Payment]) -> Profiled:
        """Look up what profiles hold of the payments' terminals and merchants, as far as the schema asks."""
        delay_days = self.schema.delay_days or 0
        asked = [(name, [day * DAY_S for day in days]) for name, days in self._places.items()]
        found = Profiled([], [], [])
        for payment in payments:
            windows: list[int] = []
            versions, stale = [], False
            for name, spans_s in asked:
                place_id = payment.terminal_id if name == "terminal" else payment.merchant_id
                lookup = table.look_up(f"{name}/{place_id}".encode(), payment.event_time_ms, delay_days, spans_s)
                windows += lookup.windows
                versions.append(lookup.version)
                stale |= lookup.stale
            found.windows.append(windows)
            found.contents.append(FeatureVector(profiles=versions).SerializeToString())
            found.stale.append(stale)
        return found

    def attribute_values(self, present: Mapping[str, float]) -> list[float]:
        """Return a payment's attributes in the schema's order.

        Raises:
            RejectionError: if one is missing, or too large for float32.
        """
        if not self.attributes:
            return []
        # `in` first: reading a missing key of a protobuf map would create it.
        if not all(name in present for name in self.attributes):
            raise RejectionError(ReasonCode.REASON_CODE_ATTRIBUTE_MISSING)
        values = [present[name] for name in self.attributes]
        if any(abs(value) > _LARGEST for value in values):
            raise RejectionError(ReasonCode.REASON_CODE_ATTRIBUTE_NOT_FINITE)
        return values

    def matrix(
        self,
        times_ms: Sequence[int],
        amounts: Sequence[int],
        windows: Sequence[list[int]],
        attributes: Sequence[list[float]],
        profiles: Sequence[list[int]] = (),
    ) -> Matrix:
        """Return the vectors of a batch, shape (rows, features).

        Args:
            times_ms: event times.
            amounts: minor units.
            windows: per row, count and sum for each of `spans_ms`.
            attributes: per row, the values of `attributes`.
            profiles: per row, the windows that `profiled` found, if the schema asks for any.
        """
        rows = len(times_ms)
        times = np.array(times_ms, np.int64)
        cents = np.array(amounts, np.int64)
        flat = np.array(windows, np.int64).reshape(rows, 2 * len(self.spans_ms))
        values = np.array(attributes, np.float64).reshape(rows, len(self.attributes))
        places = np.array(profiles, np.int64).reshape(rows, self._place_columns)
        matrix = np.empty((rows, len(self.schema.features)), np.float32)
        plain: dict[str, Callable[[], NDArray[np.float64] | NDArray[np.bool_]]] = {
            "amount": lambda: cents / 100,
            "weekend": lambda: (times // DAY_MS + _THURSDAY) % 7 >= _SATURDAY,
            "night": lambda: times % DAY_MS // _HOUR_MS <= _LAST_NIGHT_HOUR,
        }
        for column, feature in enumerate(self.schema.features):
            if feature.kind in plain:
                matrix[:, column] = plain[feature.kind]()
            elif feature.kind == "attribute":
                matrix[:, column] = values[:, self._attribute[feature.attribute or ""]]
            elif feature.kind in PROFILED:
                matrix[:, column] = self._of_place(feature, places)
            else:
                matrix[:, column] = self._windowed(feature, flat)
        return matrix

    def _windowed(self, feature: Feature, flat: Integers) -> Integers | NDArray[np.float64]:
        place = self._window[feature.days or 0]
        counts, sums = flat[:, place], flat[:, place + 1]
        return counts if feature.kind == "count" else sums / (100 * counts)

    def _of_place(self, feature: Feature, flat: Integers) -> Integers | NDArray[np.float64]:
        name, _, what = feature.kind.partition("_")
        before = 0
        for other, days in self._places.items():
            if other == name:
                before += 2 * days.index(feature.days or 0)
                break
            before += 2 * len(days)
        counts, frauds = flat[:, before], flat[:, before + 1]
        return counts if what == "count" else frauds / np.maximum(counts, 1)


def _days(features: Iterable[Feature]) -> set[int]:
    return {feature.days for feature in features if feature.days is not None}


def _places(schema: FeatureSchema) -> dict[str, list[int]]:
    """Return the windows in days that the schema asks for of a terminal and a merchant, in the order of its columns."""
    profiled = [feature for feature in schema.features if feature.kind in PROFILED]
    names = dict.fromkeys(feature.kind.partition("_")[0] for feature in profiled)
    return {name: sorted(_days(feature for feature in profiled if feature.kind.startswith(name))) for name in names}
