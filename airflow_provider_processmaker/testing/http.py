"""What a handler reads and what it returns: requests as Laravel sees them, responses as PHP encodes them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import multipart, phpdata, rewriting

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_processmaker.testing.state import State, User

JSON_TYPE = "application/json"
HTML_TYPE = "text/html; charset=UTF-8"


def encode(value: Any, *, pretty: bool = False) -> bytes:
    r"""
    Encode as PHP's ``json_encode`` does: slashes and all beyond ASCII escaped.

    :param value: anything JSON can hold.
    :param pretty: on several lines, as Laravel writes the errors it renders itself.
    """
    text = json.dumps(value, indent=4) if pretty else json.dumps(value, separators=(",", ":"))
    return text.replace("/", "\\/").encode("ascii")


@dataclass
class Response:
    """An answer on its way out; ``headers`` keep their order and spelling."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cache_control: str = "no-cache, private"
    tenant: bool = True

    @classmethod
    def json(cls, value: Any, status: int = 200, *, pretty: bool = False, **headers: str) -> Response:
        """
        An answer with a JSON body.

        :param value: what to encode.
        :param status: the HTTP status.
        :param pretty: see :func:`encode`.
        :param headers: more headers, underscores standing for hyphens.
        """
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return cls(status, encode(value, pretty=pretty), {"Content-Type": JSON_TYPE, **named})

    @classmethod
    def html(cls, text: str, status: int = 200, content_type: str = HTML_TYPE) -> Response:
        """
        An answer with a page.

        :param text: the page.
        :param status: the HTTP status.
        :param content_type: Symfony and Laravel spell the charset differently.
        """
        return cls(status, text.encode(), {"Content-Type": content_type})

    @classmethod
    def nothing(cls) -> Response:
        """204."""
        return cls(204)


class Abort(Exception):  # noqa: N818 - it is no error of ours, but an answer that ends the handler early
    """Ends a handler with an answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status)
        self.response = response


class Request:
    """One request, with the views of it that Laravel's controllers have."""

    def __init__(
        self,
        method: str,
        path: str,
        query_string: str,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        *,
        client: str,
        base_url: str,
    ) -> None:
        self.method = method
        self.path = path
        self.query_string = query_string
        self.headers = dict(headers)
        self.body = body
        self.client = client
        self.base_url = base_url
        self.exempt: frozenset[str] = frozenset()
        self.bound: dict[str, Any] = {}
        self.error: Exception | None = None
        self._user: User | None = None
        self._state: State | None = None
        self.accept = self.headers.get("accept", "")

    @property
    def state(self) -> State:
        """The server's data."""
        if self._state is None:
            raise RuntimeError("the request has not been dispatched")
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        self._state = state

    @property
    def user(self) -> User:
        """Who calls."""
        if self._user is None:
            raise RuntimeError("the request is not authenticated")
        return self._user

    @user.setter
    def user(self, user: User) -> None:
        self._user = user

    @property
    def content_type(self) -> str:
        """The content type of the body, in lower case."""
        return self.headers.get("content-type", "").lower()

    @property
    def is_json(self) -> bool:
        """Whether the body calls itself JSON."""
        return "/json" in self.content_type or "+json" in self.content_type

    @property
    def expects_json(self) -> bool:
        """Whether errors go out as JSON: decided by the first media type of ``Accept``."""
        first = self.accept.split(",")[0].strip().lower()
        if "/json" in first or "+json" in first:
            return True
        xhr = self.headers.get("x-requested-with", "").lower() == "xmlhttprequest"
        return xhr and first.split(";")[0].strip() in {"", "*/*", "*"}

    def prefer_json(self) -> None:
        """Put JSON in front of an ``Accept`` that does not speak of it: the API's own guard does this."""
        if "/json" not in self.accept and "+json" not in self.accept:
            self.accept = f"{JSON_TYPE},{self.accept}"

    @cached_property
    def raw_json(self) -> Any:
        """The body as JSON, ``None`` where it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def _json(self) -> dict[str, Any]:
        value = self.raw_json
        if isinstance(value, list):
            return {str(index): item for index, item in enumerate(value)}
        return value if isinstance(value, dict) else {}

    def _form(self) -> dict[str, Any]:
        if self.method in {"GET", "HEAD"}:
            return {}
        return phpdata.parse_body(self.headers.get("content-type", ""), self.body)

    @cached_property
    def files(self) -> dict[str, multipart.Upload]:
        """The files of a form, by the names of their fields."""
        if not self.content_type.startswith("multipart/form-data"):
            return {}
        return multipart.parse(self.headers.get("content-type", ""), self.body)[1]

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The JSON body alone, rewritten: what ``$request->json()`` gives, empty for a form."""
        values = self._json()
        if not self.is_json:
            return values
        return rewriting.sanitize(rewriting.clean(values), self.exempt)

    @cached_property
    def body_input(self) -> dict[str, Any]:
        """The body, JSON or form, trimmed, empty texts as ``None``: what OAuth reads."""
        return rewriting.clean(self._json() if self.is_json else self._form())

    @cached_property
    def query(self) -> dict[str, Any]:
        """The query alone, rewritten: what ``$request->query()`` gives."""
        return rewriting.sanitize(rewriting.clean(phpdata.parse_query(self.query_string)), self.exempt)

    @cached_property
    def input(self) -> dict[str, Any]:
        """Query and body together, rewritten: what ``$request->input()`` gives."""
        return {**self.query, **rewriting.sanitize(self.body_input, self.exempt)}

    def text(self, name: str, default: str = "") -> str:
        """
        One parameter as text.

        :param name: its name.
        :param default: for an absent or empty one.
        """
        value = self.input.get(name)
        if value is None:
            return default
        if isinstance(value, (dict, list)):
            # "Array to string conversion" and its like: an uncaught PHP error.
            raise TypeError(f"{name} is no text")
        return phpdata.as_text(value)
