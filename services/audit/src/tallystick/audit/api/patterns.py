"""What text in a request may be: patterns, and each in words for whoever sent something else."""

from tallystick.trust.decisions import GROUPS

_GROUP = f"({'|'.join(GROUPS)})"
ID = "^[!-~]+$"
DIGEST = "^[0-9a-f]{64}$"
LOG_NAME = r"^[a-z0-9][a-z0-9_.-]*$"
CURSOR = "^[A-Za-z0-9_-]{26}[AEIMQUYcgkosw048]$"
"""20 bytes in base64url."""
SOME_GROUPS = f"^{_GROUP}(,{_GROUP})*$"
WORDS = {
    ID: "This may be visible ASCII characters alone, without spaces; what is percent-encoded counts as what it stands for.",
    DIGEST: "This must be a SHA-256 in 64 digits of lower-case hex.",
    LOG_NAME: "This must be a log's name: lower-case letters, digits, '_', '.' and '-', the first a letter or a digit.",
    CURSOR: "This must be what a page before had in `next`.",
    SOME_GROUPS: f"This must be one or more of {', '.join(GROUPS)}, with commas between them.",
}
