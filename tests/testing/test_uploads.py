"""Which uploads take the place of others, and which are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import requests

    from .conftest import Api


@pytest.fixture
def path(api: Api) -> str:
    """The files of a request."""
    api.server.add_process("Ask")
    return f"/requests/{api.server.start_request('Ask').id}/files"


def upload(api: Api, path: str, name: str, content: bytes, **fields: Any) -> requests.Response:
    return api.call("POST", path, files={"file": (name, content)}, data=fields)


def test_a_script_in_a_pdf_is_refused(api: Api, path: str) -> None:
    content = b"%PDF-1.7 << /S /JavaScript /JS (app.alert(1)) >>"
    refused = upload(api, path, "a.pdf", content)
    # A bare list, and only the name in lower case is looked at.
    assert (refused.status_code, refused.json()) == (422, ["Dangerous PDF file content"])
    assert upload(api, path, "a.PDF", content).status_code == 200
    assert upload(api, path, "a.txt", content).status_code == 200
    assert upload(api, path, "b.pdf", b"%PDF-1.7").status_code == 200
    assert len(api.get(path).json()["data"]) == 3


def test_files_in_rows_of_a_form_do_not_replace_one_another(api: Api, path: str) -> None:
    for row in ("1", "2", "2"):
        assert upload(api, path, "a.txt", b"x", data_name="doc", parent="7", row_id=row).status_code == 200
    rows = [
        (one["custom_properties"]["row_id"], one["custom_properties"]["parent"]) for one in api.get(path).json()["data"]
    ]
    assert rows == [("1", 7), ("2", 7)]


def test_who_made_a_file_stays_its_maker(api: Api, path: str) -> None:
    upload(api, path, "a.txt", b"x", data_name="doc")
    admin = api.server.user("admin").id
    api.server.add_user("ann", "Ann-pass1!", is_administrator=True)
    api.login("ann")
    upload(api, path, "b.txt", b"y", data_name="doc")
    [row] = api.get(path).json()["data"]
    assert (row["name"], row["custom_properties"]["createdBy"]) == ("b", admin)
    assert row["custom_properties"]["updatedBy"] != admin
