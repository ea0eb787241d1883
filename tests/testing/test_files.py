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


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.txt", "héllo".encode(), "text/plain; charset=UTF-8"),
        ("a b.pdf", b"%PDF-1.7 \x00\xff", "application/pdf"),
        ("a.bin", b"\xff\x00\r\n--x\r\n\x01" * 1000, "application/octet-stream"),
        ("ünï.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 20, "image/png"),
        ("big.bin", b"\x01\x02" * 3_000_000, "application/octet-stream"),
    ],
)
def test_what_goes_in_comes_out(api: Api, path: str, name: str, content: bytes, kind: str) -> None:
    number = upload(api, path, name, content).json()["fileUploadId"]
    answer = api.get(f"{path}/{number}")
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (200, content, kind)
    assert api.get(f"/files/{number}/contents").content == content
    row = api.get(f"/files/{number}").json()
    assert (row["size"], row["file_name"]) == (len(content), name.replace(" ", "-"))


def test_ranges(api: Api, path: str) -> None:
    number = upload(api, path, "a.txt", b"0123456789").json()["fileUploadId"]
    for asked, status, content in (
        ("bytes=2-4", 206, b"234"),
        ("bytes=7-", 206, b"789"),
        ("bytes=-2", 206, b"89"),
        ("bytes=20-", 416, b""),
        ("lines=1", 200, b"0123456789"),
    ):
        answer = api.get(f"{path}/{number}", headers={"Range": asked})
        assert (answer.status_code, answer.content) == (status, content)


def test_replacing(api: Api, path: str) -> None:
    for name, fields in (("a", {}), ("b", {}), ("c", {"multiple": "1"})):
        upload(api, path, f"{name}.txt", name.encode(), data_name="doc", **fields)
    names = [row["file_name"] for row in api.get(path).json()["data"]]
    assert names == ["b.txt", "c.txt"]
    assert len(api.get(f"{path}?name=doc").json()["data"]) == 2
    assert api.get(f"{path}?name=nosuch").json() == {"data": []}


def test_limits_come_before_all_else(api: Api, path: str) -> None:
    too_big = {"message": "The file is too large. Maximum allowed size is 10M"}
    answer = upload(api, path, "a.bin", b"x" * (10 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.json()) == (422, too_big)
    answer = upload(api, path, "a.bin", b"x", totalSize=str(11 * 1024 * 1024))
    assert (answer.status_code, answer.json()) == (422, too_big)
    api.use("nobody")
    image = {"file": ("a.png", b"x" * (5 * 1024 * 1024 + 1), "image/png")}
    assert api.call("POST", path, files=image).status_code == 422
    assert upload(api, path, "a.bin", b"x").status_code == 401


def test_files_of_a_subprocess_belong_to_the_case(api: Api) -> None:
    server = api.server
    server.add_example_processes()
    parent = server.start_request(16)
    child = server.requests[-1]
    number = upload(api, f"/requests/{child.id}/files", "a.txt", b"a").json()["fileUploadId"]
    assert api.get(f"/files/{number}").json()["model_id"] == parent.id
    assert api.get(f"/requests/{parent.id}/files/{number}").content == b"a"
    server.delete_request(parent.id)
    assert api.get("/files").json()["data"] == []


def test_chunks(api: Api, path: str) -> None:
    fields = {"chunk": "true", "resumableTotalChunks": "3", "resumableIdentifier": "x", "resumableFilename": "all.txt"}
    for number, (content, done) in enumerate(((b"a", 34), (b"b", 67)), 1):
        answer = upload(api, path, "blob", content, **fields, resumableChunkNumber=str(number))
        assert answer.json() == {"done": done}
    number = upload(api, path, "blob", b"c", **fields, resumableChunkNumber="3").json()["fileUploadId"]
    assert api.get(f"{path}/{number}").content == b"abc"


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
