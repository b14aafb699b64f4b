"""What the governance log amounts to, in JSON: models, policies, activations, reports; and who cosigned each log.

All of it is in entries that are for everybody, and follows from them by the rules of `tallystick.trust.governance`: who does
not believe it replays the log (`tallystick fsck`).
"""

import math
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query

from tallystick.audit.api import examples, problems
from tallystick.audit.api.logs import LogName, served_log
from tallystick.audit.api.schemas import (
    ActivationDescription,
    Activations,
    Cosignature,
    Cosignatures,
    ModelDescription,
    Models,
    Policies,
    PolicyDescription,
    ReportDescription,
    Reports,
)
from tallystick.audit.api.state import Served
from tallystick.audit.entries import iso

T = TypeVar("T")
First = Annotated[int, Query(ge=0, le=2**53 - 1, description="From this entry of the governance log on", examples=[0])]
Limit = Annotated[int, Query(ge=1, le=1000, description="How many at the most", examples=[100])]
Indexed = tuple[int, T]

router = APIRouter(prefix="/v1", tags=["governance"])
_FAILURES = problems.declared(problems.INCONSISTENT, problems.UNAVAILABLE)


def _responses(description: str, example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    return {200: {"description": description, "content": {"application/json": {"example": example}}}, **_FAILURES}


@router.get("/models", responses=_responses("The models", examples.MODELS))
async def get_models(audit: Served, first: First = 0, limit: Limit = 100) -> Models:
    """Return the models that were published, with their cards, in the log's order; the next ones from `next` on."""
    known = await audit.governing.now()
    page, after = _page(sorted(known.governance.models.values(), key=_index), first, limit)
    described = [
        ModelDescription(
            index=index,
            name=model.name,
            version=model.version,
            digest=model.digest.hex(),
            size_bytes=model.size_bytes,
            format=model.format,
            engine=model.engine,
            training_data_digest=model.training_data_digest.hex() or None,
            metrics=_figures(model.metrics.items()),
            card=model.card,
            created_at=iso(model.created_at_ms),
            active=model.digest in known.in_force,
        )
        for index, model in page
    ]
    return Models(models=described, next=after)


@router.get("/policies", responses=_responses("The policies", examples.POLICIES))
async def get_policies(audit: Served, first: First = 0, limit: Limit = 100) -> Policies:
    """Return the policies that were published, in the log's order; the next ones from `next` on."""
    known = await audit.governing.now()
    digests = {index: digest for digest, (index, _) in known.governance.policies.items()}
    page, after = _page(sorted(known.governance.policies.values(), key=_index), first, limit)
    described = [
        PolicyDescription(
            index=index,
            name=policy.name,
            version=policy.version,
            digest=digests[index].hex(),
            decline_margin=policy.decline_margin,
            review_margin=policy.review_margin,
            rules=[f"{rule.name}: {rule.when}" for rule in policy.rules],
            lists=[one.name for one in policy.lists],
            created_at=iso(policy.created_at_ms),
        )
        for index, policy in page
    ]
    return Policies(policies=described, next=after)


@router.get("/activations", responses=_responses("The activations", examples.ACTIVATIONS))
async def get_activations(audit: Served, first: First = 0, limit: Limit = 100) -> Activations:
    """Return the activations that count, with who approved them, in the log's order; the next ones from `next` on."""
    known = await audit.governing.now()
    page, after = _page([(one.index, one) for one in known.governance.activations], first, limit)
    described = [
        ActivationDescription(
            index=index,
            slot=one.slot,
            number=one.number,
            model_digest=one.model_digest.hex(),
            policy_digest=one.policy_digest.hex(),
            effective_at=iso(one.effective_at_ms),
            approvers=list(one.approvers),
        )
        for index, one in page
    ]
    return Activations(activations=described, next=after)


@router.get("/reports", responses=_responses("The reports", examples.REPORTS))
async def get_reports(audit: Served, first: First = 0, limit: Limit = 100) -> Reports:
    """Return the monitors' reports in the log's order; the next ones from `next` on."""
    page, after = _page((await audit.governing.now()).reports, first, limit)
    described = [
        ReportDescription(
            index=index,
            subject=report.subject,
            from_time=iso(report.from_ms),
            to_time=iso(report.to_ms),
            figures=_figures(report.figures.items()),
            summary=report.summary,
        )
        for index, report in page
    ]
    return Reports(reports=described, next=after)


@router.get(
    "/logs/{log}/cosignatures",
    responses={
        **_responses("Who cosigned", examples.COSIGNATURES),
        **problems.declared(problems.UNKNOWN, problems.UNAVAILABLE),
    },
)
async def get_cosignatures(audit: Served, log: LogName) -> Cosignatures:
    """Return which witnesses cosigned a log's newest checkpoint, and when; the checkpoint itself shows it."""
    served = served_log(audit, log)
    head = await served.head()
    signed = [Cosignature(witness=name, at=iso(time_s * 1000)) for name, time_s in sorted(head.cosigned.items())]
    return Cosignatures(origin=served.origin, size=head.size, witnesses=signed)


def _page(items: Sequence[Indexed[T]], first: int, limit: int) -> tuple[Sequence[Indexed[T]], int | None]:
    """Return the items from `first` on, and where the next page begins."""
    found = [item for item in items if item[0] >= first]
    return found[:limit], found[limit][0] if len(found) > limit else None


def _index(item: Indexed[Any]) -> int:
    return item[0]


def _figures(figures: Iterable[tuple[str, float]]) -> dict[str, float | None]:
    """Return figures by name; JSON has no word for those that are not finite."""
    return {name: figure if math.isfinite(figure) else None for name, figure in sorted(figures)}
