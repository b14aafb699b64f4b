"""An OIDC issuer, embedded: a discovery document and a set of public keys on loopback, and tokens for whoever holds the object.

For demos and tests: it knows no passwords and has no pages. Its keys are made at the start and kept in memory
alone, so that its tokens end with it.
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Collection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key

from tallystick.embedded.ports import free_port

DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/jwks.json"
LIFETIME_S = 3_600


class LocalIssuer:
    """An issuer; a context manager. Stopped and started again it has the same keys, at the same address.

    Args:
        audience: what its tokens are for, unless they say otherwise.
        clock: seconds since 1970.
    """

    def __init__(self, audience: str = "tallystick-audit", clock: Callable[[], float] = time.time) -> None:
        self.port = free_port()
        self._audience, self._clock = audience, clock
        self._keys: dict[str, EllipticCurvePrivateKey] = {}
        self._made = 0
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self.rotate()

    @property
    def url(self) -> str:
        """Its name, as its tokens have it in `iss`, and its address."""
        return f"http://127.0.0.1:{self.port}"

    def rotate(self, keep: bool = True) -> None:
        """Sign with a new key from now on; the older ones are shown still, or are taken back."""
        self._made += 1
        self._keys = (self._keys if keep else {}) | {f"key-{self._made}": generate_private_key(SECP256R1())}

    def discovery(self) -> dict[str, Any]:
        """Return what says where the keys are (OpenID Connect Discovery 1.0 §4)."""
        return {"issuer": self.url, "jwks_uri": self.url + KEYS}

    def key_set(self) -> dict[str, Any]:
        """Return the public keys, as a JWK set."""
        public = {
            key_id: jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True) for key_id, key in self._keys.items()
        }
        return {"keys": [{**key, "kid": key_id, "use": "sig", "alg": "ES256"} for key_id, key in public.items()]}

    def token(
        self,
        subject: str,
        scopes: Collection[str],
        *,
        customer_id: str | None = None,
        lifetime_s: float = LIFETIME_S,
        **claims: object,
    ) -> str:
        """Return an access token (RFC 9068), signed with the newest key; `claims` replace its own."""
        now_s = int(self._clock())
        stated: dict[str, Any] = {
            "iss": self.url,
            "sub": subject,
            "aud": self._audience,
            "iat": now_s,
            "exp": now_s + int(lifetime_s),
            "jti": str(uuid.uuid4()),
            "scope": " ".join(sorted(scopes)),
        }
        if customer_id is not None:
            stated["customer_id"] = customer_id
        key_id, key = list(self._keys.items())[-1]
        return jwt.encode(stated | claims, key, "ES256", {"kid": key_id, "typ": "at+jwt"})

    def start(self) -> Self:
        """Serve discovery document and keys. Raises OSError: the port is taken."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), type("Handler", (_Handler,), {"issuer": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="issuer", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop serving."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()
            self._server = self._thread = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Handler(BaseHTTPRequestHandler):
    issuer: LocalIssuer
    timeout = 5.0

    def do_GET(self) -> None:
        """Serve one of the two documents."""
        documents = {DISCOVERY: self.issuer.discovery, KEYS: self.issuer.key_set}
        found = documents.get(self.path)
        body = json.dumps(found() if found else {"error": "there is no such document"}).encode()
        self.send_response(200 if found else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing of single requests."""
