"""A chain that tests may treat roughly: kill its processes, change its models, show scoring another log."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tallystick.cli.demo.platform import Platform
from tallystick.trust.policy import TrustPolicy

from .governing import Release, install
from .starting import started

MAX_AGE_S = 3
"""How old scoring lets the governance log be."""


class View:
    """Where scoring reads the logs: links to what the notary publishes, until a test puts something else in their place."""

    def __init__(self, platform: Platform) -> None:
        self.directory = platform.directory / "view"
        self._live = platform.log_dir
        self.directory.mkdir()
        self.restore()

    def show(self, log: str, folder: Path) -> None:
        """Let a log be what is in this folder."""
        link = self.directory / f"{log}.new"
        link.symlink_to(folder)
        link.replace(self.directory / log)

    def copy(self, log: str) -> Path:
        """Return a copy of a log as it is now."""
        folder = self.directory.parent / f"copy-{log}-{time.monotonic_ns()}"
        shutil.copytree(self._live / log, folder)
        return folder

    def restore(self) -> None:
        """Show what the notary publishes."""
        for log in ("decisions", "governance"):
            self.show(log, self._live / log)


class Rough(NamedTuple):
    """A chain whose scoring reads the logs through a view."""

    platform: Platform
    view: View


@contextlib.contextmanager
def rough_chain(directory: Path, release: Release) -> Iterator[Rough]:
    """Run a chain with small batches and limits, so that much happens in a short time, under a policy with little patience."""
    strict = directory / "strict-policy"
    extra = {
        "scoring": {
            "TALLYSTICK_LOG_URL": (directory / "view").as_uri(),
            "TALLYSTICK_TRUST_POLICY": str(strict),
            "TALLYSTICK_BATCH_RECORDS": "100",
            "TALLYSTICK_COVERAGE_AGE_S": "2",
            "TALLYSTICK_SNAPSHOT_DIR": str(directory / "snapshots"),
            "TALLYSTICK_SNAPSHOT_EVERY_S": "1",
        },
        "notary": {"TALLYSTICK_REFRESH_S": "0.5"},
    }
    platform = Platform(directory, extra=extra)
    view = View(platform)

    def prepare() -> None:
        shutil.copytree(platform.policy, strict)
        toml = strict / "trust.toml"
        toml.write_text(toml.read_text().replace("max_age_s = 60", f"max_age_s = {MAX_AGE_S}"))
        assert TrustPolicy.load(strict).freshness.max_age_s == MAX_AGE_S

    with started(platform, prepare):
        install(platform, release)
        yield Rough(platform, view)
