"""What the stand-in tells of itself over HTTP: JSON, Prometheus, and the live page in a real browser."""

import http.client
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest

from local.rds_proxy.metrics_server import MetricsServer
from tests.browser import CHROMIUM, DRIVER, ESCAPE, HOME, LEFT, MISSING, TAB, Browser
from tests.local.conftest import Database, RunningProxy, eventually

PHONE, DESK = (390, 844), (1280, 900)
needs_chromium = pytest.mark.skipif(not (CHROMIUM and DRIVER), reason=MISSING)


@pytest.fixture(scope="module")
def running(database: Database) -> Iterator[tuple[RunningProxy, str]]:
    """A stand-in with at most 15 server connections, and the address of its page."""
    proxy = RunningProxy.start(database, max_connections=30, max_connections_percent=50)
    server = MetricsServer(proxy.proxy)
    address = proxy.call(server.start("127.0.0.1", 0))

    async def close() -> None:
        server.close()

    yield proxy, address
    proxy.call(close())
    proxy.stop()


@pytest.fixture
def stand_in(running: tuple[RunningProxy, str]) -> Iterator[RunningProxy]:
    yield running[0]
    running[0].clients.close()
    eventually(lambda: running[0].metrics()["ClientConnections"] == 0)


@pytest.fixture
def address(running: tuple[RunningProxy, str]) -> str:
    return running[1]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with Browser() as opened:
        yield opened


@pytest.fixture
def browser(chromium: Browser, address: str) -> Browser:
    chromium.window(*DESK)
    chromium.media()
    chromium.open(address)
    chromium.wait("document.getElementById('servers').textContent.includes('of 15')")
    return chromium


def get(address: str, path: str) -> str:
    with urllib.request.urlopen(f"{address}{path}", timeout=5) as answer:
        return answer.read().decode()


def pin(stand_in: RunningProxy, statement: str = "SET application_name = '<b>pins</b>'") -> None:
    stand_in.connect().execute(statement)


def test_prometheus_finds_every_number_of_the_json(stand_in: RunningProxy, address: str) -> None:
    stand_in.connect().execute("SELECT 1")
    pin(stand_in, "SET application_name = 'a'")
    exposed = dict(re.findall(r"^(\w+) ([\d.]+)$", get(address, "metrics"), re.MULTILINE))
    assert exposed["rds_proxy_client_connections"] == "2"
    assert exposed["rds_proxy_client_connections_no_tls"] == "0"
    assert exposed["rds_proxy_max_database_connections_allowed"] == "15"
    assert int(exposed["rds_proxy_query_requests_total"]) >= 2
    assert float(exposed["rds_proxy_database_connections_borrow_latency_seconds_count"]) >= 2
    numbers = [
        name for name, value in json.loads(get(address, "metrics.json")).items() if isinstance(value, int | float)
    ]
    assert len(numbers) == len([name for name in exposed if not name.endswith("_seconds_sum")])


def test_prometheus_counts_pinned_sessions_by_reason(stand_in: RunningProxy, address: str) -> None:
    pin(stand_in)
    pin(stand_in)
    assert 'rds_proxy_pinned_sessions{reason="SET changes a setting of the session"} 2' in get(address, "metrics")


def test_the_history_goes_on_after_what_a_page_has(stand_in: RunningProxy, address: str) -> None:
    first = eventually(lambda: json.loads(get(address, "history.json"))["samples"])
    last = first[-1][0]
    later = eventually(lambda: json.loads(get(address, f"history.json?after={last}"))["samples"])
    assert all(sample[0] > last for sample in later)
    assert json.loads(get(address, "history.json?after=nonsense"))["samples"][0] == first[0]


@pytest.mark.parametrize(
    ("host", "status"), [("evil.example", 403), ("evil.example:80", 403), ("127.0.0.1:80", 200), ("localhost", 200)]
)
def test_a_web_page_whose_name_means_loopback_reads_nothing(address: str, host: str, status: int) -> None:
    connection = http.client.HTTPConnection(address.split("/")[2], timeout=5)
    connection.request("GET", "/metrics.json", headers={"Host": host})
    answer = connection.getresponse()
    assert (answer.status, b"ClientConnections" in answer.read()) == (status, status == 200)
    connection.close()


def test_other_methods_and_paths_do_not_exist(address: str) -> None:
    for request in (f"{address}elsewhere", urllib.request.Request(address, b"", method="POST")):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=5)
        assert refused.value.code == 404
        refused.value.close()


@needs_chromium
def test_the_page_follows_clients_and_server_connections(stand_in: RunningProxy, browser: Browser) -> None:
    clients = [stand_in.connect() for _ in range(3)]
    browser.wait("document.getElementById('clients').textContent === '3'")
    for client in clients:
        client.close()
    browser.wait("document.getElementById('clients').textContent === '0'")
    drawn = "document.querySelectorAll('figure path')[0].getAttribute('d')"
    before = browser.run(f"return {drawn}")
    browser.wait(f"{drawn} !== {json.dumps(before)}")
    assert browser.complaints() == []


@needs_chromium
def test_the_page_shows_pinned_sessions_as_text(stand_in: RunningProxy, browser: Browser) -> None:
    assert "None: every server connection goes back" in browser.text()
    pin(stand_in)
    browser.wait("document.querySelector('#pinned-table tbody tr')")
    row = browser.run("return document.querySelector('#pinned-table tbody tr').innerText")
    assert "SET changes a setting of the session" in row
    assert "SET application_name = '<b>pins</b>'" in row
    assert "app, one" in row


@needs_chromium
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone(stand_in: RunningProxy, browser: Browser, scheme: str) -> None:
    pin(stand_in, f"SET application_name = '{'a' * 60}_{'b' * 200}'")
    browser.media(prefers_color_scheme=scheme)
    browser.window(*PHONE)
    browser.open(browser.run("return location.href"))
    browser.wait("document.querySelector('#pinned-table tbody tr')")
    assert browser.run("return document.documentElement.scrollWidth") <= PHONE[0]
    colours = browser.run("const style = getComputedStyle(document.body); return [style.color, style.backgroundColor]")
    ink, page = (sum(map(int, re.findall(r"\d+", colour))) for colour in colours)
    assert (ink < page) == (scheme == "light")


@needs_chromium
def test_the_page_is_operated_by_keyboard(stand_in: RunningProxy, browser: Browser) -> None:
    focused = "document.activeElement"
    browser.wait("document.querySelector('figure path').getAttribute('d').length > 40")
    seen = []
    for _ in range(5):
        browser.press(TAB)
        seen.append(browser.run(f"return {focused}.id || {focused}.querySelector('figcaption')?.textContent"))
    assert seen == ["span", "pause", "Clients", "Server connections", "Borrow latency in ms"]
    browser.press(HOME + LEFT)
    assert re.match(r"Borrow latency in ms, \d+ seconds ago: average wait", browser.run(f"return {focused}.ariaLabel"))
    browser.press(ESCAPE)
    assert browser.run(f"return {focused}.ariaLabel").startswith("Borrow latency in ms, now")


@needs_chromium
def test_a_paused_page_stands_still_until_it_goes_on(stand_in: RunningProxy, browser: Browser) -> None:
    browser.press(TAB + TAB + " ")
    browser.wait("document.getElementById('state').textContent === 'paused'")
    stand_in.connect()
    first = json.loads(browser.run("return JSON.stringify(samples.at(-1))"))
    eventually(lambda: stand_in.metrics()["ClientConnections"] == 1)
    assert json.loads(browser.run("return JSON.stringify(samples.at(-1))")) == first
    browser.press(" ")
    browser.wait("document.getElementById('clients').textContent === '1'")


@needs_chromium
def test_who_asked_for_less_motion_gets_it(browser: Browser) -> None:
    """The plots step every 5 s instead of twice a second."""
    browser.media(prefers_reduced_motion="reduce")
    assert browser.run("return calm.matches && pauseBetweenUpdates()") == 5000
    browser.media()
    assert browser.run("return pauseBetweenUpdates()") == 500
