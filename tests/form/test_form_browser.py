"""The connection's form as a person uses it: a real Airflow, a real browser, a real login at the end.

``PROCESSMAKER_TEST_BROWSER=1 uv run --group browser pytest tests/form/test_form_browser.py``, with Debian's packages
``chromium`` and ``chromium-driver``. Pictures of what it saw lie in pytest's temporary folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.connection import CONNECTION_TYPE, FIELDS, HIDDEN_STANDARD_FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_processmaker.testing import ProcessMakerServer

pytestmark = [
    pytest.mark.browser,
    pytest.mark.airflow,
    pytest.mark.skipif(
        not os.environ.get("PROCESSMAKER_TEST_BROWSER"),
        reason="needs chromium and chromium-driver: install them and set PROCESSMAKER_TEST_BROWSER=1",
    ),
]
PATIENCE = 30
EXTRA_FIELDS = {field.name: field for field in FIELDS if not field.standard}
CHROMIUM_OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--window-size=1300,1800",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip


@pytest.fixture(scope="module")
def airflow_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A whole Airflow: with the Test button of 3.3 a worker may be the one who tries the connection."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    port, *log_ports = free_ports(3)
    url = f"http://localhost:{port}"
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # it starts more of itself by name
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_ports[0]),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(log_ports[1]),
    }
    with (home / "standalone.log").open("wb") as log:
        command = [sys.executable, "-m", "airflow", "standalone"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        wait(lambda: answers(f"{url}/api/v2/monitor/health", process, home), seconds=180)
        yield url
    finally:
        # Its parent alone would leave the API server behind.
        stop_group(process)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Chromium without a window."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    for option in (*CHROMIUM_OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(option)
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    assert chromium, "no chromium: apt-get install chromium"
    assert driver, "no chromedriver: apt-get install chromium-driver"
    options.binary_location = chromium
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield chrome
    chrome.quit()


@pytest.fixture
def form(airflow_url: str, browser: Any) -> Any:
    """The dialog for a new connection, with our type chosen."""
    browser.get(f"{airflow_url}/connections")
    button(browser, "Add Connection").click()
    dialog = found(lambda: browser.find_element("css selector", "[role=dialog]"))
    kind = found(lambda: dialog.find_element("css selector", "input[role=combobox]"))
    kind.send_keys("ProcessMaker")
    wait(lambda: "ProcessMaker" in browser.find_element("css selector", "[role=option]").text)
    kind.send_keys("\ue007")  # Enter
    found(lambda: dialog.find_element("name", "element_client_id"))
    return dialog


def test_every_field_is_there_as_it_should_be(form: Any, browser: Any, tmp_path: Path) -> None:
    for section in ("Standard Fields", "Extra Fields"):
        opened(form, section)
        browser.save_screenshot(str(tmp_path / f"{section.replace(' ', '-')}.png"))

    inputs = {element.get_attribute("name"): element for element in form.find_elements("css selector", "[name]")}
    for field in FIELDS:
        element = inputs[field.name if field.standard else f"element_{field.name}"]
        group = element.find_element("xpath", "ancestor::*[@role='group' and @data-scope='field'][1]")
        # Hidden sections have no visible text, but the words are there.
        assert group.find_element("tag name", "label").get_attribute("textContent").strip() == field.label
        if field.kind == "boolean":
            assert (element.get_attribute("type"), element.is_selected()) == ("checkbox", field.default), field.name
        else:
            shown = {"password"} if field.secret else {"text", "", None}
            assert element.get_attribute("type") in shown, field.name
            assert element.get_attribute("value") == ("" if field.default is None else f"{field.default}"), field.name
        if field.standard:
            assert element.get_attribute("placeholder") == field.placeholder
        else:
            help_text = group.find_element("css selector", "[data-part=helper-text]")
            assert help_text.get_attribute("textContent") == field.help
    assert not inputs.keys() & set(HIDDEN_STANDARD_FIELDS)
    extra = [name.removeprefix("element_") for name in inputs if name.startswith("element_")]
    assert extra == list(EXTRA_FIELDS)


@pytest.mark.parametrize(("password", "answer"), [("admin123", "Connected to"), ("wrong", "refuses the user name")])
def test_a_saved_connection_is_tried_by_its_button(
    password: str, answer: str, form: Any, browser: Any, processmaker_server: ProcessMakerServer, tmp_path: Path
) -> None:
    name = f"pm_{password}"
    filled = {
        "connection_id": name,
        "host": processmaker_server.url,
        "login": "admin",
        "password": password,
        # Without it the button fails in Airflow 3.3.1 and 3.3.2, for every type of connection: the page sends port 0
        # for none, and the server takes that for another destination (Airflow's pull request 73298 mends it).
        "port": str(processmaker_server.port),
        "element_client_id": processmaker_server.client_id,
        "element_client_secret": processmaker_server.client_secret,
    }
    for section, part in (("Standard Fields", 5), ("Extra Fields", 7)):
        opened(form, section)
        for key in list(filled)[:part]:
            element = form.find_element("name", key)
            if not element.get_attribute("value"):
                found(lambda element=element: element if element.is_displayed() else None).send_keys(filled[key])
    found(lambda: enabled(button(form, "Save"))).click()

    row = found(lambda: browser.find_element("xpath", f"//tr[.//*[normalize-space()='{name}']]"))
    assert CONNECTION_TYPE in row.text
    found(lambda: row.find_element("css selector", "button[aria-label='Test Connection']")).click()
    wait(lambda: answer in browser.find_element("tag name", "body").text)
    browser.save_screenshot(str(tmp_path / "tested.png"))
    assert processmaker_server.client_secret not in browser.find_element("tag name", "body").text
    calls = [(call.method, call.path, call.status) for call in processmaker_server.calls]
    wanted = [("POST", "/oauth/token", 200), ("GET", "/api/1.0/users/1", 200)]
    assert calls == (wanted if password == "admin123" else [("POST", "/oauth/token", 400)])


def opened(form: Any, section: str) -> None:
    """Unfold one section of the form; the others fold."""
    trigger = button(form, section)
    if trigger.get_attribute("aria-expanded") != "true":
        trigger.click()
    wait(lambda: trigger.get_attribute("aria-expanded") == "true")
    time.sleep(0.5)  # it slides


def button(where: Any, text: str) -> Any:
    """The button with exactly this text."""
    return found(lambda: where.find_element("xpath", f".//button[normalize-space()='{text}']"))


def enabled(element: Any) -> Any:
    return element if element.is_enabled() else None


def found(look: Callable[[], Any]) -> Any:
    """What ``look`` finds, once it does; the page is drawn bit by bit."""
    results: list[Any] = []

    def looked() -> bool:
        results.append(look())
        return results[-1] is not None

    wait(looked)
    return results[-1]


def wait(condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Wait until it holds; an element that is not there yet counts as no."""
    from selenium.common.exceptions import WebDriverException

    deadline = time.monotonic() + seconds
    while True:
        late = time.monotonic() > deadline
        # At the end let the reason through.
        with contextlib.nullcontext() if late else contextlib.suppress(WebDriverException):
            if condition():
                return
        assert not late, "it did not come true in time"
        time.sleep(0.2)


def answers(url: str, process: subprocess.Popen[bytes], home: Path) -> bool:
    """Whether all four parts of Airflow are healthy."""
    assert process.poll() is None, (home / "standalone.log").read_text(errors="replace")[-3000:]
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return response.read().count(b'"healthy"') == 4
    except OSError:
        return False


def stop_group(process: subprocess.Popen[bytes]) -> None:
    """End a session's processes, all of them."""
    for number, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, 10)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            process.poll()  # or the parent stays in the group as a zombie
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.2)


def free_ports(number: int) -> list[int]:
    """Ports that nobody uses at this moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [each.getsockname()[1] for each in sockets]
