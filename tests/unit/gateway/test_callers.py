"""Who may call."""

import pytest

from tallystick.gateway.callers import Callers, CallersError
from tallystick.gateway.tls import common_name

TEXT = """\
# cards: two tokens while one is replaced
cards token-one-of-the-cards
cards\ttoken-two-of-the-cards

web token-of-the-web-channel
"""
CALLERS = Callers.parse(TEXT)


@pytest.mark.parametrize(
    ("authorization", "certificate", "channel"),
    [
        ("Bearer token-one-of-the-cards", None, "cards"),
        ("bearer  token-two-of-the-cards", None, "cards"),
        ("Bearer token-of-the-web-channel", "cards", "web"),
        (None, "branch", "branch"),
        (None, None, None),
        ("Bearer token-one-of-the-card", None, None),
        ("Bearer ", None, None),
        ("Basic token-one-of-the-cards", None, None),
        ("token-one-of-the-cards", None, None),
        ("Bearer wrong", "cards", None),
        ("Bearer \udce9", None, None),
    ],
)
def test_a_channel_is_its_token_s_or_its_certificate_s(
    authorization: str | None, certificate: str | None, channel: str | None
) -> None:
    """A wrong token is wrong whatever certificate comes with it."""
    assert CALLERS.channel(authorization, certificate) == channel


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no caller"),
        ("# cards token-one-of-the-cards\n", "no caller"),
        ("cards\n", "line 1"),
        ("cards short\n", "line 1 has fewer than 20"),
        ("Cards token-one-of-the-cards\n", "line 1"),
        ("cards token-one-of-the-cards more\n", "line 1"),
        (TEXT + "web token-one-of-the-cards\n", "line 6 is there twice"),
    ],
)
def test_a_file_of_callers_is_refused_with_the_place_of_what_is_wrong(text: str, reason: str) -> None:
    """Never with the token."""
    with pytest.raises(CallersError, match=reason) as refused:
        Callers.parse(text)
    assert "token-one" not in str(refused.value)


def test_a_certificate_s_common_name() -> None:
    """As Python's ssl gives it; one with several names is nobody's."""
    assert common_name({"subject": ((("countryName", "SE"),), (("commonName", "web"),))}) == "web"
    assert common_name({"subject": ((("commonName", "web"),), (("commonName", "cards"),))}) is None
    assert common_name({}) is None
    assert common_name(None) is None
