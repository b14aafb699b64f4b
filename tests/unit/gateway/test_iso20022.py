"""Payment messages: what they map to, the edge cases of the real ones, and the attacks that XML allows."""

import pytest

from tallystick.gateway.iso20022 import Iso20022Error, Payment, payments

PACS = "urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08"
PAIN = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
CREATED_MS = 1_763_812_800_000  # 2025-11-22T12:00:00Z
DEBTOR = "<DbtrAcct><Id><IBAN>SE4550000000058398257466</IBAN></Id></DbtrAcct>"
CREDITOR = "<CdtrAcct><Id><Othr><Id>4711-8</Id></Othr></Id></CdtrAcct>"
ID = "<PmtId><EndToEndId>E2E-1</EndToEndId><UETR>8a562c67-ca16-48ba-b074-65581be6f001</UETR></PmtId>"
AMOUNT = '<IntrBkSttlmAmt Ccy="EUR">10.50</IntrBkSttlmAmt>'
HEADER = "<GrpHdr><MsgId>M</MsgId><CreDtTm>{time}</CreDtTm><NbOfTxs>{count}</NbOfTxs></GrpHdr>"


def pacs(*items: str, count: str | None = None, time: str = "2025-11-22T12:00:00Z", namespace: str = PACS) -> bytes:
    """Return a pacs.008 with these transactions' contents."""
    inside = "".join(f"<CdtTrfTxInf>{item}</CdtTrfTxInf>" for item in items)
    header = HEADER.format(time=time, count=len(items) if count is None else count)
    return f'<Document xmlns="{namespace}"><FIToFICstmrCdtTrf>{header}{inside}</FIToFICstmrCdtTrf></Document>'.encode()


def pain(*infos: str, count: int, namespace: str = PAIN) -> bytes:
    """Return a pain.001 with these payment informations' contents."""
    inside = "".join(f"<PmtInf>{info}</PmtInf>" for info in infos)
    header = HEADER.format(time="2025-11-22T12:00:00Z", count=count)
    return f'<Document xmlns="{namespace}"><CstmrCdtTrfInitn>{header}{inside}</CstmrCdtTrfInitn></Document>'.encode()


def item(amount: str = AMOUNT, more: str = "") -> str:
    """Return a pacs.008 transaction's contents."""
    return f"{ID}{amount}{more}{DEBTOR}{CREDITOR}"


def ask(data: bytes, most: int = 10, utc_offset_minutes: int = 0) -> list[Payment]:
    """Map a message."""
    return list(payments(data, most=most, utc_offset_minutes=utc_offset_minutes))


def paid(text: str, currency: str) -> int:
    """Return the minor units of one amount."""
    return ask(pacs(item(f'<IntrBkSttlmAmt Ccy="{currency}">{text}</IntrBkSttlmAmt>')))[0].transaction.amount_minor


def at(time: str, utc_offset_minutes: int = 0) -> int:
    """Return the event time of a message created then, counted from `CREATED_MS`."""
    return ask(pacs(item(), time=time), utc_offset_minutes=utc_offset_minutes)[0].transaction.event_time_ms - CREATED_MS


def test_a_pacs_008() -> None:
    """Payer, payee, amount and time; the message's own reference comes back with the answer."""
    first, second = ask(pacs(item(), item(more="<AccptncDtTm>2025-11-22T12:00:05.25+01:00</AccptncDtTm>")))
    found = first.transaction
    assert (found.customer_id, found.merchant_id) == ("SE4550000000058398257466", "4711-8")
    assert (found.amount_minor, found.currency, found.event_time_ms) == (1_050, "EUR", CREATED_MS)
    assert (found.transaction_id, first.end_to_end_id, first.location) == ("", "E2E-1", "CdtTrfTxInf[1]")
    assert second.transaction.event_time_ms == CREATED_MS + 5_250 - 3_600_000


def test_a_pain_001() -> None:
    """The payer is the payment information's; amounts are instructed, or equivalents in another currency."""
    one = f'<CdtTrfTxInf>{ID}<Amt><InstdAmt Ccy="JPY">500</InstdAmt></Amt></CdtTrfTxInf>'
    two = f'<CdtTrfTxInf>{ID}<Amt><EqvtAmt><Amt Ccy="KWD">1.5</Amt><CcyOfTrf>EUR</CcyOfTrf></EqvtAmt></Amt></CdtTrfTxInf>'
    other = "<DbtrAcct><Id><Othr><Id>12-34</Id></Othr></Id></DbtrAcct>"
    found = [one.transaction for one in ask(pain(f"<NbOfTxs>2</NbOfTxs>{DEBTOR}{one}{two}", f"{other}{one}", count=3))]
    assert [(a.customer_id[:5], a.amount_minor, a.currency, a.merchant_id) for a in found] == [
        ("SE455", 500, "JPY", ""),
        ("SE455", 1_500, "KWD", ""),
        ("12-34", 500, "JPY", ""),
    ]


@pytest.mark.parametrize("version", range(2, 13))
def test_every_version_of_pacs_008(version: int) -> None:
    """What is read has been in the same place ever since."""
    assert ask(pacs(item(), namespace=f"{PACS[:-2]}{version:02}"))


@pytest.mark.parametrize("version", range(3, 13))
def test_every_version_of_pain_001(version: int) -> None:
    """Likewise."""
    one = f'<CdtTrfTxInf>{ID}<Amt><InstdAmt Ccy="EUR">1</InstdAmt></Amt></CdtTrfTxInf>'
    assert ask(pain(f"{DEBTOR}{one}", count=1, namespace=f"{PAIN[:-2]}{version:02}"))


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("10.5", "EUR", 1_050),
        ("10", "EUR", 1_000),
        ("10.", "EUR", 1_000),
        (".5", "EUR", 50),
        ("+1.00", "EUR", 100),
        (" 1.00\n", "EUR", 100),
        ("0", "EUR", 0),
        ("000000000000000000000000001.00", "EUR", 100),
        ("1.50000", "EUR", 150),
        ("100", "JPY", 100),
        ("100.00", "JPY", 100),
        ("1.234", "BHD", 1_234),
        ("9999999999999.99999", "CLF", None),
        ("1.2345", "CLF", 12_345),
    ],
)
def test_an_amount_is_exact_in_its_currency(text: str, currency: str, minor: int | None) -> None:
    """Currencies have 0, 2, 3 or 4 digits after the point; zeros beyond them say nothing."""
    if minor is None:
        with pytest.raises(Iso20022Error):
            paid(text, currency)
    else:
        assert paid(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency"),
    [
        ("10.505", "EUR"),
        ("1.5", "JPY"),
        ("-1", "EUR"),
        ("1e3", "EUR"),
        ("1,50", "EUR"),
        ("", "EUR"),
        (".", "EUR"),
        ("NaN", "EUR"),
        ("INF", "EUR"),
        ("1 000", "EUR"),
        ("١٢", "EUR"),
        ("1234567890123456789", "EUR"),
        ("99999999999999999999999", "JPY"),
        ("1", "XAU"),
        ("1", "EURO"),
        ("1", ""),
    ],
)
def test_what_is_no_amount_is_refused(text: str, currency: str) -> None:
    """Never rounded."""
    with pytest.raises(Iso20022Error, match=r"CdtTrfTxInf\[1\]"):
        paid(text, currency)


@pytest.mark.parametrize(
    ("time", "offset_minutes", "ms"),
    [
        ("2025-11-22T12:00:00Z", 60, 0),
        ("2025-11-22T12:00:00", 0, 0),
        ("2025-11-22T13:00:00", 60, 0),
        ("2025-11-22T13:30:00+01:30", 0, 0),
        ("2025-11-22T02:00:00-10:00", 60, 0),
        ("2025-11-22T12:00:00.1234567Z", 0, 123),
        ("2025-11-21T24:00:00+12:00", 0, 0 - 86_400_000),
        ("2024-02-29T12:00:00Z", 0, -632 * 86_400_000),
    ],
)
def test_a_time_with_and_without_its_offset(time: str, offset_minutes: int, ms: int) -> None:
    """One without is taken at the operator's setting; a day may end at 24:00:00."""
    assert at(time, offset_minutes) == ms


@pytest.mark.parametrize(
    "time",
    ["2025-11-22", "2025-11-22T12:00", "2025-02-29T12:00:00Z", "2025-11-22T25:00:00Z", "2025-11-22T24:00:01Z",
     "2025-11-22T12:00:60Z", "2025-11-22 12:00:00Z", "2025-11-22T12:00:00z", "2025-11-22T12:00:00+15:00",
     "2025-11-22T12:00:00+0100", "0000-01-01T00:00:00Z", "-2025-11-22T12:00:00Z", ""],
)  # fmt: skip
def test_what_is_no_time_is_refused(time: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(Iso20022Error):
        at(time)


@pytest.mark.parametrize("reference", ["", "<PmtId/>", "<PmtId><EndToEndId/></PmtId>", "<PmtId><InstrId>I</InstrId></PmtId>"])
def test_a_missing_reference_is_not_provided(reference: str) -> None:
    """As ISO 20022 itself says it."""
    assert ask(pacs(f"{reference}{AMOUNT}{DEBTOR}"))[0].end_to_end_id == "NOTPROVIDED"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (pacs(item(), count="2"), "NbOfTxs"),
        (pacs(item(), count="1.0"), "NbOfTxs"),
        (pacs(item(), count=""), "NbOfTxs"),
        (pacs(), "0 transactions"),
        (pacs(*[item()] * 11), "11 transactions"),
        (pain(f"<NbOfTxs>2</NbOfTxs>{DEBTOR}", count=0), "PmtInf/NbOfTxs"),
        (pacs(f"{ID}{AMOUNT}{CREDITOR}"), "lacks DbtrAcct"),
        (pacs(f"{ID}{AMOUNT}<DbtrAcct><Id/></DbtrAcct>"), "lacks Id/Othr/Id"),
        (pacs(f"{ID}{DEBTOR}"), "lacks IntrBkSttlmAmt"),
        (pacs(item() + DEBTOR), "2 elements DbtrAcct"),
        (pacs(item() + AMOUNT), "2 elements IntrBkSttlmAmt"),
        (pacs(item(), namespace=f"{PACS[:-2]}13"), "must be a Document"),
        (pacs(item(), namespace=f"{PACS[:-2]}01"), "must be a Document"),
        (pacs(item(), namespace="urn:iso:std:iso:20022:tech:xsd:pacs.009.001.08"), "must be a Document"),
        (pacs(item(), namespace=PAIN), "lacks CstmrCdtTrfInitn"),
        (b"<Document><FIToFICstmrCdtTrf/></Document>", "must be a Document"),
        (pacs(item(more='<X xmlns="urn:other"/>')), "another namespace"),
        (pacs(item(more='<DbtrAcct xmlns="urn:other"/>')), "another namespace"),
        (b"", "Not well-formed"),
        (pacs(item())[:-3], "Not well-formed"),
        (pacs(item()) + b"<a/>", "Not well-formed"),
    ],
)
def test_what_a_message_may_not_be(data: bytes, reason: str) -> None:
    """Refused whole, with the place."""
    with pytest.raises(Iso20022Error, match=reason.replace("/", ".")):
        ask(data)


def test_what_others_put_in_is_passed_over() -> None:
    """Supplementary data may hold any element; a prefix is as good as a default namespace; CDATA is text and a comment none."""
    more = '<SplmtryData><Envlp><x:DbtrAcct xmlns:x="urn:other"/></Envlp></SplmtryData>'
    text = pacs(item(AMOUNT.replace("10.50", "<![CDATA[10]]><!-- . -->.50"), more)).decode()
    prefixed = (
        text.replace("<", "<d:").replace("<d:/", "</d:").replace("<d:!", "<!").replace("<d:x:", "<x:").replace("</d:x:", "</x:")
    )
    prefixed = prefixed.replace(f'xmlns="{PACS}"', f'xmlns:d="{PACS}"')
    assert (
        ask(text.encode())
        == ask(prefixed.encode())
        == ask(b"\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>" + text.encode())
    )
    assert ask(text.encode())[0].transaction.amount_minor == 1_050


XXE = '<!DOCTYPE Document [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
LAUGHS = '<!DOCTYPE Document [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
DEEP = "<a>" * 50 + "</a>" * 50


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (XXE.encode() + pacs(item().replace("E2E-1", "&x;")), "document type"),
        (LAUGHS.encode() + pacs(item().replace("E2E-1", "&b;")), "document type"),
        (b"<!DOCTYPE Document>" + pacs(item()), "document type"),
        (b'<!DOCTYPE Document SYSTEM "http://127.0.0.1:1/x.dtd">' + pacs(item()), "document type"),
        (b'<!DOCTYPE Document [<!ENTITY % p SYSTEM "http://127.0.0.1:1/">%p;]>' + pacs(item()), "document type"),
        (pacs(item().replace("E2E-1", "&x;")), "Not well-formed"),
        (pacs(item(more='<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="/etc/hostname"/>')), "XInclude"),
        (pacs(item(more="<SplmtryData><xi:include xmlns:xi='http://www.w3.org/2001/XInclude'/></SplmtryData>")), "XInclude"),
        (b'<?xml-stylesheet href="http://127.0.0.1:1/"?>' + pacs(item()), "Processing"),
        (pacs(DEEP), "More than 40 levels"),
        (pacs("<a/>" * 100_001), "100000 elements"),
        (pacs(item(more="<a " + " ".join(f'b{n}=""' for n in range(21)) + "/>")), "20 attributes"),
        (pacs(item()).decode().encode("utf-16"), "not UTF-8"),
        (b"<?xml version='1.0' encoding='utf-16'?>" + pacs(item()), "UTF-8"),
        (b"<?xml version='1.0' encoding='iso-8859-1'?>" + pacs(item()), "UTF-8"),
        (b"<?xml version='1.1'?>" + pacs(item()), "XML 1.0"),
        (pacs(item().replace("E2E-1", "\0")), "Not well-formed"),
        (pacs(item().replace("E2E-1", "&#0;")), "Not well-formed"),
        (pacs(item()).replace(b"E2E-1", b"\xed\xa0\x80"), "not UTF-8"),
    ],
)
def test_an_attack_is_refused(data: bytes, reason: str) -> None:
    """Entities, inclusion, instructions, depth, size, encodings: nothing is expanded or fetched (sockets are blocked)."""
    with pytest.raises(Iso20022Error, match=reason):
        ask(data)
