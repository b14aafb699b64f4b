"""PostgreSQL's part: the database with a schema for each service, that of the customers' keys, and a role for each service."""

import base64
import hashlib
import hmac
import secrets
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tallystick.cli.provision import key_tables
from tallystick.cli.provision.errors import ProvisionError
from tallystick.cli.provision.files import write_secret
from tallystick.runtime.settings import read_secret

DATABASE = "tallystick"
ROLES = ("notary", "audit", "gateway")
READERS = {"notary": "audit"}  # schema: role that may read it
CONNECT_TIMEOUT_S = 10
_SCRAM_ITERATIONS = 4096


async def provision_postgres(admin_url: str, output: Path, *, new_passwords: bool = False) -> None:
    """Make the database, roles, schemas and rights; passwords go to `<output>/<role>.password`, and stay once they exist.

    Args:
        admin_url: A superuser's URL, or one who may create databases and roles; the path may name any database.
        output: The folder of the passwords.
        new_passwords: Replace the passwords of roles that exist but whose file does not.

    Raises:
        ProvisionError: A role exists and its password's file does not.
        OSError, asyncpg.PostgresError: PostgreSQL does not answer, or refuses.
    """
    admin = await asyncpg.connect(admin_url, timeout=CONNECT_TIMEOUT_S)
    try:
        # Of two that run at once, one waits: roles and databases have no IF NOT EXISTS that holds in a race.
        await admin.execute("SELECT pg_advisory_lock(hashtext('tallystick provision'))")
        for role in dict.fromkeys((*ROLES, *key_tables.ROLES)):
            await _ensure_role(admin, role, output / f"{role}.password", new_password=new_passwords)
        await _ensure_database(admin, admin_url, DATABASE, _statements())
        await _ensure_database(admin, admin_url, key_tables.DATABASE, key_tables.statements())
    finally:
        await admin.close()


async def _ensure_database(admin: asyncpg.Connection, admin_url: str, name: str, statements: list[str]) -> None:
    if not await admin.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
        await admin.execute(f"CREATE DATABASE {name}")
    owner = await asyncpg.connect(with_database(admin_url, name), timeout=CONNECT_TIMEOUT_S)
    try:
        async with owner.transaction():
            await owner.execute("\n".join(statements))
    finally:
        await owner.close()


def with_database(url: str, database: str) -> str:
    """Return a PostgreSQL URL with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


async def _ensure_role(admin: asyncpg.Connection, role: str, password_file: Path, *, new_password: bool) -> None:
    exists = await admin.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role)
    password = _password(role, password_file, may_be_made=new_password or not exists)
    if not exists:
        await admin.execute(f"CREATE ROLE {role} NOSUPERUSER NOCREATEDB NOCREATEROLE")
    await admin.execute(f"ALTER ROLE {role} LOGIN PASSWORD '{scram_verifier(password, secrets.token_bytes(16))}'")
    await admin.execute(f"ALTER ROLE {role} SET search_path = {role}")
    if not await admin.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"):
        await admin.execute(f"GRANT {role} TO CURRENT_USER")  # to make a schema that the role owns


def _password(role: str, file: Path, *, may_be_made: bool) -> str:
    """Return the password in the file, made now if it is not there."""
    if not file.exists():
        if not may_be_made:
            raise ProvisionError(
                f"PostgreSQL has a role {role} already, but {file} does not exist: put the file back,"
                " or have a new password made with --new-passwords and restart the services that use the old one"
            )
        write_secret(file, secrets.token_urlsafe(24))
    return read_secret(file)


def _statements() -> list[str]:
    """Return what makes the schemas and their rights; each statement may be repeated."""
    statements = [f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;", "REVOKE ALL ON SCHEMA public FROM PUBLIC;"]
    for role in ROLES:
        statements += [
            f"GRANT CONNECT ON DATABASE {DATABASE} TO {role};",
            f"CREATE SCHEMA IF NOT EXISTS {role} AUTHORIZATION {role};",
        ]
    for schema, reader in READERS.items():
        statements += [
            f"GRANT USAGE ON SCHEMA {schema} TO {reader};",
            f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {reader};",
            f"ALTER DEFAULT PRIVILEGES FOR ROLE {schema} IN SCHEMA {schema} GRANT SELECT ON TABLES TO {reader};",
        ]
    return statements


def scram_verifier(password: str, salt: bytes) -> str:
    """Return what PostgreSQL keeps of an ASCII password (RFC 5803), so that no statement, and no log of one, holds it."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _SCRAM_ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    encoded = [base64.b64encode(part).decode() for part in (salt, stored_key, server_key)]
    return f"SCRAM-SHA-256${_SCRAM_ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"
