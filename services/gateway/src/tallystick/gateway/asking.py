"""What a request asks for: headers and body to checked transactions, or to what is wrong with it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers

from tallystick.contracts import ReasonCode, Transaction
from tallystick.gateway.answers import JSON, PROTOBUF
from tallystick.gateway.deciding import Asked
from tallystick.gateway.iso20022 import Iso20022Error, payments
from tallystick.gateway.keys import IdempotencyKeyError, fingerprint, parse_key, request_id, transaction_id
from tallystick.gateway.settings import GatewaySettings
from tallystick.runtime.problems import InvalidParameter, Kind
from tallystick.trust.transactions import RejectionError, check_fields, decode

XML = "application/xml"
DEADLINE = "Tallystick-Deadline-Ms"
IDEMPOTENCY_KEY = "Idempotency-Key"
_TYPES = {JSON: JSON, PROTOBUF: PROTOBUF, "application/protobuf": PROTOBUF, XML: XML, "text/xml": XML}
_MAX_HEADER = 4_096

MALFORMED = Kind("malformed-request", 400, "The request cannot be read", "The body is not the JSON of a Transaction.")
INVALID = Kind("invalid-request", 422, "The transaction is not valid", "AMOUNT_NEGATIVE")
MEDIA = Kind(
    "unsupported-media-type",
    415,
    "Not a form that is taken here",
    f"Content-Type must be {JSON}, {PROTOBUF} or {XML}, without a Content-Encoding.",
    {"Accept-Post": f"{JSON}, {PROTOBUF}, {XML}"},
)
ACCEPT = Kind("not-acceptable", 406, "Not a form that is given here", f"Accept must allow {JSON} or {PROTOBUF}.")
_UNREADABLE = frozenset({ReasonCode.REASON_CODE_JSON_MALFORMED, ReasonCode.REASON_CODE_PROTOBUF_MALFORMED})


class RefusedError(Exception):
    """The request is not one; the attributes say why."""

    def __init__(self, kind: Kind, detail: str, errors: Sequence[InvalidParameter] = ()) -> None:
        super().__init__(detail)
        self.kind, self.detail, self.errors = kind, detail, list(errors)


@dataclass(frozen=True, slots=True)
class Question:
    """What to answer, and how: `several` answers as an `Answers`, each with its payment's EndToEndId."""

    asked: Sequence[Asked]
    media_type: str
    several: bool
    end_to_end_ids: Sequence[str]


def read(headers: Headers, body: bytes, channel: str, settings: GatewaySettings) -> Question:
    """Return what a request asks.

    Raises:
        RefusedError: it is not one that can be answered.
    """
    media_type = accepted(headers)
    content_type = _content_type(headers)
    deadline_s = _deadline_s(headers, settings)
    key = _key(headers)
    if content_type == XML:
        return _read_xml(body, channel, key, deadline_s, media_type, settings)
    try:
        transaction = decode([("content-type", content_type.encode())], body)
        if key is None:
            if not transaction.transaction_id:
                raise RefusedError(MALFORMED, f"Give {IDEMPOTENCY_KEY}, or the transaction its transactionId.")
            request = request_id(channel, transaction.transaction_id)
        elif transaction.transaction_id:
            raise RefusedError(
                MALFORMED,
                f"With {IDEMPOTENCY_KEY} the transaction id is made of the key; leave transactionId away, or the key.",
            )
        else:
            request = request_id(channel, key)
            transaction.transaction_id = transaction_id(request)
        check_fields(transaction)
    except RejectionError as rejection:
        raise _refused(rejection, "") from None
    return Question([_asked(channel, request, transaction, deadline_s)], media_type, several=False, end_to_end_ids=[""])


def accepted(headers: Headers) -> str:
    """Return the media type that a caller wants its answer in: JSON unless it says otherwise.

    Raises:
        RefusedError: it takes none that there is.
    """
    weights: dict[str, float] = {}
    for part in headers.get("accept", "*/*")[:_MAX_HEADER].split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weight = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
        try:
            weights[name] = float(weight)
        except ValueError:
            weights[name] = 0.0
    everything = weights.get("*/*", 0.0)
    application = weights.get("application/*", everything)
    wanted = {media: weights.get(media, application) for media in (JSON, PROTOBUF)}
    wanted[PROTOBUF] = max(wanted[PROTOBUF], weights.get("application/protobuf", 0.0))
    best = max(wanted, key=lambda media: wanted[media])  # of two wanted alike the first, JSON
    if wanted[best] <= 0:
        raise RefusedError(ACCEPT, ACCEPT.example)
    return best


def _read_xml(
    body: bytes, channel: str, key: str | None, deadline_s: float, media_type: str, settings: GatewaySettings
) -> Question:
    if key is None:
        raise RefusedError(MALFORMED, f"ISO 20022 messages need {IDEMPOTENCY_KEY}: the transactions' ids are made of it.")
    try:
        found = payments(body, most=settings.max_payments, utc_offset_minutes=settings.iso_utc_offset_minutes)
    except Iso20022Error as error:
        raise RefusedError(MALFORMED, str(error)) from None
    asked = []
    for number, payment in enumerate(found):
        request = request_id(channel, key, number)
        payment.transaction.transaction_id = transaction_id(request)
        try:
            check_fields(payment.transaction)
        except RejectionError as rejection:
            raise _refused(rejection, payment.location) from None
        asked.append(_asked(channel, request, payment.transaction, deadline_s))
    return Question(asked, media_type, several=True, end_to_end_ids=[payment.end_to_end_id for payment in found])


def _asked(channel: str, request: bytes, transaction: Transaction, deadline_s: float) -> Asked:
    return Asked(channel, request, fingerprint(request, transaction), transaction, deadline_s)


def _content_type(headers: Headers) -> str:
    values = headers.getlist("content-type")
    name, _, parameters = values[0].partition(";") if len(values) == 1 else ("", "", "")
    found = _TYPES.get(name.strip().lower())
    charset = parameters.strip().lower().replace('"', "")
    if found is None or headers.get("content-encoding", "identity") != "identity":
        raise RefusedError(MEDIA, MEDIA.example)
    if found == JSON and charset not in ("", "charset=utf-8"):
        raise RefusedError(MEDIA, "JSON is UTF-8.")
    return found


def _key(headers: Headers) -> str | None:
    values = headers.getlist(IDEMPOTENCY_KEY)
    if not values:
        return None
    if len(values) > 1:
        raise RefusedError(MALFORMED, f"{IDEMPOTENCY_KEY} is there {len(values)} times.")
    try:
        return parse_key(values[0])
    except IdempotencyKeyError as error:
        raise RefusedError(MALFORMED, str(error)) from None


def _deadline_s(headers: Headers, settings: GatewaySettings) -> float:
    text = headers.get(DEADLINE)
    if text is None:
        return settings.deadline_ms / 1000
    least, most = settings.deadline_min_ms, settings.deadline_max_ms
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and least <= int(text) <= most):
        raise RefusedError(MALFORMED, f"{DEADLINE} must be {least} to {most} milliseconds.")
    return int(text) / 1000


def _refused(rejection: RejectionError, location: str) -> RefusedError:
    reason = ReasonCode.Name(rejection.reason)
    if rejection.reason in _UNREADABLE:
        what = "strict proto3 JSON" if rejection.reason == ReasonCode.REASON_CODE_JSON_MALFORMED else "protobuf"
        return RefusedError(MALFORMED, f"The body is not the {what} of a Transaction; unknown and repeated names are refused.")
    short = reason.removeprefix("REASON_CODE_")
    return RefusedError(INVALID, short, [InvalidParameter(location=location or "body", detail=reason)])
