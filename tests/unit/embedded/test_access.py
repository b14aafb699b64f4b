"""Whether another user may enter directories, judged by their modes."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick.embedded.postgres import can_enter
from tallystick.embedded.process import User

_STRANGER = User(uid=4_000_000, gid=4_000_000)


@pytest.fixture
def middle() -> Iterator[Path]:
    """Make `<open>/middle/leaf` directly below the system's temporary directory, which everybody may enter."""
    top = Path(tempfile.mkdtemp(prefix="tallystick-test-"))
    (top / "middle" / "leaf").mkdir(parents=True)
    for path in (top, top / "middle", top / "middle" / "leaf"):
        path.chmod(0o755)
    yield top / "middle"
    shutil.rmtree(top)


@pytest.mark.parametrize(("mode", "may"), [(0o711, True), (0o755, True), (0o700, False), (0o750, False), (0o744, False)])
def test_every_directory_on_the_way_counts(middle: Path, mode: int, may: bool) -> None:
    """One closed directory on the way keeps a stranger out of all below it."""
    middle.chmod(mode)
    assert can_enter(middle, _STRANGER) is may
    assert can_enter(middle / "leaf", _STRANGER) is may


def test_owner_and_group_are_judged_by_their_own_bits(middle: Path) -> None:
    """A directory closed to others may be open to its owner or group."""
    middle.chmod(0o710)
    status = middle.stat()
    assert can_enter(middle, User(status.st_uid, _STRANGER.gid))
    assert can_enter(middle, User(_STRANGER.uid, status.st_gid))
    assert not can_enter(middle, _STRANGER)
