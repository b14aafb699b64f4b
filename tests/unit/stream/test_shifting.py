"""Event times moved, in words."""

import pytest

from tallystick.cli.stream.shifting import moved


@pytest.mark.parametrize(
    ("by_ms", "words"),
    [
        (0, "as in the file"),
        (-12, "moved less than a second earlier"),
        (499, "moved less than a second later"),
        (-1_800_000, "moved 0:30:00 earlier"),
        (3_112 * 86_400_000 + 5_000, "moved 3112 days, 0:00:05 later"),
    ],
)
def test_a_move_is_said_to_the_second(by_ms: int, words: str) -> None:
    """No move, a small one and a large one, in both directions."""
    assert moved(by_ms) == words
