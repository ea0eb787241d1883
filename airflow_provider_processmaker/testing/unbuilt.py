"""
The lists whose contents are not built: empty, but with the right permission, shape and quirks.

What makes requests, tasks and files belongs to modules of its own, whose routes stand before these in the table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_processmaker.testing import lists
from airflow_provider_processmaker.testing.errors import not_found
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing.http import Request


def _plain(request: Request) -> Response:
    return lists.plain_list(request, [])


def _collection(request: Request) -> Response:
    return lists.collection_list(request, [])


def requests(request: Request) -> Response:
    """
    ``GET /requests``: ``total=true`` gives the number alone.

    :param request: the call.
    """
    if request.text("total") == "true":
        return Response.json({"meta": {"total": 0}})
    return lists.collection_list(request, [])


def tasks(request: Request) -> Response:
    """
    ``GET /tasks``: ``meta`` counts the overdue ones as well.

    :param request: the call.
    """
    return lists.plain_list(request, [], in_overdue=0)


def notifications(request: Request) -> Response:
    """
    ``GET /notifications``: Laravel's own shape.

    :param request: the call.
    """
    items, page = lists.paginate(request, [])
    path = f"{request.base_url}{request.path.rstrip('/')}"
    links = {"first": f"{path}?page=1", "last": f"{path}?page={page.last}", "prev": None, "next": None}
    return Response.json({"data": list(items), "links": links, "meta": lists.laravel_meta(page, 0, path)})


def missing_process(request: Request) -> Response:  # noqa: ARG001 - as all handlers
    """
    ``GET /processes/{process}``: a missing one is 204, not 404.

    :param request: the call.
    """
    return Response.nothing()


def missing(request: Request) -> Response:  # noqa: ARG001 - as all handlers
    """
    Anything by id: none of these is there.

    :param request: the call.
    """
    return not_found()


def _list(path: str, handler: Callable[[Request], Response], can: str | None = None) -> Route:
    return Route("GET", path, handler, can)


ROUTES = [
    _list("/requests", requests),
    _list("/tasks", tasks),
    _list("/processes", _collection, "view-processes"),
    _list("/start_processes", _collection),
    _list("/files", _plain, "view-files"),
    _list("/scripts", _plain, "view-scripts"),
    _list("/screens", _plain, "view-screens"),
    _list("/process_categories", _plain, "view-process-categories"),
    _list("/script_categories", _plain, "view-script-categories"),
    _list("/screen_categories", _plain, "view-screen-categories"),
    _list("/notifications", notifications),
    _list("/security-logs", _collection, "view-security-logs"),
    _list("/task_assignments", _plain, "view-task_assignments"),
    _list("/processes/{process}", missing_process, "view-processes"),
    *(
        Route(method, f"/{name}/{{missing}}", missing)
        for name in ("requests", "tasks", "files", "scripts", "screens")
        for method in ("GET", "PUT", "DELETE")
        if (name, method) != ("tasks", "DELETE")
    ),
]
