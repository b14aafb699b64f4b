"""Feature schemas: which numbers a model sees, in which order.

A schema is JSON, kept and hashed as the exact bytes that the publisher signed:

    {"name": "card", "version": 1, "features": [{"name": "amount", "kind": "amount"}, …]}

| kind | value, before the one rounding to float32 | also takes |
|---|---|---|
| `amount` | the amount in major units | |
| `weekend`, `night` | 0 or 1, from the event time in UTC | |
| `count` | the customer's transactions in the window that ends with this one | `days` 1 to 30 |
| `mean_amount` | their mean amount in major units | `days` 1 to 30 |
| `attribute` | the transaction's attribute of that name | `attribute` |
| `terminal_count`, `merchant_count` | the place's transactions in a window that ends earlier | `days`, `delay_days` |
| `terminal_fraud_share`, `merchant_fraud_share` | the share of them known to be fraud, 0 where there are none | likewise |

The last four come from the topic `profiles`. Labels take `delay_days`, so windows, of whole seconds, are
(t - delay - days, t - delay].
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Self

from tallystick.trust.errors import TrustError
from tallystick.trust.strict_json import JsonError, fields, parse_object

MAX_DAYS = 30
"""The longest window; scoring keeps a customer's state for so many days."""

MAX_DELAY_DAYS = 90
"""The longest delay of labels."""

MAX_FEATURES = 512
MAX_NAME_BYTES = 64
MAX_SCHEMA_BYTES = 65_536

_PLAIN = frozenset({"amount", "weekend", "night"})
_WINDOWED = frozenset({"count", "mean_amount"})
PROFILED = frozenset({"terminal_count", "terminal_fraud_share", "merchant_count", "merchant_fraud_share"})
"""The kinds that come from profiles."""

KINDS = _PLAIN | _WINDOWED | PROFILED | {"attribute"}
"""Every kind of feature there is."""


class FeatureSchemaError(TrustError):
    """A feature schema cannot be used."""


@dataclass(frozen=True, slots=True)
class Feature:
    """One place of the vector: `days` only for windows, `attribute` only for attributes, `delay_days` only for profiles."""

    name: str
    kind: str
    days: int | None = None
    attribute: str | None = None
    delay_days: int | None = None


@dataclass(frozen=True, slots=True)
class FeatureSchema:
    """A schema: `features` in the vector's order, `digest` the SHA-256 of the bytes that it was parsed from."""

    name: str
    version: int
    features: tuple[Feature, ...]
    digest: bytes

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names, in the vector's order."""
        return tuple(feature.name for feature in self.features)

    @property
    def delay_days(self) -> int | None:
        """The labels' delay in days, None if nothing here comes from profiles."""
        return next((feature.delay_days for feature in self.features if feature.delay_days is not None), None)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a schema from its exact bytes.

        Raises:
            FeatureSchemaError: It is not strict JSON, or asks for what is not known.
        """
        try:
            schema = fields(parse_object(data, MAX_SCHEMA_BYTES), "it", {"name": str, "version": int, "features": list})
            features = tuple(_parse_feature(item, f"feature {place}") for place, item in enumerate(schema["features"]))
            _check_name(schema["name"], "its name")
        except JsonError as error:
            raise FeatureSchemaError(f"the feature schema is refused: {error}") from None
        names = [feature.name for feature in features]
        if not 1 <= len(features) <= MAX_FEATURES:
            raise FeatureSchemaError(f"the feature schema has {len(features)} features; 1 to {MAX_FEATURES} are allowed")
        if len(set(names)) != len(names):
            raise FeatureSchemaError("the feature schema uses a name twice")
        if len({feature.delay_days for feature in features if feature.delay_days is not None}) > 1:
            raise FeatureSchemaError("the feature schema gives labels more than one delay")
        if schema["version"] < 1:
            raise FeatureSchemaError("the feature schema's version must be 1 or more")
        return cls(schema["name"], schema["version"], features, sha256(data).digest())


def _parse_feature(value: Any, where: str) -> Feature:
    feature = fields(value, where, {"name": str, "kind": str}, {"days": int, "attribute": str, "delay_days": int})
    kind, days, attribute = feature["kind"], feature.get("days"), feature.get("attribute")
    delay_days = feature.get("delay_days")
    _check_name(feature["name"], f"{where}'s name")
    if kind not in KINDS:
        raise JsonError(f"{where} is of kind {kind!r}; known are {', '.join(sorted(KINDS))}")
    if (days is not None) != (kind in _WINDOWED | PROFILED):
        raise JsonError(f"{where}: 'days' belongs to {', '.join(sorted(_WINDOWED | PROFILED))}, and they need it")
    if (delay_days is not None) != (kind in PROFILED):
        raise JsonError(f"{where}: 'delay_days' belongs to {', '.join(sorted(PROFILED))}, and they need it")
    if delay_days is not None and not 1 <= delay_days <= MAX_DELAY_DAYS:
        raise JsonError(f"{where}: 'delay_days' is {delay_days}; 1 to {MAX_DELAY_DAYS} are possible")
    if days is not None and not 1 <= days <= MAX_DAYS:
        raise JsonError(f"{where}: 'days' is {days}; 1 to {MAX_DAYS} are kept")
    if (attribute is not None) != (kind == "attribute"):
        raise JsonError(f"{where}: 'attribute' belongs to features of kind attribute, and they need it")
    if attribute is not None:
        _check_name(attribute, f"{where}'s attribute")
    return Feature(feature["name"], kind, days, attribute, delay_days)


def _check_name(name: str, what: str) -> None:
    if not 1 <= len(name.encode("utf-8", "surrogatepass")) <= MAX_NAME_BYTES or not name.isprintable():
        raise JsonError(f"{what} must be 1 to {MAX_NAME_BYTES} bytes of printable text")
