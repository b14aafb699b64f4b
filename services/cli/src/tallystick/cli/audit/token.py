"""The file of an access token."""

from tallystick.verifier.inputs import UnreadableError, read_file

MAX_TOKEN_BYTES = 8_192


def read_token(path: str) -> str:
    """Return the bearer token in a file. Raises UnreadableError."""
    try:
        token = read_file(path, MAX_TOKEN_BYTES).decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not token or not token.isprintable() or " " in token:
        raise UnreadableError(f"{path} holds no bearer token")
    return token
