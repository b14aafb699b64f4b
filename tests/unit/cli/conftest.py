"""A folder with a trust policy, and bundles beside it."""

from pathlib import Path

import pytest

from ..trust.helpers import log_policy, trust_toml


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the test bank's trust policy in `policy`."""
    policy = tmp_path / "policy"
    policy.mkdir()
    (policy / "log.policy").write_bytes(log_policy())
    (policy / "trust.toml").write_bytes(trust_toml())
    return tmp_path
