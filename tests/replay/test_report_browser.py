"""The report in a real browser: it searches, sorts, opens by keyboard, and runs no script but its own."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from report_support import BREAKOUT, DOCUMENTS, ERROR, FILE, SCRIPT, citing
from typer.testing import CliRunner

from batchata.core.events import ItemsAdded
from batchata.core.values import Process
from batchata.log import open_log
from batchata.replay.cli import app
from batchata.sandbox import Sandbox

_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # tests may run as root
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1200,900",
)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A fresh headless Chromium."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("no chromium with chromedriver here (Debian: apt install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SE_OFFLINE", "SE_AVOID_STATS"):  # its manager neither looks for browsers nor reports
            patch.setenv(name, "true")
        running = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    try:
        yield running
    finally:
        running.quit()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Callable[..., Any]:
    """Opens the report of a log from disk, on a screen of a width and in a colour scheme."""

    def open_(log: Path, width: int = 1200, scheme: str = "light", hash_: str = "") -> Any:
        out = tmp_path / "out.html"
        done = CliRunner().invoke(app, ["report", str(log), str(out)])
        assert done.exit_code == 0, done.output
        metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
        browser.get("about:blank")
        browser.get(out.as_uri() + hash_)
        until(lambda: browser.execute_script("return document.documentElement.dataset.ready") == "yes")
        return browser

    return open_


def until(holds: Callable[[], bool]) -> None:
    """Wait for what a page does by itself, ten seconds at most."""
    for _ in range(200):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("the page did not get there")


def texts(browser: Any, selector: str) -> list[str]:
    """The text of every element that the selector finds, in order."""
    return browser.execute_script(  # type: ignore[no-any-return]
        "return [...document.querySelectorAll(arguments[0])].map((e) => e.textContent)", selector
    )


def shown(browser: Any) -> list[int]:
    """The items in the table, in order."""
    return [int(text) for text in texts(browser, "#items tr.row button.open")]


def press(browser: Any, *keys: str) -> None:
    """Keys for what has the focus."""
    browser.switch_to.active_element.send_keys(*keys)


def focus(browser: Any, selector: str) -> None:
    browser.execute_script("document.querySelector(arguments[0]).focus()", selector)


def test_no_text_runs_or_becomes_an_element(hostile: Path, opened: Callable[..., Any]) -> None:
    """Markup in answers, passages, names, errors and prompts is shown letter by letter and nothing else."""
    browser = opened(hostile)
    for button in browser.find_elements("css selector", "#items tr.row button.open"):
        button.click()
    until(lambda: len(texts(browser, "#items tr.detail h3")) > 12)
    assert browser.execute_script("return window.hacked") is None
    assert browser.execute_script(
        "return document.querySelectorAll('img, iframe, main script').length"
    ) == len(texts(browser, "main script[type='text/plain']"))
    assert f"said {BREAKOUT}" in texts(browser, "#items .value")
    assert f"passage {BREAKOUT}" in texts(browser, "#items blockquote")
    assert FILE.format(0) in texts(browser, "#items bdi.name")
    assert f"failed: invalid_request_error: {ERROR}" in texts(browser, "#items tr.detail p")
    assert SCRIPT in browser.title
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_the_policy_stops_what_would_run(hostile: Path, opened: Callable[..., Any]) -> None:
    """Even a script element that got into the page, markup as text, or an image would come to nothing."""
    browser = opened(hostile)
    browser.execute_script(
        "const s = document.createElement('script');"
        "try { s.textContent = 'window.hacked = 1'; document.body.append(s); } catch { window.script = 'no' }"
        "try { document.body.innerHTML += '<b>x</b>'; } catch { window.markup = 'no' }"
    )
    assert browser.execute_script("return [window.hacked, window.script, window.markup]") == [
        None,
        "no",
        "no",
    ]
    browser.get_log("browser")


def test_typing_searches_values_passages_and_errors(troubled: Path, opened: Callable[..., Any]) -> None:
    """Items that hold every word typed are left, and an empty search brings all back."""
    browser = opened(troubled)
    search = browser.find_element("css selector", "#items input[type=search]")
    search.send_keys("news second")
    until(lambda: shown(browser) == [2, 7])
    assert texts(browser, "#items [role=status]") == ["2 of 10 items"]
    search.clear()
    search.send_keys("nowhere to be found")
    until(lambda: texts(browser, "#items tbody td") == ["No item matches."])
    search.clear()
    search.send_keys(" ")
    until(lambda: shown(browser) == list(range(10)))


def test_a_reason_leads_to_its_items(troubled: Path, opened: Callable[..., Any]) -> None:
    """The button beside a group of failures shows exactly these items."""
    browser = opened(troubled)
    browser.find_element("css selector", "[data-failed]").click()
    until(lambda: shown(browser) == [2, 7])


def test_heads_sort_by_keyboard(troubled: Path, opened: Callable[..., Any]) -> None:
    """A head's button sorts up, then down, and aria-sort says so of that column alone."""
    browser = opened(troubled)
    focus(browser, "#items th.c-attempts button")
    press(browser, "\ue007")
    assert shown(browser)[-2:] == [1, 6]
    press(browser, "\ue007")
    assert shown(browser)[:2] == [1, 6]
    sorted_heads = (
        "return [...document.querySelectorAll('#items [aria-sort]')].map((h) => [h.textContent, h.ariaSort])"
    )
    assert browser.execute_script(sorted_heads) == [["Attempts", "descending"]]


def test_details_open_and_close_by_enter(troubled: Path, opened: Callable[..., Any]) -> None:
    """Tab reaches an item's button, its focus is seen, Enter opens its attempts and closes them again."""
    browser = opened(troubled)
    focus(browser, "#items th.c-batch button")
    press(browser, "\ue004")
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert browser.execute_script(
        f"return document.activeElement.className + ' ' + (() => {{{outline}}})()"
    ) == ("open solid")
    press(browser, "\ue004", "\ue007")
    until(lambda: texts(browser, "#items tr.detail h3") != [])
    assert "Attempts" in texts(browser, "#items tr.detail h3")
    press(browser, "\ue007")
    assert texts(browser, "#items tr.detail") == []


def test_an_address_opens_one_item(troubled: Path, opened: Callable[..., Any]) -> None:
    """#item-1 behind the file's name shows that item's attempts at once, in their order."""
    browser = opened(troubled, hash_="#item-1")
    until(lambda: len(texts(browser, "#items tr.detail table.attempts tbody tr")) == 2)
    rows = texts(browser, "#items tr.detail table.attempts tbody tr")
    assert ["expired" in row for row in rows] == [True, False]


def test_jobs_are_bars_with_their_polls(waiting: Path, opened: Callable[..., Any]) -> None:
    """Each job of an unfinished run has a bar at the provider, poll marks and its state in words."""
    browser = opened(waiting)
    assert texts(browser, "#jobs td.c-state") == ["processing"] * 3
    assert len(texts(browser, "#jobs svg.bar rect.waiting")) == 3
    assert len(texts(browser, "#jobs svg.bar path.polls")) == 3


def test_money_at_a_moment(troubled: Path, opened: Callable[..., Any]) -> None:
    """The slider below the chart says by arrow keys what was spent and reserved then."""
    browser = opened(troubled)
    (last,) = texts(browser, "#moment-text")
    assert "$0.00 reserved, limit $5.00" in last
    focus(browser, "#moment")
    press(browser, "\ue011")  # Home
    (first,) = texts(browser, "#moment-text")
    assert "$0.00 spent, $0.00 reserved" in first


def test_times_change_to_the_readers_zone(done: Path, opened: Callable[..., Any]) -> None:
    """Times are UTC until a button asks for the local zone; the other is told on hover."""
    browser = opened(done)
    utc = texts(browser, "header time")[0]
    assert utc.endswith("Z")
    browser.find_element("id", "zone").click()
    told = browser.execute_script(
        "const t = document.querySelector('header time'); return [t.textContent, t.title]"
    )
    assert told[0] != utc == told[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_reads_in_light_and_dark(troubled: Path, opened: Callable[..., Any], scheme: str) -> None:
    """Text on paper has a contrast of at least 4.5 in every tone, in either scheme."""
    browser = opened(troubled, scheme=scheme)
    tones = ("ink", "soft", "link", "good", "bad", "open", "mixed", "odd")
    ratios = {tone: browser.execute_script(_CONTRAST, tone) for tone in tones}
    assert {tone: ratio for tone, ratio in ratios.items() if ratio < 4.5} == {}
    dark = (
        browser.execute_script("return getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"
    )
    assert dark == (scheme == "dark")


_CONTRAST = """
const light = (name) => {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const parts = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);
  const [r, g, b] = parts.map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
return Math.min(...["paper", "raised"].map((paper) => {
  const [x, y] = [light(paper), light(arguments[0])];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}));
"""


def test_it_fits_a_phone(troubled: Path, opened: Callable[..., Any]) -> None:
    """On a screen of 360 pixels nothing is wider than the screen, details included."""
    browser = opened(troubled, width=360)
    browser.find_element("css selector", "#items tr[data-index='1'] button.open").click()
    until(lambda: texts(browser, "#items tr.detail h3") != [])
    assert browser.execute_script("return document.documentElement.scrollWidth") == 360
    wide = "return document.querySelector('#items tr.row').getBoundingClientRect().right"
    assert browser.execute_script(wide) <= 360


def test_a_passage_is_shown_on_its_page_and_the_page_is_a_click_away(
    pictured: Path, opened: Callable[..., Any]
) -> None:
    """The part around the marks at first; a button, also by keyboard, shows the whole page and back."""
    browser = opened(pictured, width=360, hash_="#item-0")
    until(lambda: len(texts(browser, "#items .sheet")) > 0)
    looks = "return document.querySelector('#items .sheet svg').getAttribute('viewBox')"
    marks = "return document.querySelectorAll('#items .sheet rect.passage').length"
    part = browser.execute_script(looks)
    assert browser.execute_script(marks) >= 1
    source = "document.querySelector('.sheet image').getAttribute('href')"
    browser.execute_script(f"window.i = new Image(); window.i.src = {source}")
    until(lambda: browser.execute_script("return window.i.naturalWidth") > 0)
    focus(browser, "#items .sheet")
    press(browser, "\ue007")
    assert browser.execute_script(looks).startswith("0 0 ")
    assert browser.execute_script("return document.documentElement.scrollWidth") == 360
    press(browser, "\ue007")
    assert browser.execute_script(looks) == part
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


@pytest.fixture
def pictured(tmp_path: Path) -> Path:
    """A run over one PDF, read with citations."""
    with Sandbox() as served:
        citing(served, tmp_path / "run.db", [DOCUMENTS / "invoice-brightwater.pdf"]).run()
    return tmp_path / "run.db"


@pytest.fixture
def many(write_log: Callable[..., Path], started: Callable[..., Any]) -> Path:
    """A run of 1,300 messages, in several blocks of the page's data, none of them sent yet."""
    path = write_log([started(input_count=1_300)])
    log = open_log(path)
    claim = log.claim("run", Process(pid=1, host="elsewhere"))
    bodies = [
        json.dumps(
            {"messages": [{"role": "user", "content": f"number {n} " + "x" * 400 + f" end{n}."}]}
        ).encode()
        for n in range(1_300)
    ]
    claim.append(10**15, [ItemsAdded(first=0, count=1_300, digest="d", first_body=0)], bodies)
    claim.release()
    log.close()
    return path


def test_many_items_are_drawn_a_page_at_a_time(many: Path, opened: Callable[..., Any]) -> None:
    """Fifty rows at once; the page's number, Next and a sort lead to the others."""
    browser = opened(many)
    assert shown(browser) == list(range(50))
    page = browser.find_element("css selector", "#items nav input")
    page.clear()
    page.send_keys("26", "\ue007")
    until(lambda: shown(browser) == list(range(1_250, 1_300)))
    assert [b.is_enabled() for b in browser.find_elements("css selector", "#items nav button")] == [
        True,
        False,
    ]
    for _ in range(2):
        browser.find_element("css selector", "#items th.c-index button").click()
    assert shown(browser) == list(range(1_299, 1_249, -1))
    browser.find_elements("css selector", "#items nav button")[1].click()
    assert shown(browser)[0] == 1_249


def test_the_search_reads_every_block(many: Path, opened: Callable[..., Any]) -> None:
    """A word behind what the table shows is found in whichever block it is, and nothing else is."""
    browser = opened(many)
    search = browser.find_element("css selector", "#items input[type=search]")
    search.send_keys("END1299.")
    until(lambda: shown(browser) == [1_299])
    search.clear()
    search.send_keys("end700. number")
    until(lambda: shown(browser) == [700])


def test_an_address_opens_an_item_of_another_page(many: Path, opened: Callable[..., Any]) -> None:
    """#item-777 turns to its page, opens it and gives it the focus."""
    browser = opened(many, hash_="#item-777")
    until(lambda: len(texts(browser, "#items tr.detail h3")) > 0)
    assert browser.execute_script("return document.activeElement.textContent") == "777"
