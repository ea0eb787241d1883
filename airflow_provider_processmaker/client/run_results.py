"""What is told of a request that was started or waited for: its result in a few fields, or the error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.client.errors import (
    ProcessMakerError,
    RequestFailedError,
    RequestGoneError,
    WaitTimeoutError,
    error_from,
    quote,
)
from airflow_provider_processmaker.client.waiting import STATUSES

if TYPE_CHECKING:
    from airflow_provider_processmaker.client.process_runs import ProcessRuns
    from airflow_provider_processmaker.client.records import Record
    from airflow_provider_processmaker.client.waiting import Verdict

__all__ = ["error_of_run", "result_of", "verdict_error"]

_NEXT = {
    "ERROR": "Mend it and retry it in ProcessMaker.",
    "CANCELED": "Somebody canceled it in ProcessMaker, or a kill of its task did.",
}


def result_of(row: Record, url: str, *, data: bool = False) -> dict[str, Any]:
    """A request in the few fields that the next task needs.

    :param row: the request as the server tells it.
    :param url: its page.
    :param data: add its data, without the keys that begin with ``_``.
    """
    result = {
        "request_id": row["id"],
        "process_id": row.get("process_id"),
        "name": row.get("name"),
        "case_number": row.get("case_number"),
        "status": row["status"],
        "initiated_at": row.get("initiated_at"),
        "completed_at": row.get("completed_at"),
        "url": url,
    }
    if data:
        given = row.get("data")
        # An empty object comes back as [].
        shown = given.items() if isinstance(given, dict) else ()
        result["data"] = {key: value for key, value in shown if not str(key).startswith("_")}
    return result


def verdict_error(api: ProcessRuns, verdict: Verdict) -> ProcessMakerError:
    """The error for a wait that did not reach what was wanted (``GET /requests/{id}``).

    :param api: the client.
    :param verdict: how it ended.
    """
    if verdict.error is not None:
        return error_from(verdict.error)
    request_id = verdict.request_id
    if verdict.kind in {"gone", "hidden"} and request_id is not None:
        return _gone(api, verdict.kind, request_id)
    if verdict.kind == "timeout":
        return _timeout(api, verdict)
    if verdict.kind != "failed" or request_id is None:
        return ProcessMakerError(f"The wait ended in a way that this version does not know: {verdict.kind!r}.")
    row = _row(api, request_id)
    return error_of_run(row, verdict.statuses.get(request_id) or str(row.get("status")), api.link_of(row))


def _row(api: ProcessRuns, request_id: int) -> Record:
    """The request; what is known of it where the server does not tell it now."""
    try:
        return api.get_request(request_id)
    except ProcessMakerError:
        return {"id": request_id}


def _gone(api: ProcessRuns, kind: str, request_id: int) -> RequestGoneError:
    if kind == "gone":
        error = RequestGoneError(
            f"Request {request_id} is not there any more: it was deleted.", server=api.settings.base_url
        )
    else:
        error = RequestGoneError(
            f"Request {request_id} may no longer be seen by {api.settings.username or 'the user of the token'}.",
            server=api.settings.base_url,
            hint="Give him the right again, or take a connection of a user who has it.",
        )
    error.request_id = request_id
    return error


def _timeout(api: ProcessRuns, verdict: Verdict) -> WaitTimeoutError:
    waiting = {one: status for one, status in verdict.statuses.items() if status in {"ACTIVE", "ERROR"}}
    first = verdict.request_id or next(iter(waiting), None)
    out = f" ProcessMaker could not be asked at last: {verdict.why}" if verdict.why else ""
    if first is None or first not in waiting:
        return WaitTimeoutError(f"The time is up, and ProcessMaker has not told how the requests stand.{out}")
    others = f", and {len(waiting) - 1} more with it" if len(waiting) > 1 else ""
    error = WaitTimeoutError(
        f"The time is up: request {first} is still {waiting[first]}{others}.{out}",
        hint=api.link_of(_row(api, first)),
    )
    error.request_id = first
    return error


def error_of_run(row: Record, status: str, url: str) -> RequestFailedError:
    """The error for a request that came to another end than the wanted one.

    :param row: the request.
    :param status: the status that decided it.
    :param url: its page.
    """
    case = f", case {row['case_number']}" if row.get("case_number") else ""
    process = f' of the process "{row["name"]}"' if row.get("name") else ""
    what = f"Request {row.get('id')}{process}{case} is {status}"
    if status not in STATUSES:
        what = f"{what}, a status that this version does not know"
    found = _elements(row.get("errors")) if status == "ERROR" else []
    told = "; ".join(found[-3:])
    hint = _NEXT.get(status)
    error = RequestFailedError(f"{what}: {told}." if told else f"{what}.", hint=f"{hint} {url}" if hint else url)
    error.request_id = row.get("id")
    error.request_status = status
    return error


def _elements(errors: Any) -> list[str]:
    """The elements that failed, with their messages: a list of errors, or after a retry an object by element id."""
    entries = list(errors.values()) if isinstance(errors, dict) else errors
    shown = []
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict):
            continue
        element = f'element "{entry.get("element_name")}" ({entry.get("element_id")})'
        shown.append(f"{element}: {quote(str(entry.get('message') or 'no message')).rstrip('.')}")
    return list(dict.fromkeys(shown))
