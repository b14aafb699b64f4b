"""Where in a message is what: `pacs.008.001.02` to `.12` and `pain.001.001.03` to `.12`.

    field of Transaction   pacs.008 (CdtTrfTxInf)                    pain.001 (PmtInf, CdtTrfTxInf)
    customer_id            DbtrAcct/Id/IBAN or Othr/Id               PmtInf: DbtrAcct/Id/IBAN or Othr/Id
    amount_minor, currency IntrBkSttlmAmt and its Ccy                Amt/InstdAmt, or Amt/EqvtAmt/Amt, and its Ccy
    event_time_ms          AccptncDtTm, else GrpHdr/CreDtTm          GrpHdr/CreDtTm
    merchant_id            CdtrAcct/Id/IBAN or Othr/Id, may be missing, in both

`transaction_id` is made of the idempotency key and the transaction's place in the message, since no id in these messages is
unique by itself: EndToEndId may be NOTPROVIDED, and UETR and TxId may be missing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tallystick.contracts import Transaction
from tallystick.gateway.iso20022.types import milliseconds, minor_units
from tallystick.gateway.iso20022.xml import Element, Iso20022Error, parse

NOT_PROVIDED = "NOTPROVIDED"
MAX_ID = 35
_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:(pacs\.008|pain\.001)\.001\.([0-9]{2})", re.ASCII)
_VERSIONS = {"pacs.008": range(2, 13), "pain.001": range(3, 13)}
_CONTENT = {"pacs.008": "FIToFICstmrCdtTrf", "pain.001": "CstmrCdtTrfInitn"}
_COUNT = re.compile(r"[0-9]{1,15}", re.ASCII)
_FREE = "SplmtryData"
"""The one element that may hold others' elements."""


@dataclass(frozen=True, slots=True)
class Payment:
    """One transaction of a message, still without its id; `location` is where it is."""

    transaction: Transaction
    end_to_end_id: str
    location: str


def payments(data: bytes, *, most: int, utc_offset_minutes: int) -> Sequence[Payment]:
    """Return a message's transactions in their order.

    Args:
        data: the message.
        most: how many transactions it may have.
        utc_offset_minutes: of times that say none.

    Raises:
        Iso20022Error: it is none that is known, or one of its transactions cannot be mapped.
    """
    root = parse(data)
    known = _NAMESPACE.fullmatch(root.namespace)
    if known is None or root.name != "Document" or int(known[2]) not in _VERSIONS[known[1]]:
        raise Iso20022Error("The root must be a Document of pacs.008.001.02 to .12 or pain.001.001.03 to .12.")
    _check_namespaces(root)
    message = root.get(_CONTENT[known[1]])
    header = message.get("GrpHdr")
    created_ms = milliseconds(header.get("CreDtTm").text, utc_offset_minutes)
    if known[1] == "pacs.008":
        found = [(item, item, "IntrBkSttlmAmt") for item in message.all("CdtTrfTxInf")]
    else:
        found = [(info, item, "Amt") for info in message.all("PmtInf") for item in info.all("CdtTrfTxInf")]
        for info in message.all("PmtInf"):
            _check_count(info, len(info.all("CdtTrfTxInf")))
    if header.find("NbOfTxs") is None:
        raise Iso20022Error("GrpHdr lacks NbOfTxs.")
    _check_count(header, len(found))
    if not 1 <= len(found) <= most:
        raise Iso20022Error(f"The message has {len(found)} transactions; 1 to {most} are taken at once.")
    return [
        _payment(debit, item, amount, created_ms, utc_offset_minutes, f"CdtTrfTxInf[{number}]")
        for number, (debit, item, amount) in enumerate(found, start=1)
    ]


def _payment(debit: Element, item: Element, amount: str, created_ms: int, utc_offset_minutes: int, location: str) -> Payment:
    try:
        paid = item.get(amount)
        if amount == "Amt":
            paid = paid.find("InstdAmt") or paid.get("EqvtAmt", "Amt")
        currency = paid.attributes.get("Ccy", "")
        accepted = item.find("AccptncDtTm")
        reference = item.find("PmtId", "EndToEndId")
        transaction = Transaction(
            customer_id=_account(debit.get("DbtrAcct")),
            amount_minor=minor_units(paid.text, currency),
            currency=currency,
            event_time_ms=created_ms if accepted is None else milliseconds(accepted.text, utc_offset_minutes),
            merchant_id=_account(creditor) if (creditor := item.find("CdtrAcct")) else "",
        )
        end_to_end_id = (reference.text if reference else "") or NOT_PROVIDED
        if len(end_to_end_id) > MAX_ID:
            raise Iso20022Error(f"EndToEndId has more than {MAX_ID} characters.")
    except Iso20022Error as error:
        raise Iso20022Error(f"{location}: {error}") from None
    except ValueError:  # an amount beyond 64 bits
        raise Iso20022Error(f"{location}: An amount is too large.") from None
    return Payment(transaction, end_to_end_id, location)


def _account(account: Element) -> str:
    """Return an account's IBAN, in capitals as it is registered, or its other identification."""
    if (iban := account.find("Id", "IBAN")) is not None:
        return iban.text.upper()
    return account.get("Id", "Othr", "Id").text


def _check_count(element: Element, count: int) -> None:
    stated = element.find("NbOfTxs")
    if stated is not None and (not _COUNT.fullmatch(stated.text) or int(stated.text) != count):
        raise Iso20022Error(f"{element.name}/NbOfTxs does not say how many transactions there are: {count}.")


def _check_namespaces(root: Element) -> None:
    pending = [root]
    while pending:
        element = pending.pop()
        if element.namespace != root.namespace:
            raise Iso20022Error("An element of another namespace is where none may be.")
        pending += () if element.name == _FREE else element.children
