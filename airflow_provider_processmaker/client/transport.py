"""One ``requests.Session``: pooled, with time-outs always, never following redirects, keeping no cookies."""

from __future__ import annotations

import functools
import logging
import os
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import requests

from airflow_provider_processmaker import __version__
from airflow_provider_processmaker.client import stopping
from airflow_provider_processmaker.client.decoding import Answer
from airflow_provider_processmaker.client.errors import InvalidInputError
from airflow_provider_processmaker.client.lost import (
    BROKEN,
    BodyLostError,
    lost_answer,
    never_arrived,
    transport_error,
)
from airflow_provider_processmaker.client.pacing import PacedAdapter
from airflow_provider_processmaker.client.retrying import (
    SAFE_METHODS,
    Attempts,
    may_repeat,
    parse_retry_after,
)
from airflow_provider_processmaker.client.scrubbing import Scrubber
from airflow_provider_processmaker.client.tls import (
    client_certificate,
    proxies_for,
    silence_warning,
    trusted_authorities,
)
from airflow_provider_processmaker.client.unpacking import ACCEPTED, read_body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from requests.auth import AuthBase

    from airflow_provider_processmaker.client.errors import ProcessMakerError
    from airflow_provider_processmaker.client.settings import Settings

__all__ = ["Transport"]

log = logging.getLogger(__name__)

#: Bytes of an error answer that are read: its message is somewhere at the start.
LARGEST_ERROR = 1024 * 1024


class Transport:
    """Sends calls and reads answers to their end; knows nothing of tokens or of what a status means.

    Safe to use from many threads.

    :param settings: where and how to connect.
    :param pool_size: connections kept open for reuse.
    :raises InvalidInputError: if a certificate file is missing or unreadable, or the proxy cannot be used.
    """

    def __init__(self, settings: Settings, *, pool_size: int = 16) -> None:
        self.settings = settings
        #: Takes our secrets out of what the server says.
        self.scrub = Scrubber(settings.secrets)
        # Read once: left to requests, a third of its time goes into reading the proxy settings per call.
        self._proxies = proxies_for(settings)
        self._verify = trusted_authorities(settings)
        self._certificate = client_certificate(settings)
        if not settings.verify_tls:
            silence_warning(settings)
        self._pool_size = pool_size
        self._sessions: dict[int, requests.Session] = {}

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
        on_attempt: Callable[[], None] | None = None,
    ) -> Answer:
        """Send one call, repeat it where that is safe, and read the answer to its end.

        :param method: HTTP method.
        :param url: full URL without a query.
        :param params: query parameters.
        :param body: encoded body.
        :param content_type: its type.
        :param auth: adds the credentials.
        :param repeatable: whether the call may be processed twice. Default: only if it changes nothing.
        :param read_timeout: seconds to wait for the next piece of the answer. Default: that of the settings.
        :param on_attempt: called before each attempt.
        :return: the answer, whatever its status.
        :raises TransportError: if no usable answer came; :class:`~.TlsError` if TLS is why.
        :raises UnknownOutcomeError: if the call may have been processed, but its answer was lost.
        """
        repeatable = method in SAFE_METHODS if repeatable is None else repeatable
        timeout = self.settings.read_timeout if read_timeout is None else read_timeout
        call = self._prepare(method, url, params, body, content_type)
        attempts = Attempts(self.settings.max_retries)
        pause: float | None
        while True:
            if auth is not None:  # asked at each attempt, since the token may be renewed between two
                call = auth(call)
            if on_attempt is not None:
                on_attempt()
            outcome = self._outcome(call, timeout)
            if isinstance(outcome, Answer):
                pause = self._after_answer(outcome, attempts, repeatable=repeatable)
                if pause is None:
                    return outcome
                what = f"The server answered {outcome.status}."
            else:
                what, pause = self._after_fault(call, outcome, attempts, timeout, repeatable=repeatable)
            stopping.pause(0)  # if it was given up, that is no fault to tell of
            log.warning("%s %s is tried again in %.1f s. %s", method, _path(call), pause, what)
            stopping.pause(pause)

    @property
    def _session(self) -> requests.Session:
        """The session of this process. A child of a fork gets one of its own, or it would read its parent's answers."""
        process = os.getpid()
        if process not in self._sessions:
            self._sessions[process] = _new_session(self.settings, self._pool_size)
        return self._sessions[process]

    def close(self) -> None:
        """Close every pooled connection of this process. The transport can still be used: it opens new ones."""
        self._session.close()

    def _prepare(
        self,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        body: bytes | None,
        content_type: str | None,
    ) -> requests.PreparedRequest:
        try:
            call = self._blank.copy()
            call.method = method
            call.url = _address(url) + (f"?{urlencode(params)}" if params else "")
        except (requests.RequestException, UnicodeError):
            # Not why: the reasons of requests quote what they refuse, which may be a secret.
            raise InvalidInputError(
                "The call cannot be sent: its URL or a header holds what HTTP does not allow.", method=method
            ) from None
        if content_type:
            call.headers["Content-Type"] = content_type
        call.body = body
        call.prepare_content_length(body)
        return call

    @functools.cached_property
    def _blank(self) -> requests.PreparedRequest:
        """A call with the headers that all calls have. They are checked once, not once a call."""
        return self._session.prepare_request(requests.Request("GET", self.settings.base_url))

    def _outcome(self, call: requests.PreparedRequest, timeout: float) -> Answer | BaseException:
        """The answer of one attempt, or what went wrong.

        Given back rather than raised: an error of ours that is raised while it is handled would drag it along, and
        with it a request that has the token in its headers.
        """
        try:
            return self._attempt(call, timeout)
        except BROKEN as error:
            return error

    def _attempt(self, call: requests.PreparedRequest, timeout: float) -> Answer:
        """Send the call once and read the answer."""
        # Straight to the adapter: Session.send follows redirects, or at least parses them, and keeps cookies.
        response = self._session.get_adapter(call.url or "").send(
            call,
            stream=True,
            timeout=(self.settings.connect_timeout, timeout),
            verify=self._verify,
            cert=self._certificate,
            proxies=self._proxies,
        )
        status = response.status_code
        try:
            body = read_body(response, LARGEST_ERROR if status >= 400 else None)
        except BROKEN as error:
            if status < 400:
                raise BodyLostError(status) from error
            body = b""  # the status has told what matters
        finally:
            response.close()
        return Answer(
            call.method or "", _path(call), status, response.headers, body, self.scrub, self.settings.base_url
        )

    def _after_fault(
        self,
        call: requests.PreparedRequest,
        error: BaseException,
        attempts: Attempts,
        timeout: float,
        *,
        repeatable: bool,
    ) -> tuple[str, float]:
        """What happened and how long to pause before the next attempt; raises if there is none."""
        problem: ProcessMakerError = transport_error(error, call.method or "", _path(call), timeout)
        problem.server = self.settings.base_url
        if not repeatable and not never_arrived(error) and not isinstance(problem, InvalidInputError):
            raise lost_answer(problem) from None
        pause = attempts.pause() if problem.retryable else None
        if pause is None:
            raise problem from None
        return problem.what, pause

    @staticmethod
    def _after_answer(answer: Answer, attempts: Attempts, *, repeatable: bool) -> float | None:
        if not may_repeat(answer.status, repeatable=repeatable):
            return None
        return attempts.pause(parse_retry_after(answer.headers))


@functools.lru_cache(1024)
def _address(url: str) -> str:
    """A URL as requests writes it. Remembered, since a walk asks the same one page after page."""
    call = requests.PreparedRequest()
    call.prepare_url(url, None)
    return call.url or ""


def _path(call: requests.PreparedRequest) -> str:
    return urlsplit(call.url or "").path or "/"


def _new_session(settings: Settings, pool_size: int) -> requests.Session:
    session = requests.Session()
    session.trust_env = False  # no .netrc, and no proxy settings read per call
    session.headers.clear()
    session.headers.update(
        {
            "User-Agent": f"airflow-provider-processmaker/{__version__}",
            "Accept-Encoding": ACCEPTED,
            **settings.headers,
            # Exactly this: with any other first type ProcessMaker may answer by a redirect to its login page.
            "Accept": "application/json",
        }
    )
    adapter = PacedAdapter(pool_connections=4, pool_maxsize=pool_size)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session
