"""What goes into a call: method, URL, query, JSON body; checked before anything is sent.

Standard library only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote

from airflow_provider_processmaker.client.errors import InvalidInputError
from airflow_provider_processmaker.client.suggest import did_you_mean

__all__ = ["encode_json", "encode_params", "endpoint_url", "http_method"]

METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


def http_method(method: str) -> str:
    """A method in capitals.

    :param method: its name.
    :raises InvalidInputError: if the API knows none of that name.
    """
    name = method.strip().upper() if isinstance(method, str) else ""
    if name not in METHODS:
        raise InvalidInputError(f"There is no method {method!r}.", hint=did_you_mean(str(method), METHODS))
    return name


def endpoint_url(base_url: str, endpoint: str) -> str:
    """The URL of an endpoint.

    :param base_url: address of the server.
    :param endpoint: ``users/1``, ``/users/1`` or ``/api/1.0/users/1``; another version such as
        ``/api/1.1/tasks`` too; or a full URL on this very server.
    :raises InvalidInputError: for another server, a query string, or a path that leaves the API.
    """
    if not isinstance(endpoint, str) or not endpoint.strip(" /"):
        raise InvalidInputError(f"The endpoint must be a path such as users/1, not {endpoint!r}.")
    path = _on_this_server(base_url, endpoint.strip())
    if "?" in path or "#" in path:
        raise InvalidInputError(
            f"The endpoint {endpoint!r} has a query string or a fragment.", hint="Give the query as query parameters."
        )
    if any(part in {".", ".."} for part in unquote(path).split("/")) or "\\" in unquote(path):
        raise InvalidInputError(f"The endpoint {endpoint!r} leaves the API.", hint='Write the path without "..".')
    if re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", unquote(path)):
        raise InvalidInputError(f"The endpoint {endpoint!r} has a control character in it.")
    path = path.strip("/")
    if not re.match(r"api/\d+\.\d+(/|$)", path):
        path = f"api/1.0/{path}"
    return f"{base_url}/{quote(path, safe='/%:@!$&()*+,;=~-._' + chr(39))}"


def _on_this_server(base_url: str, endpoint: str) -> str:
    if "://" not in endpoint.partition("?")[0] and not endpoint.startswith("//"):
        return endpoint
    if endpoint[: len(base_url)].lower() == base_url.lower() and endpoint[len(base_url) :][:1] == "/":
        return endpoint[len(base_url) :]
    other = re.match(r"[^/]*//(?:[^/@]*@)?([\w.:-]*)", endpoint)
    raise InvalidInputError(
        f"The endpoint is a URL on {(other and other.group(1)) or 'another server'}, "
        f"and the connection is to {base_url}.",
        hint="Give the path alone, such as users/1.",
    )


def encode_params(params: Mapping[str, Any] | None) -> dict[str, str]:
    """Query parameters as texts: booleans as PHP reads them, lists with commas, None left out.

    :param params: names and values.
    :raises InvalidInputError: if it is no mapping, or a value cannot stand in a URL.
    """
    if params is None:
        return {}
    if not isinstance(params, Mapping):
        raise InvalidInputError(f"params must be a dict, not {type(params).__name__}.")
    return {str(key): _param(str(key), value) for key, value in params.items() if value is not None}


def _param(key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        try:
            return str(value)
        except ValueError:  # Python writes no number of more than 4,300 digits
            raise InvalidInputError(f'The parameter "{key}" is a number too long for a URL.') from None
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(_param(key, item) for item in value)
    if isinstance(value, dict):
        return encode_json(value, what=f"params[{key!r}]").decode()
    raise InvalidInputError(f'The parameter "{key}" cannot be a {type(value).__name__}.')


def encode_json(value: Any, *, what: str = "json") -> bytes:
    """A JSON body.

    :param value: what to encode.
    :param what: its name in an error.
    :raises InvalidInputError: if it cannot be JSON; names the place.
    """
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        place = _first_bad(value, what)
        raise InvalidInputError(
            f"The body cannot be encoded as JSON: {place or error}.",
            hint="Dates go as texts (isoformat), decimals as numbers or texts."
            if place and " is a " in place
            else None,
        ) from None


def _first_bad(value: Any, place: str, depth: int = 0) -> str | None:
    """The place of the first value that JSON cannot hold, such as ``json['when'] is a datetime``."""
    if depth > 50:
        return f"{place} is nested too deeply"
    if isinstance(value, dict):
        bad = next((key for key in value if not isinstance(key, str | int | float | bool | None)), None)
        if bad is not None:
            return f"{place} has a key that is a {type(bad).__name__}"
        children = ((item, f"{place}[{key!r}]") for key, item in value.items())
    elif isinstance(value, list | tuple):
        children = ((item, f"{place}[{index}]") for index, item in enumerate(value))
    elif isinstance(value, float) and (value != value or abs(value) == float("inf")):  # noqa: PLR0124
        return f"{place} is {value}"
    elif isinstance(value, str):
        return None if _encodable(value) else f"{place} holds half of a surrogate pair"
    elif value is None or isinstance(value, int | float):
        return None
    else:
        return f"{place} is a {type(value).__name__}"
    return next((found for item, where in children if (found := _first_bad(item, where, depth + 1))), None)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
