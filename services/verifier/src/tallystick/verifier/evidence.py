"""What a bundle discloses, told: the evidence groups as JSON values."""

from collections.abc import Mapping
from struct import unpack
from typing import Any

from tallystick.contracts import Explanation, FeatureVector, Identity, TransactionDetails
from tallystick.trust.features import FeatureSchema


def evidence(disclosures: Mapping[str, bytes], schema: FeatureSchema) -> dict[str, Any]:
    """Return the disclosed groups by name. Requires disclosures that `verify_bundle` has verified under this schema."""
    tell = {"identity": _identity, "transaction": _transaction, "explanation": _explanation}
    return {
        group: _features(content, schema) if group == "features" else tell[group](content)
        for group, content in disclosures.items()
    }


def feature_values(content: bytes) -> tuple[float, ...]:
    """Return the vector of a disclosed `features` group; each value is a float32."""
    values = FeatureVector.FromString(content).values
    return unpack(f"<{len(values) // 4}f", values)


def line(group: str, told: Mapping[str, Any]) -> str:
    """Return one disclosed group as a line."""
    if group == "transaction":
        place = "".join(f", {name} {told[f'{name}_id']}" for name in ("terminal", "merchant") if told[f"{name}_id"])
        return f"{told['amount_minor']} minor units of {told['currency']} at {told['event_time_ms']} ms{place}"
    return (
        ", ".join(f"{name} {value:.9g}" if isinstance(value, float) else f"{name} {value}" for name, value in told.items())
        or "-"
    )


def _identity(content: bytes) -> dict[str, Any]:
    identity = Identity.FromString(content)
    return {"transaction_id": identity.transaction_id, "customer_id": identity.customer_id}


def _transaction(content: bytes) -> dict[str, Any]:
    details = TransactionDetails.FromString(content)
    told = {field.name: getattr(details, field.name) for field in TransactionDetails.DESCRIPTOR.fields}
    return told | {"attributes": dict(sorted(details.attributes.items()))}


def _features(content: bytes, schema: FeatureSchema) -> dict[str, Any]:
    values = (None if value != value else value for value in feature_values(content))  # NaN: missing, and not JSON
    return dict(zip(schema.names, values, strict=True))


def _explanation(content: bytes) -> dict[str, Any]:
    return {item.feature: item.margin for item in Explanation.FromString(content).contributions}
