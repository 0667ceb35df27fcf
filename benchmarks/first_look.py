"""How soon after `make demo` somebody sees tasks move: with a real browser, in seconds.

    python benchmarks/first_look.py [--runs 3]

The clock starts with the command, in an environment that is set up. A browser opens the link as
soon as the demo prints it. Told are when it was printed, when the page was there, and when its task
stream had bars. It needs Chromium, and playwright.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
#: How many bars the task stream shows.
BARS = """() => {
  if (!window.Bokeh || !Bokeh.documents.length) return 0;
  let count = 0;
  for (const model of Bokeh.documents[0]._all_models.values())
    if (model.type === "ColumnDataSource" && model.data.busy_s) count += model.data.left.length;
  return count;
}"""


def look(browser: Browser) -> dict[str, float]:
    """Run the demo once and look at it; return the seconds since its start."""
    began_s = time.perf_counter()
    told: dict[str, float] = {}
    demo = subprocess.Popen(
        ["make", "demo"], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        link = ""
        assert demo.stdout is not None
        for line in demo.stdout:
            found = re.search(r"Watch it at (\S+)", line)
            if found is not None:
                link = found[1]
                break
        told["link_s"] = time.perf_counter() - began_s
        page: Any = browser.new_page()
        page.goto(link)
        page.wait_for_selector("body[data-ready]", timeout=60_000)
        told["page_s"] = time.perf_counter() - began_s
        page.wait_for_function(BARS, timeout=60_000, polling=20)
        told["bars_s"] = time.perf_counter() - began_s
        page.close()
    finally:
        os.killpg(demo.pid, signal.SIGINT)
        demo.communicate()
    return {name: round(value, 2) for name, value in told.items()}


def main() -> None:
    """Print a line for each run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for _ in range(options.runs):
            print(json.dumps(look(browser)), flush=True)
        browser.close()


if __name__ == "__main__":
    main()
