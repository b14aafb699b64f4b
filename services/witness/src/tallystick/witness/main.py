"""`tallystick-witness`: run, or `--make-key`, `--init`, `--vkey`; with `--role sealer`, the sealer in its own sub-package does.

Exit codes: 0 stopped by SIGTERM or SIGINT, or done; 1 failed; 2 a setting or argument is wrong, or the state is not this key's.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from tallystick.merkle.keys import NoteError
from tallystick.witness.json_log import configure
from tallystick.witness.key import KeyFileError, WitnessKey
from tallystick.witness.logs import Logs, LogsError, parse_logs
from tallystick.witness.postgresql_store import PostgresqlStore
from tallystick.witness.server import ListenError, listen, serve
from tallystick.witness.settings import WitnessSettings, load, refuse
from tallystick.witness.sqlite_store import SqliteStore
from tallystick.witness.store import StateError, StateUnavailableError, Store, sqlite_path
from tallystick.witness.witness import Witness

WITNESS, SEALER = "witness", "sealer"


def main() -> None:
    """Do what the command line says."""
    arguments = _parser().parse_args()
    if arguments.role == SEALER:
        _sealer(arguments)
        return
    if arguments.make_key:
        _make_key(*arguments.make_key)
        return
    settings = load()
    key = _key(settings)
    if arguments.vkey:
        print(key.verifier)  # noqa: T201  what was asked for
        return
    configure(settings.log_level)
    try:
        asyncio.run(_create(settings, key) if arguments.init else _run(settings, key))
    except StateError as error:
        refuse("state", str(error))
    except StateUnavailableError as error:  # only --init ends for it: the service itself waits
        sys.exit(f"tallystick-witness: {error}")


def _sealer(arguments: argparse.Namespace) -> None:
    # Only now: a witness runs without all that a sealer reads Kafka and Vault with.
    try:
        from tallystick.witness.sealer.main import run
    except ModuleNotFoundError as error:
        sys.exit(f"tallystick-witness: a sealer needs more than a witness ({error}): install tallystick-witness[sealer]")
    run(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tallystick-witness", description="A C2SP tlog-witness. Without an option it runs, as TALLYSTICK_* variables say."
    )
    parser.add_argument(
        "--role", choices=(WITNESS, SEALER), default=WITNESS, help="cosign checkpoints, or seal the input (%(default)s)"
    )
    option = parser.add_mutually_exclusive_group()
    option.add_argument("--make-key", nargs=2, metavar=("NAME", "FILE"), help="make a private key and print its public one")
    option.add_argument("--vkey", action="store_true", help="print the public key of TALLYSTICK_KEY_FILE")
    option.add_argument("--init", action="store_true", help="make the state of a key that has never signed anything")
    return parser


def _make_key(name: str, file: str) -> None:
    try:
        print(WitnessKey.make(name, Path(file)).verifier)  # noqa: T201  what was asked for
    except (KeyFileError, NoteError) as error:
        sys.exit(f"tallystick-witness: {error}")


def _key(settings: WitnessSettings) -> WitnessKey:
    try:
        return WitnessKey.load(settings.name, settings.key_file)
    except KeyFileError as error:
        refuse("key_file", str(error))


def _store(settings: WitnessSettings) -> Store:
    path, password = sqlite_path(settings.state), settings.state_password_file
    if path is not None:
        return SqliteStore(path)
    return PostgresqlStore(settings.state, (lambda: password.read_text().strip()) if password else None)


def _logs(settings: WitnessSettings, key: WitnessKey) -> Logs:
    try:
        return parse_logs(settings.logs_file.read_bytes(), key.verifier)
    except LogsError as error:
        refuse("logs_file", *error.problems)
    except OSError as error:
        refuse("logs_file", f"cannot be read: {error.strerror}")


async def _create(settings: WitnessSettings, key: WitnessKey) -> None:
    store = _store(settings)
    try:
        await store.create(key.verifier)
    finally:
        await store.close()


async def _run(settings: WitnessSettings, key: WitnessKey) -> None:
    logs, store = _logs(settings, key), _store(settings)
    try:
        with listen(settings.http_host, settings.http_port) as listener:
            await serve(Witness(key, store, logs), settings, listener)
    except ListenError as error:
        refuse(error.field, str(error))
    finally:
        await store.close()


if __name__ == "__main__":
    main()
