"""The page of a run as its reader sees it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

from attrs import frozen
from selenium.common.exceptions import TimeoutException
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from websites.flow import flow

PATIENCE = 30.0
SLUGS = list(flow.steps)

_READ = """
const text = (element) => element === null ? null : element.innerText.trim();
const read = (line) => ({
  status: line.dataset.status,
  detail: text(line.querySelector(".detail")),
  elapsed: text(line.querySelector(".elapsed")),
  done: line.querySelector("progress")?.value ?? null,
  tasks: line.querySelector("progress")?.max ?? null,
});
return {
  status: text(document.getElementById("status")),
  connection: text(document.getElementById("connection")),
  elapsed: text(document.querySelector(".facts .elapsed")),
  retries: text(document.getElementById("retries")),
  result: text(document.getElementById("result")),
  steps: Object.fromEntries(Array.from(document.querySelectorAll(".step"), (line) => [line.dataset.step, read(line)])),
};
"""


@frozen
class LivePage:
    """What a browser shows of a run."""

    browser: Chrome

    @property
    def run_id(self) -> UUID:
        """The run, by the address of the page."""
        return UUID(self.browser.current_url.rpartition("/")[2])

    def now(self) -> dict[str, Any]:
        """All that is to be read, at one moment."""
        shown: dict[str, Any] = self.browser.execute_script(_READ)
        # In the order of the page, which does not survive the way here.
        shown["steps"] = dict(sorted(shown["steps"].items(), key=lambda step: SLUGS.index(step[0])))
        return shown

    def until(self, condition: Callable[[dict[str, Any]], object], what: str) -> dict[str, Any]:
        """What is to be read once that satisfies a condition, and it is the page of a run that shows it."""
        shown: dict[str, Any] = {}

        def look(browser: Chrome) -> bool:
            shown.clear()
            if "/runs/" in browser.current_url:
                shown.update(self.now())
            return bool(shown) and bool(condition(shown))

        try:
            WebDriverWait(self.browser, PATIENCE, 0.05).until(look)
        except TimeoutException as exc:
            raise AssertionError(f"{what} was not to be seen within {PATIENCE:g} s, but {shown}") from exc
        return shown

    def until_ended(self, status: str) -> dict[str, Any]:
        """What is to be read at the end of the run."""
        return self.until(
            lambda shown: (shown["status"], shown["connection"]) == (status, "Ended") and shown["result"], status
        )

    def complaints(self) -> list[str]:
        """What the browser's console says against the page."""
        return [entry["message"] for entry in self.browser.get_log("browser")]  # type: ignore[no-untyped-call]


def start_run(browser: Chrome, url: str, *addresses: str) -> LivePage:
    """Fill the form, send it, and be on the page of the run."""
    browser.get(url)
    field = browser.find_element(By.ID, "urls")
    field.clear()
    field.send_keys("\n".join(addresses))
    browser.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    page = LivePage(browser)
    WebDriverWait(browser, PATIENCE, 0.05).until(lambda browser: "/runs/" in browser.current_url)
    return page


def show(browser: Chrome, *, width: int = 1100, height: int = 1000, theme: str = "light") -> None:
    """Have the browser be of a size, and of a theme; nothing moves, which would cost a processor."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    wishes = {"prefers-color-scheme": theme, "prefers-reduced-motion": "reduce"}
    features = [{"name": name, "value": value} for name, value in wishes.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def photograph(browser: Chrome, folder: Path, name: str) -> None:
    """Keep a picture of what is shown, for whoever wants to look."""
    assert browser.save_screenshot(str(folder / f"{name}.png"))
