"""Objects below a prefix of a bucket, in an S3-compatible store that honours conditional writes (RFC 9110 §13.1).

Every method blocks; call it from a thread. What the store says in its errors is not repeated but for its code, because it
quotes access keys and signatures.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import obstore
from obstore import exceptions
from obstore.store import S3Store

from tallystick.runtime.settings import S3Settings, SecretFileError, read_secret

if TYPE_CHECKING:  # there only for type checkers
    from obstore.store import ClientConfig, RetryConfig, S3Config, S3Credential

CREDENTIALS_LAST_S = 60
_RANGE_BYTES = 8 << 20
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_STATUS = re.compile(r"status code: ([0-9]{3})")
_REFUSED = (PermissionError, exceptions.PermissionDeniedError, exceptions.UnauthenticatedError)
_REFUSALS = ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")
_RETRIES: "RetryConfig" = {
    "max_retries": 2,
    "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=1), "base": 2},
}


class BucketError(OSError):
    """The store does not do its part: it is away, or refuses."""


class BucketRefusedError(BucketError):
    """The store does not know us, does not let us, or has no such bucket: a person has to look."""


class ObjectNotFoundError(BucketError):
    """There is no such object."""


class ObjectExistsError(Exception):
    """There is an object of this name already."""


class ObjectChangedError(Exception):
    """The object is not the one that was to be replaced."""


class Stored(NamedTuple):
    """An object's bytes, and the tag that tells this content from any other the object has had or will have."""

    data: bytes
    tag: str


class Bucket:
    """The objects of `s3://bucket/prefix`, each by its key below the prefix.

    All methods raise BucketError. A write that raises may have been done all the same.

    Args:
        url: `s3://bucket` or `s3://bucket/prefix`.
        settings: where the store is and who we are; without an access key, requests are not signed.

    """

    def __init__(self, url: str, settings: S3Settings) -> None:
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.netloc:
            raise ValueError(f"{url!r} is not s3://bucket/prefix")
        self.url = url.rstrip("/")
        # Everything is said here, so that nothing is taken from the environment's AWS_* instead.
        config: S3Config = {
            "region": settings.s3_region,
            "conditional_put": "etag",
            "skip_signature": settings.s3_access_key_id is None,
            "virtual_hosted_style_request": False,
            "disable_tagging": True,
        }
        if settings.s3_endpoint is not None:
            config["endpoint"] = settings.s3_endpoint
        timeout = timedelta(seconds=settings.s3_timeout_s)
        client: ClientConfig = {
            "allow_http": (settings.s3_endpoint or "").startswith("http://"),
            "timeout": timeout,
            "connect_timeout": timeout,
        }
        if settings.s3_ca_file is not None:
            client["root_certificate"] = settings.s3_ca_file.read_bytes()
        self._store = S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            config=config,
            client_options=client,
            retry_config=_RETRIES,
            credential_provider=_credentials(settings),
        )

    def get(self, key: str, limit: int | None = None) -> Stored:
        """Return an object. Raises ObjectNotFoundError, and ValueError if it has more than `limit` bytes."""
        with self._answering(key):
            answer = obstore.get(self._store, key)
            if limit is not None and answer.meta["size"] > limit:
                raise ValueError(f"{self.url}/{key}: more than {limit} bytes")
            tag = answer.meta["e_tag"] or ""
            return Stored(bytes(answer.bytes()), tag)

    def create(self, key: str, data: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Write a new object. Raises ObjectExistsError if there is one, and leaves it as it is."""
        with self._answering(key):
            try:
                obstore.put(self._store, key, data, mode="create", attributes=dict(headers or {}))
            except exceptions.AlreadyExistsError as error:
                raise ObjectExistsError(key) from error

    def upload(self, key: str, parts: Iterable[bytes]) -> None:
        """Write an object of any size, in place of any other, while its parts are made; what `parts` raises is raised.

        It is whole or not there. What was sent of one that failed stays hidden in the store until its lifecycle rule for
        incomplete multipart uploads deletes it.
        """
        with self._answering(key):
            obstore.put(self._store, key, parts, use_multipart=True, max_concurrency=2)

    def download(self, key: str) -> Iterator[bytes]:
        """Give an object's bytes, a range at a time. Raises ObjectNotFoundError."""
        with self._answering(key):
            found = obstore.head(self._store, key)
        for start in range(0, found["size"], _RANGE_BYTES):
            length = min(_RANGE_BYTES, found["size"] - start)
            with self._answering(key):
                piece = bytes(obstore.get_range(self._store, key, start=start, length=length))
            yield piece

    def replace(self, key: str, data: bytes, tag: str, headers: Mapping[str, str] | None = None) -> None:
        """Write an object in place of the one with this tag. Raises ObjectChangedError if there is another one, or none."""
        with self._answering(key):
            try:
                obstore.put(self._store, key, data, mode={"e_tag": tag}, attributes=dict(headers or {}))
            except (exceptions.PreconditionError, FileNotFoundError) as error:
                raise ObjectChangedError(key) from error

    def delete(self, key: str) -> None:
        """Delete an object; fine if it is gone."""
        with suppress(ObjectNotFoundError), self._answering(key):
            obstore.delete(self._store, key)

    def keys(self, prefix: str) -> list[str]:
        """Return the keys that begin with `prefix`, which ends at a slash."""
        with self._answering(prefix):
            return [item["path"] for part in obstore.list(self._store, prefix) for item in part]

    def names(self, prefix: str) -> list[str]:
        """Return the names of objects and folders directly below `prefix`, which ends at a slash."""
        with self._answering(prefix):
            found = obstore.list_with_delimiter(self._store, prefix)
            paths = [*found["common_prefixes"], *(item["path"] for item in found["objects"])]
        return [path.removeprefix(prefix).strip("/") for path in paths]

    @contextmanager
    def _answering(self, key: str) -> Iterator[None]:
        try:
            yield
        except BucketError:
            raise
        except (exceptions.BaseError, OSError) as error:
            # Not chained: what the store said of us would go with it.
            raise self._translated(error, key) from None

    def _translated(self, error: Exception, key: str) -> BucketError:
        found = _CODE.search(str(error))
        code = found[1] if found else None
        if code == "NoSuchBucket":
            return BucketRefusedError(f"{self.url}: there is no such bucket")
        if isinstance(error, FileNotFoundError):
            return ObjectNotFoundError(f"{self.url}/{key}: not found")
        if isinstance(error, _REFUSED) or code in _REFUSALS:
            return BucketRefusedError(f"{self.url}: the store refuses us ({code or 'without a reason'})")
        if isinstance(error, SecretFileError):
            return BucketRefusedError(str(error))
        status = _STATUS.search(str(error))
        answer = code or (status and f"with status {status[1]}")
        return BucketError(f"{self.url}: {f'the store answers {answer}' if answer else 'no answer'}")


class _Credentials:
    """Reads the secret anew every minute, for secrets are renewed."""

    def __init__(self, key: str, secret_file: Path) -> None:
        self._key, self._secret_file = key, secret_file

    def __call__(self) -> "S3Credential":
        expires = datetime.now(UTC) + timedelta(seconds=CREDENTIALS_LAST_S)
        secret = read_secret(self._secret_file)
        return {"access_key_id": self._key, "secret_access_key": secret, "token": None, "expires_at": expires}


def _credentials(settings: S3Settings) -> _Credentials | None:
    key, secret_file = settings.s3_access_key_id, settings.s3_secret_access_key_file
    return None if key is None or secret_file is None else _Credentials(key, secret_file)
