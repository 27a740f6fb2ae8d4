"""Makes ``docs/images/page.png``: a real `khabar demo`, its live page in headless Chromium, a screenshot.

Run: ``python docs/picture.py [FILE]``. ``KHABAR_*`` variables reach the demo; ``CHROMIUM`` names the browser.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import ViewportSize, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
SIZE = ViewportSize(width=1280, height=1300)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


def main(out: Path) -> None:
    """Start the demo, open the page, let the samples flow, take the picture, stop the demo."""
    command = [sys.executable, "-P", "-m", "worker.cli", "demo"]
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    # S603: our own program; a session of its own, so that Ctrl-C here reaches only this script
    with (
        subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True, start_new_session=True) as demo,  # noqa: S603
        sync_playwright() as playwright,
    ):
        try:
            lines = demo.stdout or ()
            url = next(found.group(1) for line in lines if (found := re.match(r"live page +(\S+)", line)))
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
            page = browser.new_page(viewport=SIZE, color_scheme="light")
            page.goto(url)
            for line in lines:
                if "Ctrl-C ends" in line:
                    break
            page.wait_for_timeout(1500)
            page.screenshot(path=out)
            browser.close()
        finally:
            demo.send_signal(signal.SIGTERM)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images" / "page.png")
