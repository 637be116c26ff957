"""Programs that tests need and no wheel brings, from Debian's packages."""

import os
import shutil
import subprocess

_APT = ["apt-get", "--quiet", "--yes", "--option", "DPkg::Lock::Timeout=600"]
# Where Debian puts servers; a user's own path need not name it.
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
_QUIET = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}  # 1: a server's package does not start the server


def installed(program: str, package: str) -> str | None:
    """Where the program is, a name or a path; its package is installed where it may be. None: no apt, or not root."""
    found = shutil.which(program, path=_PATH)
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        for command in (["update"], ["install", "--no-install-recommends", package]):
            environment = {**os.environ, **_QUIET}
            subprocess.run([*_APT, *command], check=True, capture_output=True, timeout=600, env=environment)
        found = shutil.which(program, path=_PATH)
    return found
