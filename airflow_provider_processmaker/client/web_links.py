"""Where a person looks at a request in the browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.client.errors import ProcessMakerError

if TYPE_CHECKING:
    from airflow_provider_processmaker.client.process_runs import ProcessRuns

__all__ = ["request_url", "serves_cases"]


def request_url(base_url: str, request_id: int, case_number: Any = None) -> str:
    """The page of a request, or of its case.

    :param base_url: address of the server.
    :param request_id: id of the request.
    :param case_number: number of its case, if the server has pages for cases.
    """
    return f"{base_url}/cases/{case_number}" if case_number else f"{base_url}/requests/{request_id}"


def serves_cases(api: ProcessRuns) -> bool | None:
    """Whether the server has pages for cases: since 4.12, as ``GET /api/1.1/cases/get_my_cases_counters`` shows.

    :param api: the client.
    :return: None if it cannot be told now.
    """
    try:
        api.get("/api/1.1/cases/get_my_cases_counters")
    except ProcessMakerError as error:
        return None if error.retryable else False
    return True
