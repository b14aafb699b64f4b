"""What is said next of a log's key. Pure: the log's meaning in, records out."""

from base64 import b64encode

from google.protobuf.message import DecodeError

from tallystick.cli.approval import ApprovalError, Proposed, check_signatures
from tallystick.contracts import LogKey, LogKeyStatement
from tallystick.trust.governance import Governance
from tallystick.trust.log_keys import SignedLogKey, check_log_key
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.records import RecordError


def next_log_key(
    governance: Governance, policy: TrustPolicy, origin: str, public_key: bytes, last_size: int | None = None
) -> LogKeyStatement:
    """State that a key (32 bytes) signs for a log from now on, or that it is retired at a size.

    Raises:
        ApprovalError: It would not count, or would leave the log without a key.
    """
    statement = LogKeyStatement(log=policy.governance_origin, origin=origin, public_key=public_key, last_size=last_size)
    _check(statement, governance, policy)
    return statement


def open_log_key_file(data: bytes, governance: Governance, policy: TrustPolicy) -> Proposed[LogKey]:
    """Read what is proposed of a log's key and check that it would count now, but for signatures that are still missing.

    Raises:
        ApprovalError: The file is no such record, a signature is not good, or the log has moved on.
    """
    try:
        record = LogKey.FromString(data)
        statement = LogKeyStatement.FromString(record.statement)
    except DecodeError as error:
        raise ApprovalError("the file does not hold a log's key") from error
    check_signatures(record, governance.roster, 1)
    _check(statement, governance, policy)
    return Proposed(record, f"log_key/{statement.origin}", _summary(statement))


def _check(statement: LogKeyStatement, governance: Governance, policy: TrustPolicy) -> None:
    origin, keys = statement.origin, governance.log_keys
    if not keys.signing(policy.log_policy, origin):
        raise ApprovalError(f"the trust policy has no log {origin!r}")
    try:
        key = check_log_key(statement, governance.roster, keys, policy.log_policy)
    except RecordError as error:
        raise ApprovalError(f"the log would not accept it: {error}") from error
    if not statement.HasField("last_size"):
        if statement.public_key in keys.signing(policy.log_policy, origin):
            raise ApprovalError(f"this is a key of {origin} already")
        return
    if statement.public_key not in keys.signing(policy.log_policy, origin):
        raise ApprovalError(f"this is no key that signs for {origin}")
    if not keys.after(SignedLogKey(0, key, statement.last_size, ())).signing(policy.log_policy, origin):
        raise ApprovalError(f"{origin} would be left without a key: add another one first")


def _summary(statement: LogKeyStatement) -> str:
    key = b64encode(statement.public_key).decode()
    if statement.HasField("last_size"):
        does = f"signs no more: trees of more than {statement.last_size:,} entries need another key's signature"
    else:
        does = "signs from then on, beside the keys that sign now"
    return f"{statement.origin}: the key {key}\n  {does}\n"
