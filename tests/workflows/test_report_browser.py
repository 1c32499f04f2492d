"""Opens the report in a headless Chromium: every plot is drawn, every button works, nothing is wider than the screen, no error."""

from __future__ import annotations

import html
import importlib.util
import json
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from genoken.reporting.report import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed (apt-get install chromium)"),
]

# The report is shown in a frame of the wanted width. The page around it presses every button and chooses every option, looks at the
# outcome, switches the theme, and writes down what it saw.
VISITOR = """<!doctype html><body style="margin:0">
<iframe id="frame" src="{report}" style="border:0;width:{width}px;height:900px"></iframe>
<pre id="seen"></pre><script>
const frame = document.getElementById("frame");
const pause = (time) => new Promise((done) => setTimeout(done, time));
frame.onload = async () => {{
  const page = frame.contentDocument, seen = {{errors: []}};
  frame.contentWindow.addEventListener("error", (event) => seen.errors.push(String(event.message)));
  await pause(3000);
  const plots = [...page.querySelectorAll(".plot")];
  const drawn = () => plots.filter((box) => box.querySelector(".main-svg")).length;
  const picture = (box) => box.querySelector(".main-svg");
  const right = (box) => picture(box).getBoundingClientRect().right;
  const widest = () => Math.max(page.documentElement.scrollWidth, ...plots.map(right));
  const labels = "figure .xtitle, figure .ytick, figure .xtick";
  const names = () => [...page.querySelectorAll(labels)].map((text) => text.textContent).join("|");
  const color = (element) => getComputedStyle(element).backgroundColor;
  const ink = () => color(page.body) + (plots[0] ? color(picture(plots[0])) : "");
  seen.plots = plots.length; seen.drawn = drawn(); seen.widest = widest(); seen.ink = ink(); seen.changed = 0; seen.pressed = 0;
  for (const button of page.querySelectorAll(".views button")) {{
    button.click(); seen.pressed += 1;
    if (button.getAttribute("aria-pressed") !== "true") seen.errors.push("not pressed: " + button.textContent);
  }}
  for (const select of page.querySelectorAll(".views select")) {{
    for (let index = select.options.length - 1; index >= 0; index -= 1) {{
      const before = names();
      select.selectedIndex = index; select.dispatchEvent(new Event("change")); seen.pressed += 1;
      await pause(50);
      if (names() !== before) seen.changed += 1;
    }}
  }}
  const entry = page.querySelector(".legend li:not([hidden]) button");
  if (entry) {{ entry.click(); await pause(50); entry.click(); }}
  page.getElementById("theme").click();
  await pause(3000);
  seen.inkAfter = ink(); seen.theme = page.documentElement.dataset.theme; seen.drawnAfter = drawn(); seen.widestAfter = widest();
  document.getElementById("seen").textContent = JSON.stringify(seen);
}};
</script></body>"""


def builders() -> ModuleType:
    """The functions that write synthetic run folders, from the unit tests of the report."""
    path = Path(__file__).resolve().parent.parent / "unit" / "reporting" / "conftest.py"
    spec = importlib.util.spec_from_file_location("synthetic_run_folders", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module", params=["many", "hostile", "leaky", "regression", "next_cells", "variants", "minimal"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    build = builders()
    folder = tmp_path_factory.mktemp("browser") / request.param
    if request.param == "many":
        build.write_classification(folder, build.BLOOD, samples=150)
    elif request.param == "hostile":
        build.write_classification(folder, build.EVIL, samples=12, groups=3, folds=3)
    elif request.param == "leaky":
        build.write_classification(folder, ["control", "treated"], samples=14, groups=5, leaky=True)
    elif request.param == "regression":
        build.write_regression(folder, samples=14)
    elif request.param == "next_cells":
        build.write_next_cells(folder)
    elif request.param == "variants":
        build.write_variants(folder)
    else:
        build.write_minimal(folder)
    return write_report(folder)


def visit(report: Path, width: int, profile: Path) -> tuple[dict, list[str]]:
    """Return what the visitor saw, and the lines of the browser's console."""
    wrapper = report.parent / f"visit-{width}.html"
    wrapper.write_text(VISITOR.format(report=report.name, width=width), encoding="utf-8")
    command = [
        str(CHROMIUM),
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        f"--user-data-dir={profile}",
        "--allow-file-access-from-files",
        "--blink-settings=preferredColorScheme=1",
        "--enable-logging=stderr",
        "--v=0",
        f"--window-size={max(width, 500)},900",
        "--virtual-time-budget=60000",
        "--dump-dom",
        wrapper.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    found = re.search(r'<pre id="seen">(.+?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the visitor did not finish: {done.stderr[-2000:]}"
    return json.loads(html.unescape(found.group(1))), [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_works_in_a_browser(report: Path, width: int, tmp_path: Path) -> None:
    seen, console = visit(report, width, tmp_path / "profile")
    assert console == []
    assert seen["errors"] == []
    expected = report.read_text(encoding="utf-8").count('class="plot" id="plot-')
    assert seen["plots"] == seen["drawn"] == seen["drawnAfter"] == expected
    assert max(seen["widest"], seen["widestAfter"]) <= width
    assert (seen["theme"], seen["ink"] != seen["inkAfter"]) == ("dark", True)
    if report.parent.name in {"many", "hostile"}:
        assert expected >= 20
        assert seen["pressed"] >= 15
    if report.parent.name == "many":
        assert seen["changed"] >= 8
