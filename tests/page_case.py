"""A page in a real browser: how it is served, opened, moved and read."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Chromium that fetches nothing by itself.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--window-size=1500,1400",
)
#: Slow machines compile the kernels first.
PATIENCE = 60


def missing():
    """Say what a browser test lacks here; empty when nothing is."""
    lacks = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    lacks += [name for name in ("solara", "selenium") if find_spec(name) is None]
    return ", ".join(lacks)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def served(*arguments):
    """Run `evosim serve` and give its address."""
    port = free_port()
    command = [sys.executable, "-m", "evosim", "serve", *arguments, "--port", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            line = process.stdout.readline()  # once it answers
            assert line.strip() == f"http://127.0.0.1:{port}", process.stderr.read()
            yield line.strip()
        finally:
            process.terminate()
            process.wait(20)


class Browser:
    """A page in Chromium."""

    def __init__(self, folder: Path) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = shutil.which("chromium")
        for flag in (*FLAGS, f"--user-data-dir={folder}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        service = Service(shutil.which("chromedriver"), env=os.environ | {"HOME": str(folder)})
        self.driver = webdriver.Chrome(options=options, service=service)
        self.asked = []

    def open(self, address):
        self.driver.get(address)
        self.wait(lambda: self.numbers())

    def wait(self, condition, patience=PATIENCE):
        """Return the condition's value once it is true."""
        until = time.monotonic() + patience
        while True:
            try:
                found = condition()
            except Exception:
                found = None
            if found:
                return found
            assert time.monotonic() < until, f"not within {patience} s:\n{self.text()}"
            time.sleep(0.1)

    def text(self):
        return self.driver.execute_script("return document.body.innerText")

    def table(self, name):
        rows = self.driver.execute_script(
            "return [...document.querySelectorAll(`#${arguments[0]} tr`)]"
            ".map(r => [...r.children].map(c => c.innerText))",
            f"evosim-{name}",
        )
        return rows[1:]

    def numbers(self):
        return dict(self.table("numbers"))

    def press(self, label):
        from selenium.webdriver.common.by import By

        buttons = self.driver.find_elements(By.CSS_SELECTOR, "button")
        button = next(b for b in buttons if b.text.strip().lower() == label.lower())
        self.driver.execute_script("arguments[0].click()", button)

    def push(self, label, times):
        """Push a slider so many steps to the right."""
        from selenium.webdriver.common.by import By
        from selenium.webdriver.common.keys import Keys

        for box in self.driver.find_elements(By.CSS_SELECTOR, ".v-input"):
            if box.text.strip().startswith(label):
                thumb = box.find_element(By.CSS_SELECTOR, ".v-slider__thumb-container")
                for _ in range(times):
                    thumb.send_keys(Keys.ARROW_RIGHT)
                return
        raise AssertionError(f"no slider {label}:\n{self.text()}")

    def errors(self):
        """Return what the console says that is no mere remark."""
        return [e["message"] for e in self.driver.get_log("browser") if e["level"] == "SEVERE"]

    def hosts(self):
        """Return the hosts that anything was asked of so far."""
        from urllib.parse import urlsplit

        for entry in self.driver.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.asked.append(message["params"]["request"]["url"])
            elif message["method"] == "Network.webSocketCreated":
                self.asked.append(message["params"]["url"])
        return {
            urlsplit(url).hostname
            for url in self.asked
            if urlsplit(url).scheme not in ("data", "blob", "about", "chrome")
        }

    def close(self):
        self.driver.quit()
