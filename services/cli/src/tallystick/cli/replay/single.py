"""One bundle: verify it, check the model's file, execute, compare."""

from argparse import Namespace
from dataclasses import asdict, dataclass
from hashlib import sha256
from struct import pack
from typing import Any

import numpy as np

from tallystick.cli.replay.engines import ENGINES, EngineError
from tallystick.cli.replay.trees import MAX_MODEL_BYTES, Floats
from tallystick.cli.verify.ruling import rule_bundle_again
from tallystick.cli.verify.screen import print_refusal, print_rows
from tallystick.contracts import Decision, Outcome, PolicyStatement
from tallystick.trust.bundle import BundleError, VerifiedBundle, verify_bundle
from tallystick.trust.decisions import outcome_of, score_of
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.rulings import reason_by_name, rule_on, without_mark
from tallystick.verifier.evidence import feature_values
from tallystick.verifier.inputs import UnreadableError, read_bundle, read_file, read_policy
from tallystick.verifier.printing import write_error, write_json
from tallystick.verifier.report import outcome_name


@dataclass(frozen=True, slots=True)
class Execution:
    """What one engine made of the decision, and whether all of it is what the log holds."""

    engine: str
    margin: float
    margin_bits: str
    score: int
    outcome: str
    applied: list[str]
    identical: bool


class NotIdenticalError(Exception):
    """The decision cannot have been made as logged; the message says why."""


def run(args: Namespace) -> int:
    """Execute a decision again; return 0 if identical, 1 if not, 2 if it could not be tried."""
    try:
        executions = _replay(args, read_policy(args.policy), read_bundle(args.bundle))
    except (UnreadableError, EngineError) as error:
        write_error("replay", error)
        return 2
    except (BundleError, NotIdenticalError) as error:
        _report(args, {"identical": False, "reason": str(error), "logged": None, "executions": []})
        return 1
    bundle, executed = executions
    identical = all(execution.identical for execution in executed)
    reason = None if identical else f"{_differing(executed)} did not give what the log holds"
    logged = {
        "margin_bits": f"{bundle.decision.margin_bits:08x}",
        "score": bundle.decision.score,
        "outcome": outcome_name(bundle.decision),
        "applied": list(bundle.decision.applied),
    }
    document = {"identical": identical, "reason": reason, "logged": logged, "executions": [asdict(each) for each in executed]}
    _report(args, document)
    return 0 if identical else 1


def _replay(args: Namespace, policy: TrustPolicy, data: bytes) -> tuple[VerifiedBundle, list[Execution]]:
    bundle = verify_bundle(data, policy)
    if bundle.decision.outcome == Outcome.OUTCOME_REJECTED or bundle.model is None or bundle.policy is None:
        raise UnreadableError(f"{args.bundle} holds a rejected record: no model was asked")
    if "features" not in bundle.disclosures:
        raise UnreadableError(f"{args.bundle} does not disclose `features`: ask for a bundle that does")
    model = read_file(args.model, min(bundle.model.size_bytes, MAX_MODEL_BYTES))
    if sha256(model).digest() != bundle.model.digest:
        raise NotIdenticalError(f"{args.model} is not the logged model, whose SHA-256 is {bundle.model.digest.hex()}")
    row: Floats = np.array([feature_values(bundle.disclosures["features"])], dtype=np.float32)
    again = rule_bundle_again(bundle, args.lists)
    applied = () if again is None else again.ruling.applied
    return bundle, [
        _execution(engine.__name__, float(engine(model, 1)(row)[0]), applied, bundle.decision, bundle.policy)
        for engine in ENGINES[args.engine]
    ]


def _execution(engine: str, margin: float, applied: tuple[str, ...], decision: Decision, policy: PolicyStatement) -> Execution:
    bits = int.from_bytes(pack("<f", margin), "little")
    ruling, score = rule_on(outcome_of(margin, policy), applied, reason_by_name(policy)), score_of(margin)
    logged = decision.outcome, without_mark(decision.reasons), tuple(decision.applied)
    return Execution(
        engine=engine,
        margin=margin,
        margin_bits=f"{bits:08x}",
        score=score,
        outcome=Outcome.Name(ruling.outcome).removeprefix("OUTCOME_"),
        applied=list(applied),
        identical=(bits, score, ruling) == (decision.margin_bits, decision.score, logged),
    )


def _differing(executed: list[Execution]) -> str:
    return " and ".join(execution.engine for execution in executed if not execution.identical)


def _report(args: Namespace, document: dict[str, Any]) -> None:
    if args.json:
        write_json(document)
        return
    if not document["executions"]:
        print_refusal("NOT IDENTICAL", f"{document['reason']}.")
        return
    rows = [("logged", _line(document["logged"]))]
    rows += [(execution["engine"], _line(execution)) for execution in document["executions"]]
    print_rows("IDENTICAL" if document["identical"] else "NOT IDENTICAL", document["identical"], rows)


def _line(told: dict[str, Any]) -> str:
    applied = f", by {' and '.join(told['applied'])}" if told["applied"] else ""
    return f"margin bits {told['margin_bits']}, score {told['score']}, {told['outcome']}{applied}"
