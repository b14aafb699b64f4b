"""HMAC-SHA-256 against the standard library's."""

from hmac import digest

from hypothesis import given
from hypothesis import strategies as st

from tallystick.trust.keyed_hash import keyed_hash


@given(st.binary(max_size=63) | st.binary(min_size=63, max_size=66), st.lists(st.binary(max_size=200), min_size=1, max_size=3))
def test_it_is_hmac(key: bytes, messages: list[bytes]) -> None:
    """For keys shorter and longer than a block, and whatever was hashed before."""
    keyed = keyed_hash(key)
    for message in messages:
        assert keyed(message) == digest(key, message, "sha256")
