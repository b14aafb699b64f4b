"""`tallystick-witness --role sealer`: run, or `--make-key`, `--init`, `--vkey`; exit codes as the witness's."""

import argparse
import base64
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.runtime import logging, service
from tallystick.runtime.health import Health
from tallystick.runtime.http import serving
from tallystick.runtime.settings import load, refuse
from tallystick.runtime.vault import Vault
from tallystick.witness.key import KeyFileError, load_private_key, make_private_key
from tallystick.witness.sealer.http import routes
from tallystick.witness.sealer.service import KAFKA, PUBLISHING, STATE, VAULT, InputSealer
from tallystick.witness.sealer.settings import SealerSettings
from tallystick.witness.sealer.store import SealStore
from tallystick.witness.store import StateError, StateUnavailableError


def run(arguments: argparse.Namespace) -> None:
    """Do what the command line says."""
    if arguments.make_key:
        name, file = arguments.make_key
        try:
            print(f"{name}:{_public(make_private_key(Path(file)))}")  # noqa: T201  what was asked for
        except KeyFileError as error:
            sys.exit(f"tallystick-witness: {error}")
        return
    settings = load(SealerSettings)
    try:
        key = load_private_key(settings.key_file)
    except KeyFileError as error:
        refuse("key_file", str(error))
    identity = f"{settings.name}:{_public(key)}"
    if arguments.vkey:
        print(identity)  # noqa: T201  what was asked for
        return
    logging.configure("sealer", settings.log_level)
    store = SealStore(settings.state_path)
    try:
        if arguments.init:
            store.create(identity)
            return
        store.open(identity)
    except StateError as error:
        refuse("state", str(error))
    except StateUnavailableError as error:
        sys.exit(f"tallystick-witness: {error}")
    sys.exit(service.run(_run(settings, key, store)))


async def _run(settings: SealerSettings, key: Ed25519PrivateKey, store: SealStore) -> None:
    health = Health("sealer", (KAFKA, VAULT, STATE, PUBLISHING))
    async with AsyncExitStack() as stack:
        stack.callback(store.close)
        vault = Vault(settings)
        stack.callback(vault.close)
        sealer = InputSealer(settings, key, store, vault, health)
        app = health.app(routes(sealer, settings.name, _public(key)))
        await stack.enter_async_context(serving(app, settings.http_host, settings.http_port))
        await sealer.run()


def _public(key: Ed25519PrivateKey) -> str:
    return base64.b64encode(key.public_key().public_bytes_raw()).decode()
