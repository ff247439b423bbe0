"""What people wait for on the pages of `trefoil web`: python3 bench/web.py TREFOIL [MESSAGES [ROUNDS [FOLDER]]]

A service, one agent and headless Chromium (Debian: chromium, chromium-driver) on loopback. One person has written so many notes to
himself; they are written once and kept in FOLDER, where bench/history.py finds and leaves its own. Printed, in milliseconds: from
`trefoil web` without an agent, and without its files in memory, to the list on the screen; from a click to that conversation on the
screen; fifty older messages; from a key to its letter on the screen; from Enter to the message, and to its being at the service; then the most memory that
the agent has held, in megabytes.
"""

import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request

from devices import Device, Service, load, spread
from history import PORT, prepare

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1200,800"]

# What begins at an event of a person, and ends with the next picture after something is there.
PAINTED = """
    const done = arguments[0], begin = performance.now();
    const look = () => {
      if (!(WANTED)) return requestAnimationFrame(look);
      requestAnimationFrame(() => setTimeout(() => done(performance.now() - begin)));
    };
    ACT;
    look();
"""
KEYS = """
    window.took = [];
    addEventListener("keydown", (event) => {
      requestAnimationFrame(() => setTimeout(() => window.took.push(performance.now() - event.timeStamp)));
    }, true);
    document.querySelector("form.write textarea").focus();
"""


class Browser:
    def __init__(self, folder):
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        port = next(line for line in self.driver.stdout if "started successfully on port" in line).rstrip(".\n").split()[-1]
        self.at = f"http://127.0.0.1:{port}"
        options = {"args": [*FLAGS, f"--user-data-dir={folder}"], "binary": shutil.which("chromium")}
        wanted = {"browserName": "chrome", "goog:chromeOptions": options, "timeouts": {"script": 60000}}
        self.at += "/session/" + self.ask("/session", capabilities={"alwaysMatch": wanted})["sessionId"]
        self.tools("Emulation.setFocusEmulationEnabled", enabled=True)

    def ask(self, path, **body):
        request = urllib.request.Request(self.at + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
        return json.load(urllib.request.urlopen(request))["value"]

    def tools(self, command, **parameters):
        return self.ask("/goog/cdp/execute", cmd=command, params=parameters)

    def run(self, script, *arguments):
        return self.ask("/execute/sync", script=script, args=arguments)

    def painted(self, act, wanted):
        return self.ask("/execute/async", script=PAINTED.replace("ACT", act).replace("WANTED", wanted), args=[])

    def wait_for(self, wanted):
        while not self.run(f"return Boolean({wanted})"):
            time.sleep(0.002)

    def stop(self):
        urllib.request.urlopen(urllib.request.Request(self.at, method="DELETE")).read()
        self.driver.terminate()
        self.driver.wait()


def one_round(device, browser, number):
    device.stop()
    for path in glob.glob(f"{device.home}/**/store.sqlite*", recursive=True):
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    begin = time.time()
    link = device.run("web")[0]["link"]
    browser.ask("/url", url="about:blank")
    browser.ask("/url", url=link)
    browser.wait_for("document.querySelector('#side a.entry')")
    figures = {"cold to the list": (time.time() - begin) * 1000}
    entry, messages = "document.querySelector('#side a.entry')", "document.querySelectorAll('#messages > li').length"
    figures["a conversation opens"] = browser.painted(f"{entry}.click()", f"{messages} > 10")
    before = browser.run(f"return {messages}")
    figures["older messages"] = browser.painted("document.querySelector('[data-older]').click()", f"{messages} > {before} + 40")
    browser.run(KEYS)
    text = f"round {number}"
    for letter in text:
        for kind in ["keyDown", "keyUp"]:
            browser.tools("Input.dispatchKeyEvent", type=kind, key=letter, text=letter if kind == "keyDown" else "")
    browser.wait_for(f"window.took.length >= {len(text)}")
    figures["a key"] = sorted(browser.run("return window.took"))[len(text) // 2]
    own = "[...document.querySelectorAll('#messages .own')].at(-1)"
    send = "document.querySelector('form.write').requestSubmit()"
    shown = f"{own}.innerText.includes('{text}') && {own}.querySelector('.state')"
    figures["Enter to the message"] = browser.painted(send, f"({shown})")
    figures["and to its being sent"] = browser.painted("", f"{own}.querySelector('.state').innerText.includes('sent')")
    figures["and to its being sent"] += figures["Enter to the message"]
    device.connect()
    figures["the agent's memory, most, MB"] = device.peak_mb()
    return figures


def main():
    program = os.path.abspath(sys.argv[1])
    count, rounds = (int((sys.argv[at : at + 1] or [default])[0]) for at, default in [(2, 100_000), (3, 5)])
    folder = sys.argv[4] if len(sys.argv) > 4 else tempfile.mkdtemp(prefix="t-")
    prepare(program, count, folder)
    service = Service(program, folder, PORT)
    device, profile = Device(program, f"{folder}/laptop", service.address), tempfile.mkdtemp(prefix="t-browser-")
    browser = Browser(profile)
    try:
        figures = [one_round(device, browser, number) for number in range(rounds + 1)][1:]
        print(f"a conversation of {count} messages, {rounds} rounds after one to warm up; {load()}")
        for name in figures[0]:
            unit = "" if "MB" in name else " ms"
            print(f"{name:28} {spread([it[name] for it in figures], 1)}{unit}")
    finally:
        browser.stop()
        device.stop()
        service.stop()
        shutil.rmtree(profile, ignore_errors=True)


if __name__ == "__main__":
    main()
