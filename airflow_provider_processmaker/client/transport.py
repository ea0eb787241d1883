"""One ``requests.Session``: pooled, with time-outs always, never following redirects, keeping no cookies."""

from __future__ import annotations

import logging
import os
import ssl
import threading
import time
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.exceptions import MaxRetryError, ProtocolError

from airflow_provider_processmaker import __version__
from airflow_provider_processmaker.client.decoding import Answer
from airflow_provider_processmaker.client.errors import InvalidInputError
from airflow_provider_processmaker.client.lost import BROKEN, lost_answer, never_arrived, transport_error
from airflow_provider_processmaker.client.retrying import SAFE_METHODS, retry_policy

if TYPE_CHECKING:
    from collections.abc import Mapping

    from requests.auth import AuthBase
    from urllib3.util import Retry

    from airflow_provider_processmaker.client.errors import ProcessMakerError
    from airflow_provider_processmaker.client.retrying import RetryPolicy
    from airflow_provider_processmaker.client.settings import Settings

__all__ = ["Transport"]

log = logging.getLogger(__name__)

#: Bytes a second below which an answer that has lasted longer than the read time-out is given up.
SLOWEST = 1_000
CHUNK = 65_536


class _Adapter(HTTPAdapter):
    """An adapter whose retry policy is that of the call under way in this thread, over one pool for all."""

    def __init__(self, pool_size: int) -> None:
        self._call = threading.local()
        super().__init__(pool_connections=4, pool_maxsize=pool_size)

    @property
    def max_retries(self) -> Retry:
        return getattr(self._call, "policy", self._default)

    @max_retries.setter
    def max_retries(self, policy: Retry) -> None:
        # The base class sets it once, in its constructor; every call of ours sets its own below.
        self._default = policy

    def use(self, policy: Retry) -> None:
        self._call.policy = policy


class Transport:
    """Sends calls and reads answers to their end; knows nothing of tokens or of what a status means.

    Safe to use from many threads.

    :param settings: where and how to connect.
    :param pool_size: connections kept open for reuse.
    :raises InvalidInputError: if a certificate file is missing or unreadable, or a header cannot be sent.
    """

    def __init__(self, settings: Settings, *, pool_size: int = 10) -> None:
        self.settings = settings
        self._adapter = _Adapter(pool_size)
        self._session = _new_session(settings, self._adapter)

    def send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        body: bytes | None = None,
        content_type: str | None = None,
        auth: AuthBase | None = None,
        repeatable: bool | None = None,
        read_timeout: float | None = None,
    ) -> Answer:
        """Send one call, repeat it where that is safe, and read the answer to its end.

        :param method: HTTP method.
        :param url: full URL without a query.
        :param params: query parameters.
        :param body: encoded body.
        :param content_type: its type.
        :param auth: adds the credentials.
        :param repeatable: whether the call may reach the server twice. Default: only if it changes nothing.
        :param read_timeout: seconds to wait for the next piece of the answer. Default: that of the settings.
        :return: the answer, whatever its status.
        :raises TransportError: if no usable answer came; :class:`~.TlsError` if TLS is why.
        :raises UnknownOutcomeError: if the call may have been processed, but its answer was lost.
        """
        repeatable = method in SAFE_METHODS if repeatable is None else repeatable
        call = self._prepare(method, url, params, body, content_type)
        timeout = read_timeout or self.settings.read_timeout
        policy = retry_policy(self.settings.max_retries, repeatable=repeatable)
        while True:
            if auth is not None:  # asked at each attempt, since the token may be renewed between two
                call.prepare_auth(auth)
            response = self._open(call, policy, timeout, repeatable=repeatable)
            try:
                return Answer(method, _path(call), response.status_code, response.headers, _read(response, timeout))
            except BROKEN as error:
                if response.status_code >= 400:  # the status has told what matters
                    return Answer(method, _path(call), response.status_code, response.headers, b"")
                problem = transport_error(error, method, _path(call), timeout)
                if not repeatable:
                    raise lost_answer(problem, response.status_code) from None
                policy = _next(policy, problem)
            finally:
                response.close()

    def close(self) -> None:
        """Close every pooled connection. The transport can still be used: it opens new ones."""
        self._session.close()

    def _prepare(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        body: bytes | None,
        content_type: str | None,
    ) -> requests.PreparedRequest:
        headers = {"Content-Type": content_type} if content_type else None
        try:
            return self._session.prepare_request(
                requests.Request(method, url, params=params, data=body, headers=headers)
            )
        except (requests.RequestException, UnicodeError) as error:
            raise InvalidInputError(f"The call cannot be sent: {error}", method=method) from None

    def _open(
        self, call: requests.PreparedRequest, policy: RetryPolicy, timeout: float, *, repeatable: bool
    ) -> requests.Response:
        """Send the call and wait for the head of the answer; urllib3 repeats it as the policy says."""
        self._adapter.use(policy)
        session = self._session
        try:
            return session.send(
                call,
                stream=True,
                timeout=(self.settings.connect_timeout, timeout),
                allow_redirects=False,
                verify=session.verify,
                cert=session.cert,
                proxies=session.proxies,
            )
        except BROKEN as error:
            problem = transport_error(error, call.method or "", _path(call), timeout)
            if repeatable or never_arrived(error):
                raise problem from None
            raise lost_answer(problem) from None


def _path(call: requests.PreparedRequest) -> str:
    return urlsplit(call.url or "").path or "/"


def _next(policy: RetryPolicy, problem: ProcessMakerError) -> RetryPolicy:
    """Wait before the next attempt, or give up with the problem."""
    try:
        policy = policy.increment("GET", problem.path, error=ProtocolError(problem.what))
    except (MaxRetryError, ProtocolError):
        raise problem from None
    log.warning("%s %s is tried again: %s", problem.method, problem.path, problem.what)
    policy.sleep()
    return policy


def _read(response: requests.Response, timeout: float) -> bytes:
    """The whole body. A server that sends a byte a second would otherwise never meet the read time-out."""
    started, chunks, size = time.monotonic(), [], 0
    while chunk := response.raw.read1(CHUNK, decode_content=True):
        chunks.append(chunk)
        size += len(chunk)
        lasted = time.monotonic() - started
        if lasted > timeout and size < lasted * SLOWEST:
            raise requests.ReadTimeout(f"only {size} bytes of the answer came in {lasted:.0f} s")
    return b"".join(chunks)


def _new_session(settings: Settings, adapter: HTTPAdapter) -> requests.Session:
    session = requests.Session()
    # Proxy settings are read here, once: left to requests, a third of its time goes into reading them per call.
    session.trust_env = False
    session.proxies = (
        {"http": settings.proxy, "https": settings.proxy}
        if settings.proxy
        else get_environ_proxies(settings.base_url, no_proxy=None)
    )
    session.verify = _authorities(settings) if settings.verify_tls else False
    session.cert = _client_certificate(settings)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    session.headers.clear()
    session.headers.update(
        {
            "User-Agent": f"airflow-provider-processmaker/{__version__}",
            "Accept-Encoding": "gzip, deflate",
            **settings.headers,
            # Exactly this: with any other first type ProcessMaker may answer by a redirect to its login page.
            "Accept": "application/json",
        }
    )
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _authorities(settings: Settings) -> str | bool:
    """The CA bundle to trust: ours, the environment's as requests would take it, or the default one."""
    if not settings.ca_bundle:
        return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    try:
        ssl.create_default_context(cafile=settings.ca_bundle)
    except (OSError, ssl.SSLError) as error:
        raise InvalidInputError(
            f"The CA bundle {settings.ca_bundle} cannot be used: {_reason(error)}.",
            hint="It must be a PEM file that this user can read on the machine where the task runs.",
        ) from None
    return settings.ca_bundle


def _client_certificate(settings: Settings) -> str | tuple[str, str] | None:
    if not settings.client_cert:
        return None
    cert, _, key = (part.strip() for part in settings.client_cert.partition(","))
    try:
        ssl.create_default_context().load_cert_chain(cert, key or None)
    except (OSError, ssl.SSLError) as error:
        raise InvalidInputError(
            f"The client certificate {settings.client_cert} cannot be used: {_reason(error)}.",
            hint="It must be a PEM file with certificate and key, or two such files with a comma between.",
        ) from None
    return (cert, key) if key else cert


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
