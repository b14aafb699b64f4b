"""`tallystick demo`, as a newcomer runs it: it can be stopped and run again, what it prints works, and one signal ends it."""

import json
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tallystick.cli.demo.platform import SEALER
from tallystick.embedded.service_process import console_script

from ..browser import chromium, keep
from .processes import command_line, descendants, wait_gone

SMALLEST = 1_000
FIELDS = {
    *("transactions", "decisions", "rejected", "log_size", "root", "decisions_per_s"),
    *("roots", "provable_p50_ms", "provable_p99_ms"),
    *("average_precision", "bundle", "policy", "verified", "tampered_refused", "replay_identical", "complete"),
    *("anchored", "cosigned"),
}
PROCESSES = 9
"""Services, witnesses and the sealer."""
pytestmark = pytest.mark.timeout(600)  # a busy machine takes minutes to train and to stream
Serving: TypeAlias = "tuple[subprocess.Popen[str], list[str], Path]"
"""The demo's process, the lines it said, and the folder that it was started in."""


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stop a demo while its servers and services run, where a former one left its figures; return the folder it ran in."""
    folder = tmp_path_factory.mktemp("demo")
    figures = folder / "build/demo.json"
    figures.parent.mkdir()
    figures.write_text("{}")
    with _demo(folder) as demo:
        started = _wait_for_services(demo)
        demo.terminate()  # which it takes for Ctrl-C
        out, _ = demo.communicate(timeout=60)
    assert demo.returncode == 130, out
    assert wait_gone(started) == []
    assert not figures.exists(), "the last success's figures are gone as soon as a run begins"
    return folder


@pytest.fixture(scope="module")
def serving(stopped: Path) -> Iterator[Serving]:
    """Run the smallest demo in the same folder until it serves, with SIGINT ignored, as a shell starts `make demo &`.

    At the end, SIGINT stops it all the same: it exits with 0, and no process of it is left.
    """
    folder = stopped
    with _demo(folder, "--serve", preexec=True) as demo:
        said = _said_until_served(demo)
        started = descendants(demo.pid)
        yield demo, said, folder
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 0
    assert len(started) >= PROCESSES
    assert wait_gone(started) == []


def test_what_it_prints_answers(serving: Serving) -> None:
    """Every curl line on the screen fetches something, the one with the token evidence; what is not typed fits 80 columns."""
    demo, said, folder = serving
    assert demo.poll() is None, said
    commands = re.findall(r"^curl (?:.*\\\n)?.*$", "\n".join(said), re.MULTILINE)
    answers = [_fetch(command, folder) for command in commands]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert answers[0].json()["openapi"]
    opened = json.loads(answers[2].content)["disclosures"]
    assert {disclosure["group"] for disclosure in opened} == {"features", "explanation"}
    assert not any(line == "" for line in said[:6])
    assert max(len(line) for line in said if not line.startswith(("curl", "/", "    "))) <= 80


def test_it_ends_on_the_console(serving: Serving) -> None:
    """The last line is a decision's page: closed without a token; signed in with the demo's, it tells the decision."""
    _, said, folder = serving
    address = said[-1].strip()
    token = (folder / "build/demo/auditor-token").read_text()
    with httpx.Client(timeout=30) as reader:
        assert reader.get(address).status_code == 401
        form = f"{address.partition('/console/')[0]}/console/sign-in"
        assert reader.post(form, data={"token": token}).status_code == 303
        page = reader.get(address)
    assert page.status_code == 200
    assert "approved" in page.text.lower() or "declined" in page.text.lower() or "review" in page.text.lower()
    assert "ada and grace" in page.text


@pytest.mark.browser
def test_its_completeness_is_drawn(serving: Serving) -> None:
    """In a browser: each partition decided, logged and sealed alike, by the sealer that runs; axe-core finds nothing."""
    _, said, _ = serving
    console = said[-1].strip(" '").partition("/console/")[0] + "/console/completeness"
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(console)
        keep(page, "completeness-sealed")
        page.get_by_text("As a table").click()
        rows = page.locator("tbody tr").all()
        figures = [[int(cell.replace(",", "")) for cell in row.locator("td").all_inner_texts()] for row in rows]
        assert sum(decided for decided, _, _ in figures) == SMALLEST
        assert all(decided == logged == sealed for decided, logged, sealed in figures)
        expect(page.locator(".lead ~ p").first).to_contain_text(f"The sealer {SEALER} last sealed")
        expect(page.locator(".alert")).to_have_count(0)
        for kind in ("decided", "logged", "sealed"):
            assert [box.get_attribute("width") != "0" for box in page.locator(f"svg rect.{kind}").all()] == [True] * len(rows)
        assert Axe().run(page).violations_count == 0


def test_the_smallest_amount_holds(serving: Serving) -> None:
    """All of it holds with the fewest transactions allowed, and `demo.json` has every figure, of this run."""
    _, said, folder = serving
    found = json.loads((folder / "build/demo.json").read_bytes())
    assert any("all of it held" in line for line in said)
    assert found.keys() >= FIELDS
    assert (found["transactions"], found["decisions"], found["log_size"], found["rejected"]) == (*(SMALLEST,) * 3, 0)
    assert found["verified"]
    assert found["tampered_refused"]
    assert found["replay_identical"]
    assert found["complete"], "every decision is on what the sealer read"
    assert len(found["cosigned"]) >= 2, "two of the three witnesses must"
    assert found["anchored"] == (["chain1", "tsa1"] if shutil.which("openssl") else ["chain1"])
    assert found["average_precision"] > 5 * found["fraud"] / found["transactions"], "no better than chance"
    assert Path(found["bundle"]).exists()
    assert Path(found["policy"]).is_dir()


def test_what_it_tells_to_type_works(serving: Serving) -> None:
    """The commands for verifying and replaying, copied from the screen, succeed."""
    _, said, folder = serving
    commands = re.findall(r"^\S*tallystick (?:verify|replay) (?:.*\\\n)?.*$", "\n".join(said), re.MULTILINE)
    assert {"verify", "replay"} <= {word for command in commands for word in command.split()}
    for command in commands:
        done = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_a_case_taken_from_it_has_its_seals(serving: Serving) -> None:
    """A time of it, exported and verified by the small verifier: each decision is on the records that the sealer read."""
    _, said, folder = serving
    audit = said[-1].strip(" '").partition("/console/")[0]
    figures = json.loads((folder / "build/demo.json").read_bytes())
    case = ["--place", "0/0-49", "--place", "1/7", "--audit", audit, "--token-file", "build/demo/auditor-token"]
    export = ["tallystick", "export", "--case", "c", "-o", "case.zip", *case, "--policy", figures["policy"]]
    _ran(folder, *export)
    told = json.loads(_ran(folder, "tallystick-verify", "case.zip", "--policy", figures["policy"], "--json"))
    assert (told["sound"], len(told["decisions"]), told["sealed"], told["left_out"]) == (True, 51, {SEALER: 51}, [])


def _ran(folder: Path, program: str, *arguments: str) -> str:
    done = subprocess.run([console_script(program), *arguments], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_second_one_is_refused(serving: Serving) -> None:
    """Another demo in the folder ends with 1 and a sentence that names the first, and harms nothing."""
    demo, said, folder = serving
    with _demo(folder) as other:
        out, errors = other.communicate(timeout=30)
    assert (other.returncode, out) == (1, "")
    assert f"(process {demo.pid}); stop it first" in errors
    assert httpx.get(said[-1].strip(" '").partition("?")[0], timeout=30).status_code == 401
    assert (folder / "build/demo.json").exists()


def _wait_for_services(demo: "subprocess.Popen[str]") -> list[int]:
    """Wait until servers and services run; return their process ids, and those of whatever they started."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and demo.poll() is None:
        found = descendants(demo.pid)
        if sum(b"tallystick-" in command_line(pid) for pid in found) >= PROCESSES:
            return found
        time.sleep(0.1)
    pytest.fail("the demo's services did not start")


def _said_until_served(demo: "subprocess.Popen[str]") -> list[str]:
    """Return the lines up to the last one that it prints; all of them if it ended before."""
    assert demo.stdout is not None
    said = []
    for line in demo.stdout:
        said.append(line.rstrip("\n"))
        if line.startswith("    http") and "/console/" in line:
            break
    return said


def _demo(folder: Path, *arguments: str, preexec: bool = False) -> "subprocess.Popen[str]":
    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    return subprocess.Popen(
        [console_script("tallystick"), "demo", "--transactions", str(SMALLEST), *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=ignore if preexec else None,
    )


def _fetch(command: str, folder: Path) -> httpx.Response:
    """Do what a curl line does; an index that evidence has not reached yet is asked again."""
    words = shlex.split(command.replace("\\\n", " ").replace("$(cat ", "").replace(')"', '"'))[1:]
    headers = {}
    if words[0] == "-H":
        name, _, value = words[1].partition(": ")
        scheme, _, file = value.partition(" ")
        headers[name] = f"{scheme} {(folder / file).read_text()}"
    deadline = time.monotonic() + 60
    while (answer := httpx.get(words[-1], headers=headers, timeout=30)).status_code != 200 and time.monotonic() < deadline:
        time.sleep(0.2)
    return answer
