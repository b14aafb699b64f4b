"""Feature columns: from a batch's exact integers to the float32 matrix that the model sees.

A feature is exact integers, one float64 division, one rounding to float32.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tallystick.contracts import ReasonCode
from tallystick.scoring.windows import DAY_MS
from tallystick.trust.features import Feature, FeatureSchema
from tallystick.trust.transactions import RejectionError

Matrix = NDArray[np.float32]
Integers = NDArray[np.int64]
_HOUR_MS = 3_600_000
_LAST_NIGHT_HOUR = 6
_SATURDAY = 5
_LARGEST = float(np.finfo(np.float32).max)
_THURSDAY = 3  # 1970-01-01


class Vectoriser:
    """Computes one schema's vectors.

    Attributes:
        spans_ms: the windows that the schema asks for, each once, shortest first.
        attributes: the attributes that it asks for, in the order of its columns.
    """

    def __init__(self, schema: FeatureSchema) -> None:
        self.schema = schema
        days = sorted({feature.days for feature in schema.features if feature.days is not None})
        self.spans_ms = tuple(day * DAY_MS for day in days)
        self.attributes = tuple(feature.attribute for feature in schema.features if feature.attribute is not None)
        self._window = {day: 2 * place for place, day in enumerate(days)}
        self._attribute = {name: place for place, name in enumerate(self.attributes)}

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
        self, times_ms: Sequence[int], amounts: Sequence[int], windows: Sequence[list[int]], attributes: Sequence[list[float]]
    ) -> Matrix:
        """Return the vectors of a batch, shape (rows, features).

        Args:
            times_ms: event times.
            amounts: minor units.
            windows: per row, count and sum for each of `spans_ms`.
            attributes: per row, the values of `attributes`.
        """
        rows = len(times_ms)
        times = np.array(times_ms, np.int64)
        cents = np.array(amounts, np.int64)
        flat = np.array(windows, np.int64).reshape(rows, 2 * len(self.spans_ms))
        values = np.array(attributes, np.float64).reshape(rows, len(self.attributes))
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
            else:
                matrix[:, column] = self._windowed(feature, flat)
        return matrix

    def _windowed(self, feature: Feature, flat: Integers) -> Integers | NDArray[np.float64]:
        place = self._window[feature.days or 0]
        counts, sums = flat[:, place], flat[:, place + 1]
        return counts if feature.kind == "count" else sums / (100 * counts)
