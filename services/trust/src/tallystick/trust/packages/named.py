"""The files that a package's own records name: those that `tallystick export` puts in, if it is given them.

Sums and checksums can be made anew over fewer files. What a bundle or the governance log names by a digest or an index stays
named, so that a reader can be told what is absent.
"""

from collections.abc import Iterable, Iterator, Sequence

from tallystick.contracts import EntryKind, Outcome
from tallystick.trust.bundle import VerifiedBundle
from tallystick.trust.records import open_entry


def named_files(bundles: Iterable[VerifiedBundle], entries: Sequence[bytes]) -> set[str]:
    """Return the names of the files that these decisions, and the governance log's entries, call for.

    A decision names its model, whose card is in the governance log, and its policy, which names its lists. The seals that
    should go over it nobody names: how many decisions have one is told by `sealed`.
    """
    names = {f"reports/{index}.json" for index, entry in enumerate(entries) if _is_report(entry)}
    return names.union(*map(_named_by, bundles))


def _named_by(bundle: VerifiedBundle) -> Iterator[str]:
    decision = bundle.decision
    if decision.outcome != Outcome.OUTCOME_REJECTED:
        yield f"models/{decision.model_digest.hex()}.json"
        yield f"models/{decision.model_digest.hex()}.md"
    if bundle.policy is not None:
        yield f"policies/{decision.policy_digest.hex()}.json"
        yield from (f"lists/{item.digest.hex()}.list" for item in bundle.policy.lists)


def _is_report(entry: bytes) -> bool:
    return open_entry(entry).kind == EntryKind.ENTRY_KIND_REPORT
