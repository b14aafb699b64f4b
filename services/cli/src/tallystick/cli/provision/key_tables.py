"""The database of the customers' keys: its tables, and who may do what there.

    keys.customer_keys   a row for each customer's key, wrapped by Vault's transit key `customer-keys` under `version` of it
    keys.wrapping        `floor`: no row may be wrapped under an older version, for Vault may have none
    keys.erasures        what was asked for and done: a number that grows with the order of commits
    keys.holds           customers who must not be erased now
    keys.outbox          records for the topic `governance`, sent by `tallystick-retention`

It is a database of its own so that backups of the other one have nothing of it. Nobody owns it but the administrator.
"""

DATABASE = "tallystick_keys"
ROLES = ("scoring", "audit", "retention")

_TABLES = """
CREATE SCHEMA IF NOT EXISTS keys;
CREATE TABLE IF NOT EXISTS keys.customer_keys (
  key_id   bytea PRIMARY KEY,      -- 16 bytes, made of the token (trust.erasures)
  customer bytea NOT NULL UNIQUE,  -- HMAC-SHA-256(lookup key, customer id)
  token    bytea NOT NULL,
  version  int   NOT NULL,
  wrapped  text  NOT NULL
);
CREATE INDEX IF NOT EXISTS customer_keys_version ON keys.customer_keys (version);
CREATE TABLE IF NOT EXISTS keys.wrapping (one boolean PRIMARY KEY DEFAULT true CHECK (one), floor int NOT NULL);
INSERT INTO keys.wrapping (floor) VALUES (1) ON CONFLICT DO NOTHING;
CREATE TABLE IF NOT EXISTS keys.erasures (
  number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer     bytea,              -- until the erasure takes effect
  key_ids      bytea[] NOT NULL,
  requested_ms bigint NOT NULL,
  effective_ms bigint NOT NULL
);
CREATE INDEX IF NOT EXISTS erasures_customer ON keys.erasures (customer);
CREATE TABLE IF NOT EXISTS keys.holds (customer bytea PRIMARY KEY, placed_ms bigint NOT NULL, refused_ms bigint);
CREATE TABLE IF NOT EXISTS keys.outbox (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  key    text NOT NULL,
  value  bytea NOT NULL
);
"""
_RIGHTS = {
    "scoring": {"customer_keys": "SELECT, INSERT, DELETE", "wrapping": "SELECT", "erasures": "SELECT"},
    "audit": {
        "customer_keys": "SELECT, DELETE",
        "erasures": "SELECT, INSERT",
        "holds": "SELECT, INSERT, UPDATE, DELETE",
        "outbox": "INSERT",
    },
    "retention": {
        "customer_keys": "SELECT, UPDATE (version, wrapped), DELETE",
        "wrapping": "SELECT, UPDATE",
        "erasures": "SELECT, UPDATE (customer)",
        "outbox": "SELECT, DELETE",
    },
}


def statements() -> list[str]:
    """Return what makes tables and rights, to be run in the keys' database; each may be repeated."""
    made = [f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC;", "REVOKE ALL ON SCHEMA public FROM PUBLIC;", _TABLES]
    for role, tables in _RIGHTS.items():
        made += [f"GRANT CONNECT ON DATABASE {DATABASE} TO {role};", f"GRANT USAGE ON SCHEMA keys TO {role};"]
        made += [f"REVOKE ALL ON ALL TABLES IN SCHEMA keys FROM {role};"]
        made += [f"GRANT {rights} ON keys.{table} TO {role};" for table, rights in tables.items()]
    return made
