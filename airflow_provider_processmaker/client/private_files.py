"""Small files that only their owner may touch."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["UnsafePathError", "make_folder", "read", "remove", "remove_old", "signature", "write"]

#: Begins the name of a file that is being written.
_NEW = ".new-"

#: A token file is some 5 kB; whatever is much larger is not ours.
_LARGEST = 65_536

Signature = tuple[int, int, int]


class UnsafePathError(OSError):
    """A folder or a file that others may have had a hand in."""


def make_folder(folder: Path) -> None:
    """Make a folder for us alone, if it is not there.

    :param folder: where.
    :raises UnsafePathError: if it is someone else's, a link, or may be written by others.
    :raises OSError: if it cannot be made.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode):
        raise UnsafePathError(f"{folder} is not a folder")
    if status.st_uid != os.geteuid():
        raise UnsafePathError(f"{folder} belongs to someone else")
    if status.st_mode & 0o022:
        # Whatever is in there may be theirs.
        raise UnsafePathError(f"{folder} can be written by others")
    if status.st_mode & 0o077:
        folder.chmod(0o700)


def signature(path: Path) -> Signature | None:
    """What changes whenever a file is written; None if there is no file.

    :param path: the file.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


def read(path: Path) -> bytes | None:
    """What a file holds; None if there is none.

    :param path: the file.
    :raises UnsafePathError: if it is a link, no plain file, someone else's, or open to others.
    """
    try:
        # Not following a planted link, and not waiting for a planted pipe.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UnsafePathError(f"{path} is a link") from None
        raise UnsafePathError(f"{path} cannot be opened: {error.strerror}") from None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o077:
            raise UnsafePathError(f"{path} is not a private file of ours")
        return file.read(_LARGEST)


def write(path: Path, data: bytes) -> None:
    """Put a file in its place in one step: a reader sees the old one or the new one, never half of one.

    :param path: the file; whatever is there, also a link, is replaced.
    :param data: what it is to hold.
    :raises OSError: if it cannot be written.
    """
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=_NEW)  # made with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def remove(path: Path) -> None:
    """Remove a file, if it is there.

    :param path: the file.
    """
    path.unlink(missing_ok=True)


def remove_old(folder: Path, ages: Mapping[str, float]) -> None:
    """Remove files that nobody has written for long; the parts of a write that was killed after a day.

    :param folder: where.
    :param ages: seconds, by the endings of names. Other files are left alone.
    """
    now = time.time()
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            age = 86_400 if entry.name.startswith(_NEW) else ages.get(Path(entry.name).suffix)
            with contextlib.suppress(OSError):  # another process may be faster
                if age is not None and now - entry.stat(follow_symlinks=False).st_mtime > age:
                    remove(Path(entry.path))
