"""JSON in one reading only."""

import pytest

from tallystick.trust.strict_json import JsonError, fields, parse_object


def test_an_object_is_read() -> None:
    """What every parser reads alike is read."""
    assert parse_object(b'{"a": [1, 2.5, "x", null, true]}', 100) == {"a": [1, 2.5, "x", None, True]}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b'{"a": 1, "a": 1}', "'a' is repeated"),
        (b'{"b": {"a": 1, "\\u0061": 1}}', "'a' is repeated"),
        (b'{"a": NaN}', "NaN is not"),
        (b'{"a": -Infinity}', "-Infinity is not"),
        (b'\xef\xbb\xbf{"a": 1}', "not JSON"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        (b'{"a": 1} x', "not JSON"),
        (b'{"a": 1,}', "not JSON"),
        (b"{'a': 1}", "not JSON"),
        (b'{"a": "\n"}', "not JSON"),
        (b"", "not JSON"),
        (b"[]", "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"a": ' + b"[" * 100_000, "nesting too deep"),
        (b'{"a": ' + b"1" * 5000 + b"}", "too long"),
        (b'{"a": "' + b"x" * 200_000 + b'"}', "more than the 150000 allowed"),
    ],
)
def test_what_could_be_read_twofold_is_refused(data: bytes, reason: str) -> None:
    """Repeated names, constants that are not JSON, stray bytes, depth and length are refused with a reason."""
    with pytest.raises(JsonError, match=reason):
        parse_object(data, 150_000)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "x must be an object"),
        ({"a": 1}, "x lacks 'b'"),
        ({"a": 1, "b": "", "c": 1}, "x has 'c', which is not known"),
        ({"a": "1", "b": ""}, "x: 'a' must be an integer"),
        ({"a": True, "b": ""}, "x: 'a' must be an integer"),
        ({"a": 1.0, "b": ""}, "x: 'a' must be an integer"),
        ({"a": 1, "b": None}, "x: 'b' must be a string"),
    ],
)
def test_fields_are_exactly_those_asked_for(value: object, reason: str) -> None:
    """A missing, unknown or mistyped field is named."""
    with pytest.raises(JsonError, match=reason):
        fields(value, "x", {"a": int, "b": str})
