"""Files: models by digest, for auditors, and the trust policy this service itself uses, for everybody."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response

from tallystick.audit.api import examples, patterns, problems
from tallystick.audit.api.access import AUDITOR
from tallystick.audit.api.state import Served
from tallystick.audit.api.tiles import IfNoneMatch, cached

Digest = Annotated[
    str,
    Path(min_length=64, max_length=64, pattern=patterns.DIGEST, description="SHA-256 of the file", examples=["9f86d081" * 8]),
]
PolicyFile = Annotated[Literal["log.policy", "trust.toml"], Path(description="Which file", examples=["log.policy"])]
router = APIRouter(prefix="/v1", tags=["models and policy"])


@router.get(
    "/models/{digest}",
    response_class=Response,
    dependencies=[AUDITOR],
    responses={
        200: {
            "description": "The model's exact bytes (XGBoost JSON)",
            "content": {"application/json": {"schema": {"type": "object"}, "example": examples.MODEL}},
        },
        304: {"description": "The one you have"},
        **problems.declared(problems.UNKNOWN, problems.INCONSISTENT, problems.UNAVAILABLE),
    },
)
async def get_model(audit: Served, digest: Digest, if_none_match: IfNoneMatch = None) -> Response:
    """Return a model's file, whose SHA-256 decisions and the governance log name. For auditors."""
    caching = "private, max-age=31536000, immutable"
    return cached(await audit.models.read(digest), "application/json", caching, if_none_match)


@router.get(
    "/trust-policy/{file}",
    response_class=Response,
    responses={
        200: {
            "description": "The file",
            "content": {
                "text/plain": {
                    "schema": {"type": "string"},
                    "examples": {
                        "log.policy": {"value": examples.LOG_POLICY},
                        "trust.toml": {"value": examples.TRUST_TOML},
                    },
                }
            },
        },
        **problems.declared(),
    },
)
async def get_trust_policy(audit: Served, file: PolicyFile) -> Response:
    """Return a file of the trust policy that this service uses.

    **For comparing only.** Whoever takes the policy from the party that it is to check has checked nothing: auditors must
    get theirs from somebody else, and may then see here that the operator uses the same.
    """
    return Response(audit.policy_files[file], media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-cache"})
