"""The operators, each in a DAG run of a real Airflow against the stand-in server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.dag_runs import Outcome

    RunDag = Callable[..., Outcome]

pytestmark = pytest.mark.airflow


def calls(server: Any, path: str) -> list[Any]:
    """The calls of a path below the API's root."""
    return [call for call in server.calls if call.path == f"/api/1.0/{path}"]


def test_list_users(server: Any, run_dag: RunDag) -> None:
    outcome = run_dag("ProcessMakerListUsersOperator(task_id='users')")

    users = outcome.results["users"]
    assert outcome.state == "success"
    assert len(users) == 504  # 500, and admin, bob, ina and blo
    assert [user["id"] for user in users] == sorted({user["id"] for user in users})
    assert all("username" in user and "remember_token" not in user for user in users)
    assert type(users[0]) is dict


def test_list_users_takes_status_filter_and_fields_from_templates(server: Any, run_dag: RunDag) -> None:
    outcome = run_dag(
        """
        ProcessMakerListUsersOperator(
            task_id="users",
            status="{{ params.status }}",
            filter="{{ params.text }}",
            exclude_ids=[3, "{{ 2 + 2 }}"],
            fields=["username", "{{ 'status' }}"],
        )
        """,
        "params={'status': 'INACTIVE', 'text': 'example.com'}",
    )

    users = outcome.results["users"]
    assert users
    assert {tuple(user) for user in users} == {("username", "status")}
    assert {user["status"] for user in users} == {"INACTIVE"}
    assert "ina" not in {user["username"] for user in users}  # she is number 4
    assert outcome.rendered["users"]["filter"] == "example.com"


def test_list_operator_maps_over_resources(server: Any, run_dag: RunDag) -> None:
    outcome = run_dag(
        """
        ProcessMakerListOperator.partial(task_id="names", fields=["id"]).expand(
            resource=["groups", "environment_variables"]
        )
        """
    )

    assert outcome.state == "success"
    assert set(outcome.results["names", 0][0]) == {"id"}
    assert len(calls(server, "groups")) == 1
    assert len(calls(server, "environment_variables")) == 1


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ("ProcessMakerListOperator(task_id='t', resource='user')", 'Did you mean "users"?'),
        ("ProcessMakerListOperator(task_id='t', resource='users', query={'statsu': 1})", 'Did you mean "status"?'),
        ("ProcessMakerListOperator(task_id='t', resource='users', query=['status'])", "query must be a dict, not list"),
        ("ProcessMakerListOperator(task_id='t', resource='users', query={'fields': []})", "argument of the operator"),
        ("ProcessMakerListOperator(task_id='t', resource='users', fields='id')", "fields must be a list"),
        ("ProcessMakerApiOperator(task_id='t', endpoint='users?a=b')", "query string"),
        ("ProcessMakerApiOperator(task_id='t', endpoint='../oauth/token')", "leaves the API"),
        ("ProcessMakerApiOperator(task_id='t', endpoint='https://elsewhere.example.com/api/1.0/users')", "elsewhere"),
        ("ProcessMakerApiOperator(task_id='t', endpoint='users', method='GETT')", 'Did you mean "GET"?'),
        ("ProcessMakerApiOperator(task_id='t', endpoint='users', method='POST', json={'a': {1, 2}})", "is a set"),
        ("ProcessMakerListUsersOperator(task_id='t', processmaker_conn_id='nosuch')", "nosuch"),
        ("ProcessMakerListUsersOperator(task_id='t', status='GONE')", "knows no status 'GONE'"),
        ("ProcessMakerListUsersOperator(task_id='t', status=['ACTIVE', 'BLOCKED'])", "knows no status ['ACTIVE'"),
        ("ProcessMakerListUsersOperator(task_id='t', exclude_ids='three')", "whole numbers, not 'three'"),
        ("ProcessMakerListUsersOperator(task_id='t', max_records=None)", "max_records must be a whole number"),
        ("ProcessMakerListUsersOperator(task_id='t', count_only=True, fields=['id'])", "one of the two"),
        (
            "ProcessMakerListOperator(task_id='t', resource='users', query={'look_ahead': 2})",
            "a field of the connection",
        ),
        ("ProcessMakerApiOperator(task_id='t', endpoint='users', response_filter='x')", "must be a function, not str"),
        (
            "ProcessMakerApiOperator(task_id='t', endpoint='users', max_bytes='many')",
            "max_bytes must be a whole number",
        ),
        (
            "ProcessMakerApiOperator(task_id='t', endpoint='groups', method='POST', json='{}')",
            "render_template_as_native",
        ),
    ],
)
def test_bad_input_fails_at_once_and_sends_nothing(server: Any, run_dag: RunDag, task: str, words: str) -> None:
    outcome = run_dag(task.replace("task_id='t'", "task_id='t', retries=0"))

    assert outcome.states["t"] == "failed"
    assert words in str(outcome.errors[0])
    assert server.calls == []


def test_count_only_asks_for_one_row(server: Any, run_dag: RunDag) -> None:
    outcome = run_dag(
        """
        ProcessMakerListUsersOperator(task_id="users", count_only=True, max_records=1)
        ProcessMakerListOperator(task_id="inactive", resource="users", query={"status": "INACTIVE"}, count_only=True)
        """
    )

    assert outcome.results == {"users": 504, "inactive": 39}
    assert all("per_page=1" in call.query for call in calls(server, "users"))


def test_ids_from_a_template(server: Any, run_dag: RunDag) -> None:
    outcome = run_dag(
        """
        ProcessMakerListUsersOperator(task_id="a", filter="user000", exclude_ids="{{ [6, 7] }}", fields=["id"])
        ProcessMakerListUsersOperator(task_id="b", filter="user000", exclude_ids="6,7", fields=["id"])
        """
    )

    assert outcome.results["a"] == outcome.results["b"]
    assert [user["id"] for user in outcome.results["a"]] == [8, 9, 10, 11, 12, 13, 14]


def test_errors_name_connection_server_and_user(server: Any, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PM_BOB", server.connection_uri("bob", "Bob-pass1!"))
    outcome = run_dag("ProcessMakerListUsersOperator(task_id='t', processmaker_conn_id='pm_bob')")

    text = str(outcome.errors[0])
    assert 'The user "bob" lacks the permission.' in text
    assert f"GET /api/1.0/users at {server.url} answered 403" in text
    assert "[connection pm_bob]" in text

    server.stop()
    outcome = run_dag("ProcessMakerListUsersOperator(task_id='t', processmaker_conn_id='pm_bob')")
    assert f"at {server.url}" in str(outcome.errors[0])
    assert "[connection pm_bob]" in str(outcome.errors[0])


def test_list_users_maps_over_statuses(server: Any, run_dag: RunDag) -> None:
    outcome = run_dag(
        """
        ProcessMakerListUsersOperator.partial(task_id="users", fields=["status"]).expand(
            status=["INACTIVE", "BLOCKED"]
        )
        """
    )

    assert len(outcome.results["users", 0]) == 39
    assert outcome.results["users", 1] == [{"status": "BLOCKED"}]


def test_the_query_of_a_list_is_a_template(server: Any, run_dag: RunDag) -> None:
    outcome = run_dag(
        """
        ProcessMakerListOperator(
            task_id="t", resource="users", query={"filter": "{{ params.who }}", "status": "{{ 'ACTIVE' }}"},
            fields=["username"],
        )
        """,
        "params={'who': 'bob'}",
    )

    assert outcome.results["t"] == [{"username": "bob"}]
    assert outcome.rendered["t"]["query"] == {"filter": "bob", "status": "ACTIVE"}


@pytest.mark.parametrize(
    ("limits", "words"),
    [("max_records=100", "more than 100 records"), ("max_bytes=2000", "larger than 2,000 bytes")],
)
def test_a_list_too_large_for_an_xcom_is_an_error_that_tells_the_way_out(
    server: Any, run_dag: RunDag, limits: str, words: str
) -> None:
    outcome = run_dag(f"ProcessMakerListUsersOperator(task_id='t', retries=3, {limits})")

    assert (outcome.states["t"], outcome.tries["t"]) == ("failed", 1)
    assert words in str(outcome.errors[0])
    assert "iter_records" in str(outcome.errors[0])
    assert outcome.results["t"] is None


def test_an_answer_too_large_for_an_xcom_is_an_error(server: Any, run_dag: RunDag) -> None:
    outcome = run_dag("ProcessMakerApiOperator(task_id='t', endpoint='users', max_bytes=100)")

    assert outcome.states["t"] == "failed"
    assert "response_filter" in str(outcome.errors[0])


def test_api_operator_writes_and_reads_with_nested_templates(server: Any, run_dag: RunDag) -> None:
    outcome = run_dag(
        """
        made = ProcessMakerApiOperator(
            task_id="made",
            method="post",
            endpoint="groups",
            json={"name": "{{ params.name }}", "status": "ACTIVE", "description": "{{ 'nested ' ~ 1 }}"},
            response_filter=lambda group: group["id"],
        )
        read = ProcessMakerApiOperator(task_id="read", endpoint="groups/{{ ti.xcom_pull(task_ids='made') }}")
        listed = ProcessMakerApiOperator(
            task_id="listed",
            endpoint="/api/1.0/groups",
            query={"filter": "{{ params.name }}", "per_page": 1},
            response_filter=lambda page: page["meta"]["total"],
        )
        gone = ProcessMakerApiOperator(
            task_id="gone", method="DELETE", endpoint="groups/{{ ti.xcom_pull(task_ids='made') }}"
        )
        made >> read >> listed >> gone
        """,
        "params={'name': 'Made By A Dag'}",
    )

    assert outcome.state == "success"
    assert outcome.results["read"]["name"] == "Made By A Dag"
    assert outcome.results["read"]["description"] == "nested 1"
    assert outcome.results["listed"] == 1
    assert outcome.results["gone"] is None


def test_params_of_the_task_are_sent_those_of_the_dag_are_not(server: Any, run_dag: RunDag) -> None:
    outcome = run_dag(
        """
        ProcessMakerApiOperator(
            task_id="one", endpoint="users", params={"filter": "{{ params.who }}"},
            response_filter=lambda page: [user["username"] for user in page["data"]],
        )
        ProcessMakerApiOperator.partial(
            task_id="many", endpoint="users", response_filter=lambda page: page["meta"]["total"]
        ).expand(params=[{"filter": "bob"}, {"filter": "nobody-at-all"}])
        """,
        "params={'who': 'bob'}",
    )

    assert outcome.results["one"] == ["bob"]
    assert [outcome.results["many", index] for index in (0, 1)] == [1, 0]
    assert all("who" not in (call.query or "") for call in server.calls)


def test_params_of_the_task_are_its_own_also_where_the_dag_has_the_same(server: Any, run_dag: RunDag) -> None:
    """Airflow merges both before it calls a constructor; which was whose cannot be told by the values."""
    count = "response_filter=lambda page: page['meta']['total']"
    outcome = run_dag(
        f"""
        ProcessMakerApiOperator(task_id="none", endpoint="users", {count})
        ProcessMakerApiOperator(task_id="same", endpoint="users", params={{"status": "INACTIVE"}}, {count})
        ProcessMakerApiOperator(task_id="other", endpoint="users", params={{"status": "BLOCKED"}}, {count})
        ProcessMakerApiOperator.partial(task_id="partial", params={{"status": "INACTIVE"}}, {count}).expand(
            endpoint=["users"]
        )
        ProcessMakerApiOperator.partial(task_id="mapped", endpoint="users", params={{"page": 1}}, {count}).expand(
            params=[{{"status": "INACTIVE"}}, {{"filter": "bob"}}]
        )
        """,
        "params={'status': 'INACTIVE'}",
    )

    assert outcome.results == {
        "none": 504,
        "same": 39,
        "other": 1,
        ("partial", 0): 39,
        ("mapped", 0): 39,
        ("mapped", 1): 1,
    }
    assert [call.query for call in calls(server, "users")].count("page=1&status=INACTIVE") == 1


def test_params_of_a_mapped_task_in_airflow_2() -> None:
    """It hands the instance all params of the run, its own and the DAG's, as plain ones."""
    from airflow.sdk import DAG

    from airflow_provider_processmaker.operators.own_params import own_names_of_mapped

    dag = DAG("any", schedule=None, params={"who": "bob", "status": "INACTIVE"})
    merged = {"who": "bob", "status": "BLOCKED", "page": 1}
    assert own_names_of_mapped(merged, dag) == {"status", "page"}
    assert own_names_of_mapped(merged, None) == {"who", "status", "page"}
    assert own_names_of_mapped(None, dag) == frozenset()


def test_constructing_operators_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No connection, no validation, no call: a DAG file is parsed all the time."""
    import socket

    from airflow_provider_processmaker.operators.api import ProcessMakerApiOperator
    from airflow_provider_processmaker.operators.records import ProcessMakerListOperator, ProcessMakerListUsersOperator

    def no_socket(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a constructor opened a socket")

    monkeypatch.setattr(socket, "socket", no_socket)
    nonsense: Any = object()
    api = ProcessMakerApiOperator(
        task_id="a", endpoint=nonsense, method=nonsense, query=nonsense, processmaker_conn_id="nosuch"
    )
    records = ProcessMakerListOperator(task_id="r", resource=nonsense, query=nonsense, fields=nonsense)

    users = ProcessMakerListUsersOperator(
        task_id="u", status=nonsense, filter=nonsense, exclude_ids=nonsense, max_records=nonsense, max_bytes=nonsense
    )

    assert api.endpoint is nonsense
    assert records.query is nonsense
    assert (users.status, users.filter, users.exclude_ids, users.max_records) == (nonsense,) * 4
    with pytest.raises(TypeError):
        ProcessMakerListOperator("users")  # type: ignore[misc]
