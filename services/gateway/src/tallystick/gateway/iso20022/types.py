"""Amounts and times as XML Schema and ISO 20022 write them."""

import re
from datetime import UTC, datetime, timedelta, timezone

from iso4217 import Currency

from tallystick.gateway.iso20022.xml import Iso20022Error

MAX_DIGITS, MAX_FRACTION = 18, 5
_EXPONENTS = {currency.code: currency.exponent for currency in Currency}
_WHITE = " \t\r\n"
_DECIMAL = re.compile(r"\+?([0-9]*)(?:\.([0-9]*))?", re.ASCII)
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?(?:(Z)|([+-])([0-9]{2}):([0-9]{2}))?",
    re.ASCII,
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def minor_units(text: str, currency: str) -> int:
    """Return an amount in the currency's minor units, exactly; `text` is an xs:decimal of up to 18 digits, 5 after the point.

    Raises:
        Iso20022Error: it is none, has more digits, or more of them after the point than the currency has; or the currency is
            none that amounts are paid in.
    """
    exponent = _EXPONENTS.get(currency)
    if exponent is None:
        raise Iso20022Error("An amount's Ccy is no currency of ISO 4217 with a minor unit.")
    found = _DECIMAL.fullmatch(text.strip(_WHITE))
    whole, fraction = (found[1].lstrip("0"), (found[2] or "").rstrip("0")) if found else ("", "")
    if found is None or not (found[1] or found[2]):
        raise Iso20022Error("An amount is no decimal of 0 or more.")
    if len(whole) + len(fraction) > MAX_DIGITS or len(fraction) > MAX_FRACTION:
        raise Iso20022Error(f"An amount has more than {MAX_DIGITS} digits, or {MAX_FRACTION} after the point.")
    if len(fraction) > exponent:
        raise Iso20022Error(f"An amount has {len(fraction)} digits after the point, and {currency} has {exponent}.")
    return int(whole + fraction.ljust(exponent, "0") or "0")


def milliseconds(text: str, utc_offset_minutes: int) -> int:
    """Return an ISODateTime (xs:dateTime) in milliseconds since 1970, rounded down.

    Args:
        text: the time; with its offset from UTC, or local.
        utc_offset_minutes: what a time without one is taken at.

    Raises:
        Iso20022Error: it is none.
    """
    found = _TIME.fullmatch(text.strip(_WHITE))
    if found is None:
        raise Iso20022Error("A time is not YYYY-MM-DDThh:mm:ss, with Z or an offset such as +01:00 where it is not local.")
    year, month, day, hour, minute, second = map(int, found.groups()[:6])
    midnight = hour == 24 and not minute and not second and not int(found[7] or "0")  # the day's end, to XML Schema
    try:
        offset = timedelta(minutes=utc_offset_minutes)
        if found[8] or found[9]:
            if int(found[10] or 0) > 14 or int(found[11] or 0) > 59:
                raise ValueError("no such offset")
            offset = timedelta(hours=int(found[10] or 0), minutes=int(found[11] or 0)) * (-1 if found[9] == "-" else 1)
        time = datetime(year, month, day, 0 if midnight else hour, minute, second, tzinfo=timezone(offset))
        since = time - _EPOCH + timedelta(days=1 if midnight else 0)
    except (ValueError, OverflowError):
        raise Iso20022Error("A time is none that there is.") from None
    return since // timedelta(milliseconds=1) + int((found[7] or "0")[:3].ljust(3, "0"))
