"""What decides, and who says so: models with their cards, policies, activations, and the monitors' reports."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Annotated

from fastapi import APIRouter, Path, Response
from markupsafe import Markup

from tallystick.audit.api.state import Served
from tallystick.audit.console.charts import Point, plot
from tallystick.audit.console.markdown import to_html
from tallystick.audit.console.pages import PREFIX, PageRoute, page
from tallystick.audit.console.session import Reader
from tallystick.audit.console.state import Shown
from tallystick.audit.errors import UnknownError
from tallystick.contracts import Report
from tallystick.trust.decisions import score_of
from tallystick.trust.features import FeatureSchema
from tallystick.trust.governance import VerifiedActivation
from tallystick.trust.records import CHAMPION

router = APIRouter(prefix=PREFIX, route_class=PageRoute, include_in_schema=False)
Digest = Annotated[str, Path(pattern="^[0-9a-f]{64}$")]
Finding = tuple[int, Report]
"""A report, and its entry in the governance log."""


@router.get("/models")
async def models(audit: Served, console: Shown, caller: Reader) -> Response:
    """Return all models, policies and activations, newest first."""
    governance = (await audit.governing.now()).governance
    return page(
        "models.html",
        reader=caller,
        here="models",
        models=sorted(governance.models.values(), key=lambda item: -item[0]),
        policies=sorted(((*item, digest) for digest, item in governance.policies.items()), key=lambda item: -item[0]),
        activations=governance.activations[::-1],
        deciding=_deciding(governance.slot(CHAMPION), console.clock()),
        rejected=governance.rejected,
    )


@router.get("/models/{digest}")
async def model(audit: Served, caller: Reader, digest: Digest) -> Response:
    """Return a model's card, and everything that was said of it."""
    governance = (await audit.governing.now()).governance
    known = governance.models.get(bytes.fromhex(digest))
    if known is None:
        raise UnknownError("The governance log has no model with this digest.")
    index, statement = known
    return page(
        "model.html",
        reader=caller,
        here="models",
        index=index,
        model=statement,
        metrics=sorted(statement.metrics.items()),
        schema=FeatureSchema.parse(statement.feature_schema),
        card=to_html(statement.card),
        activations=[one for one in governance.activations if one.model_digest == statement.digest][::-1],
    )


@router.get("/policies/{digest}")
async def policy(audit: Served, caller: Reader, digest: Digest) -> Response:
    """Return a policy in plain words."""
    governance = (await audit.governing.now()).governance
    known = governance.policies.get(bytes.fromhex(digest))
    if known is None:
        raise UnknownError("The governance log has no policy with this digest.")
    index, statement = known
    scores = score_of(statement.review_margin), score_of(statement.decline_margin)
    return page(
        "policy.html",
        reader=caller,
        here="models",
        index=index,
        policy=statement,
        digest=digest,
        scores=scores,
        activations=[one for one in governance.activations if one.policy_digest.hex() == digest][::-1],
    )


@router.get("/reports")
async def reports(audit: Served, caller: Reader) -> Response:
    """Return what the monitors found, subject by subject, each figure over time."""
    found = (await audit.governing.now()).reports
    return page("reports.html", reader=caller, here="reports", subjects=_subjects(found))


def _subjects(found: Sequence[Finding]) -> dict[str, tuple[Mapping[str, Markup], list[Finding]]]:
    """Return by subject a plot for each of its figures, and its reports from the newest on."""
    by_subject: dict[str, list[Finding]] = defaultdict(list)
    for index, report in found:
        by_subject[report.subject].append((index, report))
    return {subject: (_plots(items), items[::-1]) for subject, items in sorted(by_subject.items())}


def _plots(items: Sequence[Finding]) -> dict[str, Markup]:
    plots = {}
    for name in sorted({name for _, report in items for name in report.figures}):
        points = [Point(report.to_ms / 1000, report.figures[name]) for _, report in items if name in report.figures]
        plots[name] = plot(points, name, "", points)
    return plots


def _deciding(activations: Sequence[VerifiedActivation], now_s: float) -> int | None:
    """Return the index of the activation under which a record of now is decided."""
    due = [one.index for one in activations if one.effective_at_ms <= now_s * 1000]
    return max(due, default=None)
