"""`report.html` in headless Chromium, at the width of a screen and of a phone."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.search.runs import FinishedRun

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

#: What a reader does, in the copy of a page that lets scripts of others run.
READER = """<script>{
const dot = document.querySelector("circle[data-tip]");
dot.dispatchEvent(new PointerEvent("pointermove", {bubbles: true, clientX: 9, clientY: 9}));
const tip = document.getElementById("tip");
console.log(`tip ${!tip.hidden && tip.textContent === dot.dataset.tip}`);
document.body.dispatchEvent(new PointerEvent("pointermove", {bubbles: true}));
console.log(`hidden ${tip.hidden}, scrolls ${document.documentElement.scrollWidth > innerWidth}, width ${innerWidth}`);
}</script>"""


def messages(page: Path, folder: Path, width: int, scheme: str) -> list[str]:
    """Open a page in a frame, which may be narrower than a window; return what its console says."""
    assert CHROMIUM is not None
    frame = f'<iframe src="{page.as_uri()}" width="{width}" height="8000" frameborder="0"></iframe>'
    (folder / "frame.html").write_text(frame)
    options = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", f"--user-data-dir={folder}"),
        *(f"--window-size={width + 20},8020", f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"),
        f"--screenshot={folder / 'screen.png'}",
    )
    opened = subprocess.run(
        [CHROMIUM, *options, (folder / "frame.html").as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    assert (folder / "screen.png").stat().st_size > 50_000
    return re.findall(r'CONSOLE[^"]*"(.*)"', opened.stderr)


@pytest.mark.parametrize(("width", "scheme"), [(1280, "dark"), (390, "light")])
def test_it_opens_without_a_complaint(bare_run: FinishedRun, tmp_path: Path, width: int, scheme: str) -> None:
    assert messages(bare_run.directory / "report.html", tmp_path, width, scheme) == []


def test_it_answers_a_pointer_and_is_no_wider_than_a_phone(bare_run: FinishedRun, tmp_path: Path) -> None:
    source = (bare_run.directory / "report.html").read_text()
    open_to_all = re.sub("<meta [^>]*Content-Security-Policy[^>]*>", "", source)
    (tmp_path / "page.html").write_text(open_to_all.replace("</body>", f"{READER}</body>"))
    said = messages(tmp_path / "page.html", tmp_path, 390, "light")
    assert said == ["tip true", "hidden true, scrolls false, width 390"]


def test_a_script_of_a_stranger_does_not_run(bare_run: FinishedRun, tmp_path: Path) -> None:
    source = (bare_run.directory / "report.html").read_text()
    (tmp_path / "page.html").write_text(source.replace("</body>", "<script>console.log('harm')</script></body>"))
    (complaint,) = messages(tmp_path / "page.html", tmp_path, 390, "light")
    assert "Content Security Policy" in complaint
