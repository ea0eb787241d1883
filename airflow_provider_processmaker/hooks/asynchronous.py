"""A connection and its client for code that runs in an event loop: triggers.

One HTTP stack serves both worlds: the calls of the client run in a few threads of our own. Those threads never speak
with Airflow; what Airflow must know or tell (the connection, secrets to mask) goes over the loop.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_processmaker.connection import parse
from airflow_provider_processmaker.hooks.extras import extra_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_processmaker.client import ProcessMakerClient, ProcessMakerError, Settings, Token

__all__ = ["LoopClient", "mask_secrets", "read_settings"]

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds after which the connection is read again: it may have been corrected meanwhile.
REREAD_AFTER = 60.0
#: A poll comes again soon: it must not hold a thread for long.
POLL_TIMEOUT = 20.0
#: Of each connection, so that a server that hangs holds up its own waits alone.
THREADS = 2


async def read_settings(conn_id: str) -> Settings:
    """The settings of a connection, its secrets masked in logs.

    :param conn_id: id of the connection.
    :raises InvalidInputError: if there is none, it lacks something or holds an impossible value.
    """
    from airflow.providers.common.compat.connection import get_async_connection
    from airflow.providers.common.compat.sdk import AirflowNotFoundException

    from airflow_provider_processmaker.client.errors import InvalidInputError

    try:
        connection = await get_async_connection(conn_id)
    except AirflowNotFoundException:
        raise InvalidInputError(f'There is no connection "{conn_id}".') from None
    settings = parse(
        host=connection.host,
        login=connection.login,
        password=connection.password,
        port=connection.port,
        schema=connection.schema,
        extra=extra_of(connection.extra),
    )
    await mask_secrets(settings.secrets)
    return settings


async def mask_secrets(secrets: Iterable[str]) -> None:
    """Keep secrets out of logs.

    :param secrets: what must not be shown.
    """
    try:
        from airflow.sdk.log import amask_secret
    except ImportError:  # before Airflow 3.3.2
        from airflow.providers.common.compat.sdk import mask_secret
        from asgiref.sync import sync_to_async

        for secret in secrets:
            await sync_to_async(mask_secret)(secret)
    else:
        for secret in secrets:
            await amask_secret(secret)


class LoopClient:
    """The client of a connection for an event loop. It reads the connection at its first call, and again now and then.

    :param conn_id: id of a connection of type ``processmaker``.
    :param read_timeout: most seconds that a call waits for the next piece of its answer. Default: 20.
    """

    def __init__(self, conn_id: str, *, read_timeout: float = POLL_TIMEOUT) -> None:
        self._conn_id = conn_id
        self._read_timeout = read_timeout
        self._client: ProcessMakerClient | None = None
        self._settings: Settings | None = None
        self._read_at = 0.0
        self._unmasked: deque[str] = deque()
        self._seen: set[str] = set()
        self._lock = asyncio.Lock()
        self._threads: ThreadPoolExecutor | None = None

    async def call(self, job: Callable[[ProcessMakerClient], T]) -> T:
        """Do something with the client, in a thread.

        :param job: takes the client; it must not speak with Airflow.
        :return: what it returns.
        :raises ProcessMakerError: what it raises; also if the connection cannot be read or used.
        """
        async with self._lock:
            client = await self._current()
        try:
            return await self._in_thread(functools.partial(job, client))
        except Exception:
            self._read_at = 0.0  # perhaps the connection is corrected before the next call
            raise
        finally:
            await self._mask_pending()

    async def _mask_pending(self) -> None:
        while self._unmasked:
            secret = self._unmasked.popleft()
            try:
                await mask_secrets([secret])
            except BaseException:  # also if the trigger is cancelled meanwhile: the next call does it
                self._unmasked.append(secret)
                raise

    def _keep(self, token: Token) -> None:
        """Called by the client at each use of a token, in a thread, which must not speak with Airflow's masker."""
        for secret in token.secrets:
            if secret not in self._seen:
                self._seen.add(secret)
                self._unmasked.append(secret)

    async def close(self) -> None:
        """Close its connections to the server."""
        client, self._client, self._settings = self._client, None, None
        threads, self._threads = self._threads, None
        if threads is not None:
            if client is not None:
                threads.submit(client.close)
            threads.shutdown(wait=False)  # what is under way comes to its end

    async def _in_thread(self, job: Callable[[], T]) -> T:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="processmaker-loop")
        return await asyncio.get_running_loop().run_in_executor(self._threads, job)

    async def _current(self) -> ProcessMakerClient:
        if self._client is not None and time.monotonic() - self._read_at < REREAD_AFTER:
            return self._client
        try:
            settings = await read_settings(self._conn_id)
        except Exception as error:
            if self._client is None:
                raise _unreadable(self._conn_id, error) from error
            log.warning('The connection "%s" cannot be used now; going on as before. %s', self._conn_id, error)
            self._read_at = time.monotonic()
            return self._client
        self._read_at = time.monotonic()
        if self._client is None or settings != self._settings:
            await self.close()
            self._client, self._settings = await self._made(settings), settings
        return self._client

    async def _made(self, settings: Settings) -> ProcessMakerClient:
        # The first import of requests and cryptography takes longer than the loop may be held.
        await self._in_thread(_load)
        from airflow_provider_processmaker.client import ProcessMakerClient, Timing
        from airflow_provider_processmaker.hooks.token_cache import brake_window, configured_store, refresh_margin

        # No repeats within a call: the next poll is one.
        patient = replace(settings, max_retries=0, read_timeout=min(settings.read_timeout, self._read_timeout))
        make = functools.partial(
            ProcessMakerClient,
            patient,
            token_store=configured_store(),
            timing=Timing(refresh_margin(), brake_window()),
            on_token=self._keep,
        )
        # In a thread, since it reads certificates, which takes too long for the loop.
        return await self._in_thread(make)


def _load() -> None:
    import airflow_provider_processmaker.client.client  # noqa: F401
    import airflow_provider_processmaker.client.file_store  # noqa: F401


def _unreadable(conn_id: str, error: Exception) -> ProcessMakerError:
    from airflow_provider_processmaker.client.errors import ProcessMakerError, TransportError

    if isinstance(error, ProcessMakerError):
        return error
    return TransportError(f'Airflow could not tell the connection "{conn_id}" ({type(error).__name__}).')
