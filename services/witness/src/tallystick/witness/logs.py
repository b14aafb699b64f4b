"""Which logs this witness knows: a file of C2SP tlog-policy `log` lines.

log <vkey> [<url>]    a log whose checkpoints carry the key's name as their origin; a second line of that name is a second key
origin <origin>       after a `log` line: its checkpoints carry this origin instead, up to the end of the line

Empty lines and lines that begin with `#` are comments. The second kind is ours, for logs whose keys have names of their own.
"""

from collections.abc import Mapping
from types import MappingProxyType

from tallystick.merkle.checkpoints import Checkpoint, CheckpointError
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import EMPTY_ROOT
from tallystick.merkle.keys import ED25519, VerifierKey

MAX_LOGS_SIZE = 4 * 1024 * 1024

Logs = Mapping[str, tuple[VerifierKey, ...]]
"""The keys by which each log may sign, by its origin."""


class LogsError(MerkleError):
    """The file of logs is wrong; `problems` names every bad line."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


def parse_logs(data: bytes, witness: VerifierKey) -> Logs:
    """Return the logs of a file. `witness` is this witness's own key, which no log may have.

    Raises:
        LogsError: any line is not understood, a key stands twice, or there is no log at all.
    """
    if len(data) > MAX_LOGS_SIZE:
        raise LogsError([f"more than {MAX_LOGS_SIZE:,} bytes"])
    parser, problems = _Parser(witness), []
    for number, line in enumerate(data.split(b"\n"), start=1):
        try:
            parser.read(line.decode())
        except UnicodeDecodeError:
            problems.append(f"line {number}: not UTF-8")
        except MerkleError as error:
            problems.append(f"line {number}: {error}")
    if not problems and not parser.logs:
        problems.append("no log is named in it")
    if problems:
        raise LogsError(problems)
    logs: dict[str, tuple[VerifierKey, ...]] = {}
    for origin, key in parser.logs:
        logs[origin] = (*logs.get(origin, ()), key)
    return MappingProxyType(logs)


class _Parser:
    def __init__(self, witness: VerifierKey) -> None:
        self.logs: list[tuple[str, VerifierKey]] = []
        self._seen = {witness.public_key: "it is this witness's own key"}
        self._may_rename = False

    def read(self, line: str) -> None:
        keyword, _, rest = line.strip(" \t").replace("\t", " ").partition(" ")
        if not keyword or keyword.startswith("#"):
            return
        readers = {"log": self._log, "origin": self._origin}
        if keyword not in readers:
            raise MerkleError("a line begins with log, origin or #")
        readers[keyword](rest.strip(" "))

    def _log(self, rest: str) -> None:
        self._may_rename = False
        words = rest.split()
        if len(words) not in {1, 2}:
            raise MerkleError("write: log <vkey> [<url>]")
        key = VerifierKey.parse(words[0])
        if key.kind != ED25519:
            raise MerkleError("a log's key must be of kind 1 (Ed25519)")
        if key.public_key in self._seen:
            raise MerkleError(f"the key of {key.name} is not a log's of its own: {self._seen[key.public_key]}")
        self._seen[key.public_key] = "another line has it"
        self.logs.append((key.name, key))
        self._may_rename = True

    def _origin(self, rest: str) -> None:
        if not self._may_rename:
            raise MerkleError("an origin line follows its log line")
        try:
            Checkpoint(rest, 0, EMPTY_ROOT)
        except CheckpointError as error:
            raise MerkleError(f"not an origin: {error}") from error
        self.logs[-1] = (rest, self.logs[-1][1])
        self._may_rename = False
