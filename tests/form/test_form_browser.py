"""The connection's form as a person uses it: a real Airflow, a real browser, a real login at the end.

``PROCESSMAKER_TEST_BROWSER=1 uv run --group browser pytest tests/form/test_form_browser.py``, with Debian's packages
``chromium`` and ``chromium-driver``. Pictures of what it saw lie in pytest's temporary folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.connection import CONNECTION_TYPE, FIELDS, HIDDEN_STANDARD_FIELDS
from tests.standalone import standalone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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
    with standalone(tmp_path_factory.mktemp("airflow")) as airflow:
        yield airflow.url


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
