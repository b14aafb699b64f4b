"""ISO 20022 credit transfers, `pacs.008` and `pain.001`, as transactions. Pure.

`xml` reads the text and refuses whatever could do more than hold data; `types` reads amounts and times; `messages` knows where
in a message is what. What it says beyond a transaction's fields is passed over, and not validated against ISO's schemas.
"""

from tallystick.gateway.iso20022.messages import Payment, payments
from tallystick.gateway.iso20022.xml import Iso20022Error

__all__ = ["Iso20022Error", "Payment", "payments"]
