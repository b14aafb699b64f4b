"""Where the ULB card transactions may be; README says how to get them."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[3]
NAME = "ulb_creditcard.parquet"


def find_ulb() -> Path | None:
    """Return the file named by TALLYSTICK_TEST_ULB, else the one in the checkout's or its sibling's data folder."""
    named = os.environ.get("TALLYSTICK_TEST_ULB")
    places = [Path(named)] if named else [ROOT / "data" / NAME, ROOT.parent / "shared" / "data" / NAME]
    return next((place for place in places if place.is_file()), None)
