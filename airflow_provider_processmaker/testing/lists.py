"""Lists: filter, order, pages and the ``meta`` of ProcessMaker, with the quirks of the paginator."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_processmaker.testing.http import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from airflow_provider_processmaker.testing.http import Request

_MODEL_PER_PAGE = 15
_ON_EACH_SIDE = 3

Row = dict[str, Any]
T = TypeVar("T")


class QueryError(ValueError):
    """What the database or the query builder refuses; the API answers 500."""


@dataclass(frozen=True)
class Page:
    """One page: which rows, and what ``meta`` says about it."""

    number: int
    per_page: int
    total: int
    start: int
    stop: int

    @property
    def last(self) -> int:
        """``last_page``: 1 even of an empty list."""
        return max(1, math.ceil(self.total / self.per_page))


def fold(value: Any) -> str:
    """
    The text as the collation compares it: without regard to case and accents.

    :param value: a column.
    """
    text = str(value).casefold()
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def like(pattern: str) -> Callable[[Any], bool]:
    r"""
    SQL's LIKE: ``%`` and ``_`` are wild unless a backslash stands before them.

    :param pattern: the pattern.
    """
    parts = []
    letters = iter(fold(pattern))
    for letter in letters:
        if letter == "\\":
            parts.append(re.escape(next(letters, "\\")))
        else:
            parts.append({"%": ".*", "_": "."}.get(letter, re.escape(letter)))
    compiled = re.compile("".join(parts), re.DOTALL)
    return lambda value: value is not None and compiled.fullmatch(fold(value)) is not None


def filtered(request: Request, rows: Iterable[Row], columns: Sequence[str]) -> list[Row]:
    """
    The rows in which one of the columns contains ``filter``.

    :param request: carries the filter.
    :param rows: all rows.
    :param columns: where to look.
    """
    wanted = request.text("filter")
    if wanted in {"", "0"}:
        # PHP's empty().
        return list(rows)
    matches = like(f"%{wanted}%")
    return [row for row in rows if any(matches(row.get(column)) for column in columns)]


def ordered(request: Request, rows: list[Row], default: str, columns: Iterable[str]) -> list[Row]:
    """
    Sort by ``order_by`` and ``order_direction``.

    :param request: carries both.
    :param rows: what to sort; rows that are equal keep their order.
    :param default: the column when none is named.
    :param columns: the columns there are; another one is an SQL error.
    """
    return ordered_rows(request, rows, default, columns, lambda row: row)


def ordered_rows(
    request: Request, rows: list[T], default: str, columns: Iterable[str], read: Callable[[T], Row]
) -> list[T]:
    """
    The same for rows of any kind.

    :param request: carries both.
    :param rows: what to sort; rows that are equal keep their order.
    :param default: the column when none is named.
    :param columns: the columns there are; another one is an SQL error.
    :param read: gives the columns of a row.
    """
    column = request.text("order_by") if "order_by" in request.input else default
    down = descending(request)
    name = column.rpartition(".")[2].lower()
    if name not in columns:
        raise QueryError(f"Unknown column {column!r}")
    if name == "id":
        # The common way to walk, so not slowed down by thoughts of null and accents.
        return sorted(rows, key=lambda row: int(read(row)["id"]), reverse=down)
    return sorted(rows, key=lambda row: sort_key(read(row).get(name)), reverse=down)


def descending(request: Request) -> bool:
    """
    Whether ``order_direction`` says so; another word than asc or desc is refused.

    :param request: carries it.
    """
    direction = request.text("order_direction") if "order_direction" in request.input else "asc"
    if direction.lower() not in {"asc", "desc"}:
        raise QueryError("Order direction must be asc or desc.")
    return direction.lower() == "desc"


def sort_key(value: Any) -> tuple[int, float, str]:
    """
    A value as the database sorts it: null first, texts without regard to case.

    :param value: a column.
    """
    if value is None:
        return (0, 0.0, "")
    if isinstance(value, (bool, int, float)):
        return (1, float(value), "")
    return (2, 0.0, fold(value))


def page_number(request: Request) -> int:
    """
    ``page``, 1 for all that is not a positive whole number.

    :param request: carries it.
    """
    value = request.input.get("page")
    if isinstance(value, (str, int)) and re.fullmatch(r"\+?[1-9]\d{0,17}", str(value)):
        return int(value)
    return 1


def _per_page(request: Request, default: int) -> int | None:
    if "per_page" not in request.input:
        return default
    value = request.input["per_page"]
    if value is None:
        return None
    if isinstance(value, bool) or not re.fullmatch(r"[+-]?\d+(\.0*)?", str(value)):
        raise QueryError("per_page is no number")
    return int(float(value))


def paginate(request: Request, rows: Sequence[Any], default: int = 10) -> tuple[Sequence[Any], Page]:
    """
    A page as the query builder cuts it.

    :param request: carries ``page`` and ``per_page``.
    :param rows: all rows.
    :param default: the page size when none is asked.
    """
    per_page = _per_page(request, default) or _MODEL_PER_PAGE
    if per_page < 0:
        # The builder drops a negative LIMIT but keeps the OFFSET: a syntax error in SQL.
        raise QueryError("OFFSET without LIMIT")
    number = page_number(request)
    start = (number - 1) * per_page
    items = rows[start : start + per_page]
    return items, Page(number, per_page, len(rows), start, start + len(items))


def paginate_collection(request: Request, rows: Sequence[Any], default: int = 10) -> tuple[Sequence[Any], Page]:
    """
    A page as it is cut out of rows that are loaded already: *not* cut at all if they fit on one page.

    :param request: carries ``page`` and ``per_page``.
    :param rows: all rows.
    :param default: the page size when none is asked.
    """
    per_page = _per_page(request, default)
    if not per_page:
        raise QueryError("Division by zero")
    number = page_number(request)
    start = (number - 1) * per_page
    items = rows[start : start + per_page] if len(rows) > per_page else rows
    return items, Page(number, per_page, len(rows), start, start + len(items))


def meta(request: Request, page: Page, count: int, path: str, **more: Any) -> Row:
    """
    The ``meta`` of a list.

    :param request: its filter and order are echoed.
    :param page: the page.
    :param count: rows on it.
    :param path: start of the links.
    :param more: what a resource adds.
    """
    return {
        "filter": escape(request.text("filter")).replace("&#x27;", "&#039;"),
        "sort_by": request.input.get("order_by", ""),
        "sort_order": request.input.get("order_direction", ""),
        "count": count,
        "total_pages": math.ceil(page.total / page.per_page),
        **more,
        **laravel_meta(page, count, path),
    }


def laravel_meta(page: Page, count: int, path: str) -> Row:
    """
    The part of ``meta`` that Laravel itself writes.

    :param page: the page.
    :param count: rows on it.
    :param path: start of the links.
    """
    return {
        "current_page": page.number,
        "from": page.start + 1 if count else None,
        "last_page": page.last,
        "links": _links(page, path),
        "path": path,
        "per_page": page.per_page,
        "to": page.start + count if count else None,
        "total": page.total,
    }


def _links(page: Page, path: str) -> list[Row]:
    def link(number: int | None, label: str, *, active: bool = False) -> Row:
        url = None if number is None else f"{path}?page={number}"
        return {"url": url, "label": label, "active": active}

    links = [link(page.number - 1 if page.number > 1 else None, "&laquo; Previous")]
    for number in _window(page.number, page.last):
        if number is None:
            links.append(link(None, "..."))
        else:
            links.append(link(number, str(number), active=number == page.number))
    return [*links, link(page.number + 1 if page.number < page.last else None, "Next &raquo;")]


def _window(current: int, last: int) -> list[int | None]:
    if last < _ON_EACH_SIDE * 2 + 8:
        return list(range(1, last + 1))
    near = _ON_EACH_SIDE + 4
    if current <= near:
        return [*range(1, near + _ON_EACH_SIDE + 1), None, last - 1, last]
    if current > last - near:
        return [1, 2, None, *range(last - (near + _ON_EACH_SIDE - 1), last + 1)]
    return [1, 2, None, *range(current - _ON_EACH_SIDE, current + _ON_EACH_SIDE + 1), None, last - 1, last]


def _as_it_is(row: Any) -> Row:
    return dict(row)


def plain_list(
    request: Request,
    rows: list[T],
    show: Callable[[T], Row] = _as_it_is,
    *,
    per_page: int = 10,
    **more: Any,
) -> Response:
    """
    The answer of a list that the database cuts; its links carry the whole URL.

    :param request: carries the page.
    :param rows: all rows, in order.
    :param show: makes what is shown of a row; called only for those on the page.
    :param per_page: the page size when none is asked.
    :param more: additions to ``meta``.
    """
    items, page = paginate(request, rows, per_page)
    path = f"{request.base_url}{request.path.rstrip('/')}"
    data = [show(item) for item in items]
    return Response.json({"data": data, "meta": meta(request, page, len(data), path, **more)})


def collection_list(request: Request, rows: list[Row], **more: Any) -> Response:
    """
    The answer of a list that is cut after loading; its links know no URL.

    :param request: carries the page.
    :param rows: all rows, in order.
    :param more: additions to ``meta``.
    """
    items, page = paginate_collection(request, rows)
    return Response.json({"data": list(items), "meta": meta(request, page, len(items), "/", **more)})


def query_list(request: Request, rows: list[Any], show: Callable[[Any], Row]) -> Response:
    """
    The answer of a list that the database cuts, but whose links know no URL.

    :param request: carries the page.
    :param rows: all rows, in order.
    :param show: makes what is shown of a row; called only for those on the page.
    """
    if not _per_page(request, 10):
        raise QueryError("Division by zero")
    items, page = paginate(request, rows)
    data = [show(item) for item in items]
    return Response.json({"data": data, "meta": meta(request, page, len(data), "/")})
