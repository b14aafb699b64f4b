"""The lock files: names, versions and hashes, and nothing else."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from .tree import PARTS, ROOT

LOCKS = ("lock.txt", "lock-dev.txt")
PIN = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*)(?:\[[a-z0-9,-]+\])?==(?P<version>[^ ]+)(?P<marker> ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?")


def pins(lock: str) -> dict[str, set[str]]:
    """Return the versions (one for each Python it forks for) of every package in a lock."""
    found: dict[str, set[str]] = {}
    for line in (ROOT / lock).read_text().splitlines():
        if match := PIN.fullmatch(line):
            found.setdefault(match["name"], set()).add(match["version"])
    return found


def requirements(part: str) -> list[Requirement]:
    """Return what a part needs from a package index."""
    names = tomllib.loads((ROOT / "services" / part / "pyproject.toml").read_text())["project"]["dependencies"]
    return [Requirement(name) for name in names if not name.startswith("tallystick-")]


def test_lines_are_pins_and_hashes_only() -> None:
    """No address, no path, no option: a lock installs from any index, and every line is a pin or its hash."""
    for lock in LOCKS:
        odd = [line for line in (ROOT / lock).read_text().splitlines() if not PIN.fullmatch(line) and not HASH.fullmatch(line)]
        assert odd == []
        assert not any(name.startswith("tallystick") for name in pins(lock))


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize("part", PARTS)
def test_a_lock_satisfies_the_parts(part: str, lock: str) -> None:
    """Every requirement of every part is in the lock, at versions that satisfy it: else `make lock` was forgotten."""
    locked = pins(lock)
    for requirement in requirements(part):
        versions = locked.get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement} is not in {lock}: run `make lock`"
        assert all(requirement.specifier.contains(Version(version), prereleases=True) for version in versions)


def test_the_development_lock_satisfies_its_group() -> None:
    """Every tool of the dev group is in lock-dev.txt at a version that it allows."""
    group = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    locked = pins("lock-dev.txt")
    for requirement in map(Requirement, group):
        versions = locked.get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement} is not in lock-dev.txt: run `make lock`"
        assert all(requirement.specifier.contains(Version(version), prereleases=True) for version in versions)


def test_tests_run_what_users_run() -> None:
    """lock-dev.txt holds all of lock.txt at the same versions."""
    users, tests = pins("lock.txt"), pins("lock-dev.txt")
    assert {name: tests.get(name) for name in users} == users
