"""The client: ProcessMaker's REST API as a few verbs."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, Self

from airflow_provider_processmaker.client import stopping
from airflow_provider_processmaker.client.encoding import (
    encode_json,
    encode_params,
    endpoint_url,
    http_method,
)
from airflow_provider_processmaker.client.errors import InvalidInputError, UnexpectedAnswerError
from airflow_provider_processmaker.client.fields import FieldSelection, without_hidden
from airflow_provider_processmaker.client.grants import Grants
from airflow_provider_processmaker.client.lists import Lists, asks_hidden, field_names
from airflow_provider_processmaker.client.lost import lost_answer
from airflow_provider_processmaker.client.process_runs import ProcessRuns
from airflow_provider_processmaker.client.request_states import NO_SHAPE
from airflow_provider_processmaker.client.retrying import SAFE_METHODS
from airflow_provider_processmaker.client.rewriting import warn_of_rewriting
from airflow_provider_processmaker.client.session import ApiSession, Call
from airflow_provider_processmaker.client.settings import MAX_TIMEOUT, check_range
from airflow_provider_processmaker.client.token_store import process_store
from airflow_provider_processmaker.client.tokens import GrantTokens, StaticTokens
from airflow_provider_processmaker.client.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
    from types import TracebackType

    from airflow_provider_processmaker.client.decoding import Answer
    from airflow_provider_processmaker.client.records import Page, Record
    from airflow_provider_processmaker.client.settings import Settings
    from airflow_provider_processmaker.client.token_store import TokenStore
    from airflow_provider_processmaker.client.tokens import Timing, Token, Tokens

__all__ = ["ProcessMakerClient"]


class ProcessMakerClient(ProcessRuns):
    """A client of one ProcessMaker server for one user.

    It needs no Airflow. It logs in when the first call needs it, and may be used from many threads. Close it,
    or use it in a ``with`` statement.

    :param settings: where, who and how.
    :param token_store: where tokens live between calls. Default: the memory of this process, shared by all
        clients in it.
    :param on_token: told of each token before anything is done with it, and again at each use, in the thread of the
        call, so that a caller can keep it out of logs.
    :param timing: when tokens are renewed, and how long a refused login rests. Default: 60 s before their end, 30 s.
    :param clock: seconds since the epoch; for tests.
    :raises InvalidInputError: if a certificate file of the settings is missing or unreadable.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        token_store: TokenStore | None = None,
        on_token: Callable[[Token], None] | None = None,
        timing: Timing | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        transport = Transport(settings)
        self._grants = Grants(transport, clock=clock)
        tokens = self._tokens(process_store() if token_store is None else token_store, timing, clock)
        self._session = ApiSession(transport, tokens, on_token=on_token)
        self._lists = Lists(self.get, settings)

    def _tokens(self, store: TokenStore, timing: Timing | None, clock: Callable[[], float]) -> Tokens:
        if self.settings.access_token:
            return StaticTokens(self.settings.access_token)
        return GrantTokens(
            self.settings,
            store,
            password_grant=self._grants.by_password,
            refresh_grant=self._grants.by_refresh_token,
            timing=timing,
            clock=clock,
            # Who makes one attempt alone, as a poll does, does not wait either.
            sleep=stopping.pause if self.settings.max_retries else None,
        )

    def __repr__(self) -> str:
        """Where and who; nothing secret."""
        return f"<ProcessMakerClient of {self.settings.username or 'a token'} at {self.settings.base_url}>"

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close every pooled connection."""
        self._session.close()

    @property
    def token_calls(self) -> int:
        """How often this client asked the token endpoint, each attempt counted."""
        return self._grants.calls

    def token(self) -> Token:
        """The token in use; logs in if there is none (``POST /oauth/token``).

        :raises LoginError: if the server refuses the credentials.
        """
        return self._session.token()

    def log_in(self) -> Token:
        """Log in with the password, whatever token is kept, and keep the new one (``POST /oauth/token``).

        It shows that the credentials are right now; every other call is content with the token that is there. It also
        asks if the same credentials were refused a moment ago. A personal access token is given back as it is.

        :raises LoginError: if the server refuses the credentials.
        """
        return self._session.log_in()

    def request(
        self,
        method: str,
        endpoint: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        idempotent: bool | None = None,
        read_timeout: float | None = None,
        hidden_fields: bool = False,
    ) -> Any:
        """Call any endpoint of the REST API.

        :param method: HTTP method.
        :param endpoint: path below ``/api/1.0``, such as ``users/1``.
        :param params: query parameters; booleans and lists are written as ProcessMaker reads them.
        :param json: body, for any method but GET, HEAD and OPTIONS.
        :param idempotent: whether the call may be repeated after a lost answer or a server failure. Default:
            only GET, HEAD and OPTIONS.
        :param read_timeout: seconds to wait for the next piece of the answer. Default: that of the settings.
        :param hidden_fields: keep what is left out otherwise: ``remember_token`` of users.
        :return: the JSON of the answer; None for an answer without a body.
        :raises InvalidInputError: if the call makes no sense; nothing was sent.
        :raises ProcessMakerError: see :mod:`airflow_provider_processmaker.client.errors`.
        """
        method = http_method(method)
        if json is not None and method in SAFE_METHODS:
            raise InvalidInputError(f"A {method} has no body.", hint="Give the values as query parameters.")
        if read_timeout is not None:
            check_range("read_timeout", read_timeout, 0.001, MAX_TIMEOUT)
        url = endpoint_url(self.settings.base_url, endpoint)
        body = None
        if isinstance(json, str):
            raise InvalidInputError(
                "The body is a text, and ProcessMaker wants a JSON object.",
                hint="Give a dict; for a template that makes one, set render_template_as_native_obj=True on the DAG.",
            )
        if json is not None:
            body = encode_json(json)
            warn_of_rewriting(method, url, json)
        call = Call(
            method=method,
            url=url,
            params=encode_params(params),
            body=body,
            content_type=None if body is None else "application/json",
            repeatable=method in SAFE_METHODS if idempotent is None else idempotent,
            read_timeout=read_timeout,
        )
        answer = self._answered(call)
        value = _decoded(answer, call)
        return value if hidden_fields else without_hidden(value, answer.body)

    def _answered(self, call: Call) -> Answer:
        try:
            return self._session.send(call)
        except UnexpectedAnswerError as problem:
            if call.repeatable or (problem.status or 0) >= 400:
                raise
            # A redirect: of something in between, which may have let the call through.
            raise lost_answer(problem) from None

    def get(self, endpoint: str, params: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """``GET`` an endpoint; see :meth:`request`.

        :param endpoint: path below ``/api/1.0``.
        :param params: query parameters.
        :param options: further arguments of :meth:`request`.
        """
        return self.request("GET", endpoint, params=params, **options)

    def post(self, endpoint: str, json: Any = None, **options: Any) -> Any:
        """``POST`` to an endpoint; see :meth:`request`.

        :param endpoint: path below ``/api/1.0``.
        :param json: body.
        :param options: further arguments of :meth:`request`.
        """
        return self.request("POST", endpoint, json=json, **options)

    def put(self, endpoint: str, json: Any = None, **options: Any) -> Any:
        """``PUT`` to an endpoint; see :meth:`request`.

        :param endpoint: path below ``/api/1.0``.
        :param json: body.
        :param options: further arguments of :meth:`request`.
        """
        return self.request("PUT", endpoint, json=json, **options)

    def delete(self, endpoint: str, **options: Any) -> Any:
        """``DELETE`` an endpoint; see :meth:`request`.

        :param endpoint: path below ``/api/1.0``.
        :param options: further arguments of :meth:`request`.
        """
        return self.request("DELETE", endpoint, **options)

    def whoami(self) -> Record:
        """The user of the connection (``GET /users/{id}``).

        The id is taken from the token, or from ``GET /users/configuration`` where the token does not tell it.

        :raises LoginError: if the server refuses the credentials.
        :raises UnexpectedAnswerError: if the answer is no user.
        """
        user_id = self.token().user_id or self._configured_user_id()
        user = self.get(f"users/{user_id}")
        if not isinstance(user, dict) or "username" not in user:
            raise UnexpectedAnswerError(
                "The answer is no user of ProcessMaker.",
                method="GET",
                path=f"/api/1.0/users/{user_id}",
                server=self.settings.base_url,
                hint=NO_SHAPE,
            )
        return user

    def _configured_user_id(self) -> Any:
        body = self.get("users/configuration")
        user_id = body.get("user_id") if isinstance(body, dict) else None
        if not user_id:
            raise UnexpectedAnswerError(
                "The server does not tell whose token this is.",
                method="GET",
                path="/api/1.0/users/configuration",
                server=self.settings.base_url,
                hint="An access token that was not issued by ProcessMaker itself, perhaps?",
            )
        return user_id

    def iter_records(
        self,
        resource: str,
        /,
        *,
        fields: Iterable[str] | None = None,
        page_size: int | None = None,
        look_ahead: int | None = None,
        **query: Any,
    ) -> Iterator[Record]:
        """The records of a list, one by one, by ascending ids, pages read ahead of you by a bounded window.

        A record that is there throughout comes exactly once, whatever else comes or goes meanwhile; see
        :mod:`airflow_provider_processmaker.client.walks` for how, and for the lists where that cannot be. Closing the
        generator, also by leaving a loop over it, ends its threads.

        :param resource: name of the list, such as ``users``, ``groups`` or ``environment_variables``.
        :param fields: keep only these fields of each record. Default: all but ``remember_token``.
        :param page_size: rows a page. Default: that of the settings, else what suits the list.
        :param look_ahead: pages under way or ready beyond the one in hand; 1: one after the other, without threads.
            Default: that of the settings, 4.
        :param query: parameters of the list, such as ``filter="smith"``, ``status="ACTIVE"`` or ``pmql=...``. With an
            ``order_by`` of your own the plain pages are walked one by one, and rows that move may repeat or be missed.
        :return: a generator of dicts. It raises as :meth:`request` does, at the record where it happens.
        :raises InvalidInputError: at the first record, for an unknown list or parameter; for a field that none of the
            records has, after a hundred of them or at the end.
        """
        wanted = field_names(fields)
        pages = self.iter_pages(
            resource, page_size=page_size, look_ahead=look_ahead, hidden_fields=asks_hidden(wanted), **query
        )
        with contextlib.closing(pages):
            selection = FieldSelection(wanted or ())
            for page in pages:
                yield from selection.of(page.records) if wanted else page.records
                # Let go of before the next page is decoded, into memory that is warm then: a sixth of the time.
                page.records.clear()
            selection.end()

    def iter_pages(
        self,
        resource: str,
        /,
        *,
        page_size: int | None = None,
        look_ahead: int | None = None,
        hidden_fields: bool = False,
        **query: Any,
    ) -> Generator[Page]:
        """The pages of a list, with the server's own count of its records; see :meth:`iter_records`.

        :param resource: name of the list.
        :param page_size: rows a page. Default: that of the settings, else what suits the list.
        :param look_ahead: pages under way or ready beyond the one in hand.
        :param hidden_fields: keep ``remember_token`` of users.
        :param query: parameters of the list.
        :return: a generator of pages.
        """
        return self._lists.pages(
            resource, query, page_size=page_size, look_ahead=look_ahead, hidden_fields=hidden_fields
        )

    def count(self, resource: str, /, **query: Any) -> int:
        """How many records a list has, by the server's own count.

        :param resource: name of the list.
        :param query: parameters of the list.
        :raises UnexpectedAnswerError: if the server does not tell.
        """
        return self._lists.count(resource, query)


def _decoded(answer: Answer, call: Call) -> Any:
    try:
        return answer.json()
    except UnexpectedAnswerError as problem:
        if not call.repeatable:
            # The write was done, probably, and what the server said about it cannot be read; or it is a web page of
            # something in between, which may have let the call through.
            raise lost_answer(problem) from None
        raise
