"""Feature schemas."""

from hashlib import sha256
from importlib.resources import files

import pytest

from tallystick.trust.features import Feature, FeatureSchema, FeatureSchemaError

from .helpers import SCHEMA

AMOUNT = '{"name": "amount", "kind": "amount"}'


@pytest.mark.parametrize("name", ["card-1.json", "components-1.json"])
def test_the_shipped_schemas_are_good(name: str) -> None:
    """Every schema that is shipped as data is understood, and its digest is that of its file."""
    data = (files("tallystick.contracts") / "features" / name).read_bytes()
    schema = FeatureSchema.parse(data)
    assert schema.digest == sha256(data).digest()
    assert f"{schema.name}-{schema.version}.json" == name


def test_features_keep_their_order_and_what_belongs_to_their_kind() -> None:
    """A schema's features are its vector's places."""
    schema = FeatureSchema.parse(SCHEMA)
    assert schema.features == (Feature("amount", "amount"), Feature("count_7d", "count", days=7))
    assert schema.names == ("amount", "count_7d")


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        ("", "has 0 features"),
        ('{"name": "a", "kind": "mystery"}', "kind 'mystery'"),
        ('{"name": "a", "kind": "count"}', "'days' belongs to"),
        ('{"name": "a", "kind": "amount", "days": 7}', "'days' belongs to"),
        ('{"name": "a", "kind": "count", "days": 0}', "'days' is 0"),
        ('{"name": "a", "kind": "count", "days": 31}', "'days' is 31"),
        ('{"name": "a", "kind": "count", "days": true}', "must be an integer"),
        ('{"name": "a", "kind": "attribute"}', "'attribute' belongs to"),
        ('{"name": "a", "kind": "amount", "attribute": "V1"}', "'attribute' belongs to"),
        ('{"name": "a", "kind": "attribute", "attribute": ""}', "attribute must be 1 to 64"),
        ('{"name": "", "kind": "amount"}', "name must be 1 to 64"),
        ('{"name": "a\\u001b[2J", "kind": "amount"}', "name must be 1 to 64"),
        ('{"name": "\\ud800", "kind": "amount"}', "name must be 1 to 64"),
        ('{"name": "a", "kind": "amount", "scale": 2}', "'scale', which is not known"),
        ('{"name": "a"}', "lacks 'kind'"),
        (f"{AMOUNT}, {AMOUNT}", "uses a name twice"),
        ("1", "must be an object"),
        (", ".join(f'{{"name": "f{i}", "kind": "amount"}}' for i in range(513)), "has 513 features"),
    ],
)
def test_a_schema_that_is_not_understood_is_refused(features: str, reason: str) -> None:
    """An unknown kind, a window nobody keeps, or anything superfluous is refused."""
    with pytest.raises(FeatureSchemaError, match=reason):
        FeatureSchema.parse(f'{{"name": "s", "version": 1, "features": [{features}]}}'.encode())


@pytest.mark.parametrize("version", ["0", "-1", '"1"', "1.0"])
def test_versions_count_from_one(version: str) -> None:
    """A version is a positive integer."""
    with pytest.raises(FeatureSchemaError, match="version"):
        FeatureSchema.parse(f'{{"name": "s", "version": {version}, "features": [{AMOUNT}]}}'.encode())


@pytest.mark.parametrize("name", ['""', '"a\\u001b[2J"', "1"])
def test_a_schema_has_a_name_that_prints(name: str) -> None:
    """Its own name is held to the features' rule."""
    with pytest.raises(FeatureSchemaError, match="name"):
        FeatureSchema.parse(f'{{"name": {name}, "version": 1, "features": [{AMOUNT}]}}'.encode())
