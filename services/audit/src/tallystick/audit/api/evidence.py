"""The evidence of many decisions at once, for auditors: what backtests and audits of a whole day read."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from tallystick.audit.api import examples, problems
from tallystick.audit.api.decisions import Auditor, Groups, Partition
from tallystick.audit.api.schemas import EvidenceAnswer, OpenedEvidence, OpenedGroup
from tallystick.audit.api.state import Served
from tallystick.audit.entries import Place
from tallystick.merkle.encoding import encode_base64

MAX_PLACES = 1_000

router = APIRouter(prefix="/v1/evidence", tags=["decisions"])


@router.get(
    "/{partition}/{first}",
    response_model=EvidenceAnswer,
    responses={
        200: {"description": "What can be opened", "content": {"application/json": {"example": examples.EVIDENCE}}},
        **problems.declared(problems.UNAVAILABLE),
    },
)
async def get_evidence(
    audit: Served,
    caller: Auditor,
    partition: Partition,
    first: Annotated[int, Path(ge=0, le=2**53 - 1, description="The first decision's sequence", examples=[300])],
    disclose: Groups,
    count: Annotated[int, Query(ge=1, le=MAX_PLACES, description="How many sequences from there on", examples=[500])] = 500,
) -> Response:
    """Return the openings of decisions' evidence, as it is stored: hold each against the decision in the log.

    `digest` is the evidence's SHA-256: it is the decision's if that names it. Of what was `erased`, nothing is opened,
    and the record is given as it is `sealed`; what is not there is left out.
    """
    groups = list(dict.fromkeys(disclose.split(",")))
    opened = await audit.opener.openings(partition, first, count, groups)
    await audit.accesses.record(caller, Place(partition, first), count if opened else 0, groups)
    answer = EvidenceAnswer(
        evidence=[
            OpenedEvidence(
                sequence=one.sequence,
                digest=one.digest.hex(),
                erased=one.sealed is not None,
                sealed=None if one.sealed is None else encode_base64(one.sealed),
                openings=[
                    OpenedGroup(group=opening.group, salt=encode_base64(opening.salt), content=encode_base64(opening.content))
                    for opening in one.openings
                ],
            )
            for one in opened
        ]
    )
    return Response(answer.model_dump_json(), media_type="application/json", headers={"Cache-Control": "private, no-store"})
