"""A trust policy's files with logs' new keys in them. Pure: bytes in, bytes out."""

import json
from collections.abc import Mapping

from tallystick.merkle.encoding import encode_base64
from tallystick.merkle.keys import VerifierKey
from tallystick.trust.log_keys import LogKeys
from tallystick.trust.policy import TrustPolicy


def updated_files(log_policy: bytes, trust_toml: bytes, keys: LogKeys) -> Mapping[str, bytes]:
    """Return both files with what `keys` adds: `log` lines at the end of the others, and the retired keys at the file's end.

    Everything that is there stays as it is: a retired key still verifies what it signed in its time.

    Raises:
        TrustPolicyError: A file is none, or a retired key is there with another size, which a person must change.
    """
    policy = TrustPolicy.parse(log_policy, trust_toml)
    whole = keys.with_added(policy.log_policy)
    lines = log_policy.splitlines(keepends=True)
    last = max(place for place, line in enumerate(lines) if line.split()[:1] == [b"log"])
    lines[last + 1 : last + 1] = [f"log {key}\n".encode() for key, _ in whole.logs[len(policy.log_policy.logs) :]]
    known = {key for key, _ in whole.logs}
    for key, size in whole.retired.items():
        if key in known and key not in policy.log_policy.retired:
            trust_toml += _retired(key, size)
    files = {"log.policy": b"".join(lines), "trust.toml": trust_toml}
    TrustPolicy.parse(*files.values())
    return files


def _retired(key: VerifierKey, size: int) -> bytes:
    # Every JSON string is a TOML basic string that says the same.
    origin, public_key = json.dumps(key.name, ensure_ascii=False), encode_base64(key.public_key)
    return f'\n[[retired_keys]]\norigin = {origin}\npublic_key = "{public_key}"\nlast_size = {size}\n'.encode()
