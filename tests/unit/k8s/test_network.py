"""Who may speak to whom in the dev overlay, where the servers are in the same namespace."""

from k8s import validate

from .network import edges

NEEDED = {
    "scoring": {"kafka", "openbao", "postgresql", "notary"},
    "notary": {"kafka", "openbao", "postgresql", "witness"},
    "audit": {"openbao", "postgresql"},
    "audit-ingest": {"kafka", "postgresql"},
    "retention": {"kafka", "openbao", "postgresql"},
    "gateway": {"kafka", "postgresql"},
    "profiles": {"kafka"},
    "provision": {"kafka", "openbao", "postgresql"},
}


def test_exactly_what_is_needed_passes() -> None:
    """Every connection that a service needs is allowed at both ends, and no other is."""
    found = edges(validate.build(validate.ROOT / "overlays/dev"))
    assert found == {(source, target) for source, targets in NEEDED.items() for target in targets}


def test_without_policies_everything_passes() -> None:
    """The reading of policies itself can tell: with none, every pod reaches every port."""
    documents = [d for d in validate.build(validate.ROOT / "overlays/dev") if d["kind"] != "NetworkPolicy"]
    assert ("kafka", "notary") in edges(documents)
