"""In what order the tests run, and what runs on one worker: what takes long comes first, what shares servers stays together."""

from pathlib import PurePath

LONG = ["chaos", "e2e", "integration"]
"""Layers that begin first, so that no worker is left alone with one at the end."""

_TOGETHER = {
    "one chain": "e2e/test_audit_packages e2e/test_bad_input e2e/test_fsck e2e/test_proofs e2e/test_reconcile e2e/test_replay"
    " e2e/test_settings",
    "a rough chain": "e2e/test_governance e2e/test_policies e2e/test_roster",
    "another rough chain": "e2e/test_exactly_once e2e/test_gateway e2e/test_groups e2e/test_real_data",
    "the card stream": "unit/simulate/test_card_stream unit/simulate/test_handbook_features property/trainer/test_features",
}
_GROUPS = {f"tests/{file}.py": group for group, files in _TOGETHER.items() for file in files.split()}


def layer(nodeid: str) -> str:
    """Return which layer a test is of: the folder below `tests`."""
    return PurePath(nodeid).parts[1]


def rank(nodeid: str) -> tuple[int, str]:
    """Return what to sort tests by: the long layers first, groups before single files and in one piece.

    The order inside a group, and that of single files, is left as it is.
    """
    found, group = layer(nodeid), group_of(nodeid)
    return (LONG.index(found) if found in LONG else len(LONG), group if group in _TOGETHER else "~")


def group_of(nodeid: str) -> str:
    """Return the name of what one worker runs in one piece: several files, or the test's own."""
    file = nodeid.split("::", 1)[0]
    return _GROUPS.get(file, file)
