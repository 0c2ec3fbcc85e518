"""First paint of the portal's pages in Chromium, and API requests a second, on a sky that is served already.

    telperion serve SKY --rate 0 --score 0
    python benchmarks/portal_pages.py http://127.0.0.1:8765 PID

Paint is what Chromium's own clock says (first contentful paint, from the navigation's start), the cache of scripts warm
as for who looks all night, a fresh page each time. Requests come one after the other over one connection, and over
eight at once; with the number of the server's process they are told by seconds of a core that it took, too.
"""

import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from statistics import median
from urllib.parse import quote, urlsplit

import psutil
from playwright.sync_api import sync_playwright

from telperion.portal.client import Portal

ARGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync"]
PAINT = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
FIRST_BYTE = "performance.getEntriesByType('navigation')[0].responseStart"
ROUNDS, SECONDS = 9, 5.0


def paints(address: str, pages: dict[str, str]) -> None:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGS)
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        for name, page in pages.items():
            found, first = [], []
            for _ in range(ROUNDS):
                tab = context.new_page()
                tab.goto(address + page)
                tab.wait_for_function(f"() => {PAINT.replace('.startTime', '')}")
                found.append(tab.evaluate(PAINT))
                first.append(tab.evaluate(FIRST_BYTE))
                tab.close()
            times = f"{median(found):.0f} ms, {min(found):.0f} to {max(found):.0f} (first byte {median(first):.0f} ms)"
            print(f"first paint, {name}: {times}", flush=True)
        browser.close()


def requests(address: str, name: str, path: str, clients: int, process: psutil.Process | None) -> None:
    place = urlsplit(address)

    def ask(_: int) -> int:
        connection, done, until = HTTPConnection(place.hostname, place.port), 0, time.monotonic() + SECONDS
        while time.monotonic() < until:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            done += 1
        return done

    before = sum(process.cpu_times()[:2]) if process else 0.0
    with ThreadPoolExecutor(clients) as pool:
        done = sum(pool.map(ask, range(clients)))
    of_core = f", {done / (sum(process.cpu_times()[:2]) - before):.0f} a second of a core" if process else ""
    print(f"requests, {name}, {clients} at once: {done / SECONDS:.0f} a second{of_core}", flush=True)


def main(address: str, pid: str = "") -> None:
    first = next(Portal(address).objects(most=1))["object_id"]
    one = quote(first, safe="")
    paints(address, {
        "nothing but a word": "/health", "list": "/", "list of a class": "/?node=TDE&promised=1",
        "list by text": "/?text=77", "object": f"/object?id={one}", "model": "/model",
    })  # fmt: skip
    calls = {
        "objects": "/api/v1/objects?limit=50",
        "object": f"/api/v1/object?id={one}",
        "changes": "/api/v1/changes?since=0",
    }
    for name, path in calls.items():
        for clients in (1, 8):
            requests(address, name, path, clients, psutil.Process(int(pid)) if pid else None)


if __name__ == "__main__":
    main(*sys.argv[1:3])
