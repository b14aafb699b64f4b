"""The trust policy's folder, which follows from Vault's public keys and the signers: `log.policy` and `trust.toml`."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from tallystick.cli.provision.anchorers import Authority, ContractPin, pins
from tallystick.cli.provision.errors import ProvisionError
from tallystick.cli.provision.vault import CLOCK_KEY, log_key, receipt_key
from tallystick.cli.provision.witnesses import Witnesses
from tallystick.merkle.encoding import decode_base64
from tallystick.merkle.keys import COSIGNATURE_V1, ED25519, VerifierKey
from tallystick.trust.policy import TrustPolicy, log_name
from tallystick.trust.statements import Sealer

# The name of the notary's own key that tells the time where no witness does, in the policy and in cosignatures.
CLOCK_WITNESS = "notary-clock"
MAX_AGE_S = 60
WITNESS_GROUP = "witnesses"
# What the first section that `tallystick policy update` adds begins with.
RETIRED_KEYS = b"\n[[retired_keys]]\n"
PARTITIONER = "murmur2"


@dataclass(frozen=True, slots=True)
class SignerKey:
    """Someone who signs statements: name, roles (`publisher`, `approver`) and 32 bytes of Ed25519 public key."""

    name: str
    roles: tuple[str, ...]
    public_key: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `NAME:ROLE[,ROLE]:PUBLIC_KEY_FILE`, the file being PEM. Raises ProvisionError."""
        name, _, rest = text.partition(":")
        roles, _, file = rest.partition(":")
        if not name or not roles or not file:
            raise ProvisionError(f"{text!r} is not NAME:ROLE[,ROLE]:PUBLIC_KEY_FILE")
        try:
            key = load_pem_public_key(Path(file).read_bytes())
        except OSError as error:
            raise ProvisionError(f"cannot read {file}: {error.strerror}") from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ProvisionError(f"{file} is not a public key in PEM") from error
        if not isinstance(key, Ed25519PublicKey):
            raise ProvisionError(f"{file} is not an Ed25519 public key")
        return cls(name, tuple(roles.split(",")), key.public_bytes_raw())


@dataclass(frozen=True, slots=True)
class SealerKey:
    """Who seals the input: a name and 32 bytes of Ed25519 public key, of a key that is not the operator's."""

    name: str
    public_key: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `NAME:PUBLIC_KEY`, as `tallystick-witness --role sealer --vkey` prints it. Raises ProvisionError."""
        name, _, key = text.partition(":")
        try:
            sealer = Sealer(name, decode_base64(key.strip()))
        except ValueError as error:
            raise ProvisionError(f"{text!r} is not NAME:PUBLIC_KEY, the key in base64: {error}") from error
        return cls(sealer.name, sealer.public_key)


@dataclass(frozen=True, slots=True)
class Origins:
    """The names of the logs; there is one of seals where there are sealers."""

    decisions: tuple[str, ...]
    fallbacks: str
    governance: str
    seals: str | None = None

    @classmethod
    def under(cls, prefix: str, logs: int = 1, *, sealed: bool = False) -> Self:
        """Return the names below a prefix such as `bank.example/fraud`, with `logs` decisions logs."""
        names = ("decisions",) if logs == 1 else tuple(f"decisions-{number}" for number in range(logs))
        decisions = tuple(f"{prefix}/{name}" for name in names)
        return cls(decisions, f"{prefix}/fallbacks", f"{prefix}/governance", f"{prefix}/seals" if sealed else None)

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which the logs are kept."""
        return tuple(log_name(origin) for origin in self.all)

    @property
    def all(self) -> tuple[str, ...]:
        """All logs' origins."""
        return (*self.decisions, self.fallbacks, *([self.seals] if self.seals else []), self.governance)

    def of_partitions(self, partitions: int) -> list[int]:
        """Return by partition the number of its decisions log: as many neighbours to each log as to the next."""
        return [partition * len(self.decisions) // partitions for partition in range(partitions)]


def log_policy(origins: Origins, public_keys: Mapping[str, bytes], witnesses: Witnesses) -> bytes:
    """Return the text of `log.policy` (C2SP tlog-policy); `public_keys` are Vault's, by the names of the transit keys."""
    keys = [VerifierKey.make(origin, ED25519, public_keys[log_key(log_name(origin))]) for origin in origins.all]
    lines = [f"log {key}" for key in keys]
    if witnesses.members:
        named = {f"w{number}": witness for number, witness in enumerate(witnesses.members, start=1)}
        lines += [f"witness {name} {witness.key} {witness.url}" for name, witness in named.items()]
        lines += [f"group {WITNESS_GROUP} {witnesses.quorum} {' '.join(named)}", f"quorum {WITNESS_GROUP}"]
    else:
        clock = VerifierKey.make(CLOCK_WITNESS, COSIGNATURE_V1, public_keys[CLOCK_KEY])
        lines += [f"witness {CLOCK_WITNESS} {clock}", "quorum none"]
    return "".join(f"{line}\n" for line in lines).encode()


def trust_toml(
    origins: Origins,
    signers: Sequence[SignerKey],
    input_topic: str,
    partitions: int,
    witnesses: Witnesses,
    pinned: Sequence[str] = (),
) -> bytes:
    """Return the text of `trust.toml`; `pinned` are lines that pin sealers, anchorers and receipt keys."""
    lines = [
        "version = 1",
        *([] if signers else ["signers = []"]),
        "",
        "[logs]",
        f"decisions = [{', '.join(_quoted(origin) for origin in origins.decisions)}]",
        f"fallbacks = {_quoted(origins.fallbacks)}",
        *([f"seals = {_quoted(origins.seals)}"] if origins.seals else []),
        f"governance = {_quoted(origins.governance)}",
        "",
        "[freshness]",
        f"max_age_s = {MAX_AGE_S}",
        *([] if witnesses.members else [f"witness = {_quoted(CLOCK_WITNESS)}"]),
        "",
        f"[topics.{_quoted(input_topic)}]",
        f"partitions = {partitions}",
        f"partitioner = {_quoted(PARTITIONER)}",
        f"logs = {origins.of_partitions(partitions)}",
    ]
    for signer in signers:
        lines += [
            "",
            "[[signers]]",
            f"name = {_quoted(signer.name)}",
            f"public_key = {_quoted(base64.b64encode(signer.public_key).decode())}",
            f"roles = [{', '.join(_quoted(role) for role in signer.roles)}]",
        ]
    return "".join(f"{line}\n" for line in (*lines, *pinned)).encode()


def receipt_pins(origins: Origins, public_keys: Mapping[str, bytes]) -> list[str]:
    """Return the lines of `trust.toml` that pin each log's receipt key; `public_keys` are Vault's, as for `log_policy`."""
    lines = []
    for origin in origins.all:
        key = base64.b64encode(public_keys[receipt_key(log_name(origin))]).decode()
        lines += ["", "[[receipt_keys]]", f"origin = {_quoted(origin)}", f"public_key = {_quoted(key)}"]
    return lines


def sealer_pins(sealers: Sequence[SealerKey]) -> list[str]:
    """Return the lines of `trust.toml` that say who seals the input."""
    lines = []
    for sealer in sealers:
        key = base64.b64encode(sealer.public_key).decode()
        lines += ["", "[[sealers]]", f"name = {_quoted(sealer.name)}", f"public_key = {_quoted(key)}"]
    return lines


def policy_files(
    origins: Origins,
    public_keys: Mapping[str, bytes],
    signers: Sequence[SignerKey],
    input_topic: str,
    partitions: int,
    witnesses: Witnesses,
    authorities: Sequence[Authority] = (),
    contracts: Sequence[ContractPin] = (),
    sealers: Sequence[SealerKey] = (),
) -> dict[str, bytes]:
    """Return the trust policy's files by name. Raises ProvisionError if what reads them would not accept them."""
    try:
        files = {
            "log.policy": log_policy(origins, public_keys, witnesses),
            "trust.toml": trust_toml(
                origins,
                signers,
                input_topic,
                partitions,
                witnesses,
                [*sealer_pins(sealers), *receipt_pins(origins, public_keys), *pins(authorities, contracts)],
            ),
        }
        TrustPolicy.parse(files["log.policy"], files["trust.toml"])
    except ValueError as error:
        raise ProvisionError(f"this would not make a trust policy: {error}") from error
    return files


def write_policy(folder: Path, files: Mapping[str, bytes], *, replace: bool = False) -> None:
    """Write the trust policy; one that says the same and knows of logs' keys that came later is kept.

    Raises:
        ProvisionError: Another one is there and `replace` is false: verifiers that have it would no longer believe these logs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        path = folder / name
        if not replace and path.exists() and not _continues(path.read_bytes(), data, name):
            raise ProvisionError(
                f"{path} is there and says something else; compare, and give --replace-policy if the new one is meant"
            )
    for name, data in files.items():
        if not replace and (folder / name).exists():
            continue
        temporary = folder / f".{name}.new"
        temporary.write_bytes(data)
        temporary.replace(folder / name)


def _continues(present: bytes, data: bytes, name: str) -> bool:
    """Say whether a file holds what was provisioned and, beyond it, nothing but what `tallystick policy update` adds."""
    if name == "trust.toml":
        return present == data or present.startswith(data + RETIRED_KEYS)
    lines, wanted = present.splitlines(keepends=True), data.splitlines(keepends=True)
    more = [line for line in lines if line not in wanted]
    return [line for line in lines if line in wanted] == wanted and all(line.startswith(b"log ") for line in more)


def _quoted(text: str) -> str:
    # Every JSON string without surrogates or DEL is a TOML basic string that says the same.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
