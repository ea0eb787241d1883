"""Tokens in files, for all processes of one user on one machine."""

from __future__ import annotations

import logging
import os
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from airflow_provider_processmaker.client import private_files
from airflow_provider_processmaker.client.errors import TransportError
from airflow_provider_processmaker.client.sealing import seal, unseal
from airflow_provider_processmaker.client.token_store import MemoryStore, Refusal
from airflow_provider_processmaker.client.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_provider_processmaker.client.token_store import Login

__all__ = ["FileStore"]

log = logging.getLogger(__name__)

#: Seconds to wait for another process that is asking for a token. It may have to sit out a full minute or more if
#: ProcessMaker has had too many token calls.
LONGEST_LOCK = 300.0

#: Seconds after which a file that nobody has written is removed, by the endings of names. ProcessMaker's tokens live
#: for a year; whose does so longer logs in once more.
_AGES = {".token": 400 * 86_400.0, ".lock": 400 * 86_400.0, ".accepted": 400 * 86_400.0, ".refusal": 86_400.0}


class FileStore:
    """Keeps tokens in encrypted files that only this user may read, and falls back to memory if it cannot.

    Reading takes no lock: a file is replaced in one step. A lock is held only while asking for a new token, by one
    process for each login; the others wait for it and then find the token.

    :param folder: where the files are; each user has a folder of his own in it.
    :param memory: takes over if the folder cannot be used. Default: one of its own.
    """

    def __init__(self, folder: Path, *, memory: MemoryStore | None = None) -> None:
        self.folder = folder / str(os.geteuid())
        self._memory = memory or MemoryStore()
        self._guard = threading.Lock()
        self._read: dict[str, tuple[private_files.Signature, Token | None]] = {}
        #: Logins whose last token could not be written, with the file that stood there then.
        self._unwritten: dict[str, private_files.Signature | None] = {}
        self._told: set[str] = set()

    def load(self, login: Login) -> Token | None:
        """The token that any process last saved; None if there is none.

        :param login: whose.
        """
        path = self._path(login, "token")
        try:
            found = private_files.signature(path)
            if login.name in self._unwritten and self._unwritten[login.name] == found:
                return self._memory.load(login)
            if found is None:
                return None
            known = self._read.get(login.name)
            if known is None or known[0] != found:
                known = found, _token(self._content(path, login))
                self._read[login.name] = known
            return known[1]
        except private_files.UnsafePathError as error:
            self._tell_of_file(error)
        except OSError as error:
            self._tell(error)
        return self._memory.load(login)

    def save(self, login: Login, token: Token) -> None:
        """Keep a token for all processes; it replaces a refusal.

        :param login: whose.
        :param token: the token.
        """
        self._memory.save(login, token)
        self._unwritten.pop(login.name, None)
        if not self._write(login, "token", asdict(token)):
            self._unwritten[login.name] = self._signature(login)
        self._remove(login, "refusal")
        private_files.remove_old(self.folder, _AGES)

    def forget(self, login: Login) -> None:
        """Drop the token of a login for all processes.

        :param login: whose.
        """
        self._memory.forget(login)
        self._unwritten.pop(login.name, None)
        if not self._remove(login, "token"):
            self._unwritten[login.name] = self._signature(login)

    def refusal(self, login: Login) -> Refusal | None:
        """The last refusal that any process met, if no token came since.

        :param login: whose.
        """
        try:
            content = self._content(self._path(login, "refusal"), login)
        except private_files.UnsafePathError as error:
            self._tell_of_file(error)
            content = None
        except OSError as error:
            self._tell(error)
            content = None
        return _refusal(content) or self._memory.refusal(login)

    def refuse(self, login: Login, refusal: Refusal) -> None:
        """Remember for all processes that a login was refused.

        :param login: whose.
        :param refusal: what was said.
        """
        self._memory.refuse(login, refusal)
        self._write(login, "refusal", asdict(refusal))

    def accepted(self, login: Login, token: Token) -> bool:
        """Whether a call of any process was answered with a token.

        :param login: whose.
        :param token: the token.
        """
        if self._memory.accepted(login, token):
            return True
        try:
            content = self._content(self._path(login, "accepted"), login)
        except OSError:
            return False
        return content == {"access_token": token.access_token}

    def accept(self, login: Login, token: Token) -> None:
        """Remember for all processes that a call was answered with a token.

        A file of its own: whoever makes calls does not hold the lock that the token's file is written under.

        :param login: whose.
        :param token: the token.
        """
        self._memory.accept(login, token)
        self._write(login, "accepted", {"access_token": token.access_token})

    @contextmanager
    def lock(self, login: Login) -> Iterator[None]:
        """One thread of one process at a time asks for a token of this login.

        :param login: whose.
        :raises TransportError: if another process does not come to an end with it.
        """
        with self._memory.lock(login), ExitStack() as held:
            try:
                private_files.make_folder(self.folder)
                held.enter_context(FileLock(self._path(login, "lock"), timeout=LONGEST_LOCK, mode=0o600))
            except Timeout:
                raise TransportError(
                    f"Another process has been asking ProcessMaker for a token for {LONGEST_LOCK:.0f} s.",
                    hint="A later try can help.",
                ) from None
            except (OSError, NotImplementedError) as error:
                self._tell(error)
            yield

    def _path(self, login: Login, kind: str) -> Path:
        return self.folder / f"{login.door if kind == 'refusal' else login.name}.{kind}"

    def _signature(self, login: Login) -> private_files.Signature | None:
        try:
            return private_files.signature(self._path(login, "token"))
        except OSError:
            return None

    def _content(self, path: Path, login: Login) -> dict[str, Any] | None:
        data = private_files.read(path)
        return None if data is None else unseal(login, data)

    def _write(self, login: Login, kind: str, content: dict[str, Any]) -> bool:
        try:
            private_files.make_folder(self.folder)
            private_files.write(self._path(login, kind), seal(login, content))
        except OSError as error:
            self._tell(error)
            return False
        return True

    def _remove(self, login: Login, kind: str) -> bool:
        try:
            private_files.remove(self._path(login, kind))
        except OSError as error:
            self._tell(error)
            return False
        return True

    def _tell(self, error: Exception) -> None:
        """Say once why tokens stay in memory."""
        with self._guard:
            level = logging.DEBUG if "folder" in self._told else logging.WARNING
            self._told.add("folder")
        log.log(
            level,
            "ProcessMaker's tokens cannot be kept in %s, so this process logs in by itself: %s",
            self.folder,
            error,
        )

    def _tell_of_file(self, error: Exception) -> None:
        """Say once that a file is not what we wrote."""
        with self._guard:
            level = logging.DEBUG if "file" in self._told else logging.WARNING
            self._told.add("file")
        log.log(level, "A file of ProcessMaker's tokens counts as none, and the next login replaces it: %s", error)


def _token(content: dict[str, Any] | None) -> Token | None:
    try:
        return Token(**content) if content else None
    except TypeError:  # of another release
        return None


def _refusal(content: dict[str, Any] | None) -> Refusal | None:
    try:
        return Refusal(**content) if content else None
    except TypeError:
        return None
