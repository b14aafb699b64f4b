"""The console in Chromium: every page for everybody's eyes and hands, proofs that hold or do not, and who is shown what."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from ...browser import chromium, keep
from .bank import CUSTOMER, MODEL_FILE
from .world import World

pytestmark = pytest.mark.browser
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
FILES = ("log.policy", "trust.toml")
Document = dict[str, Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield Chromium."""
    with chromium() as running:
        yield running


def token(world: World, scope: str = "auditor", customer: str | None = None) -> str:
    """Return an access token."""
    return world.bearer(scope, customer)["Authorization"].removeprefix("Bearer ")


@pytest.fixture
def visitor(browser: Browser, world: World) -> Iterator[BrowserContext]:
    """Yield somebody who is not signed in; whatever the pages ask of others, or what their policy stops, fails the test."""
    with watched(browser, world) as context:
        yield context


@pytest.fixture(scope="module")
def signed_in(browser: Browser, world: World) -> Any:
    """Sign an auditor in, once; return what the browser keeps of it."""
    with watched(browser, world) as context:
        sign_in(context.new_page(), token(world))
        return context.storage_state()


@pytest.fixture
def reading(browser: Browser, world: World, signed_in: Any) -> Iterator[BrowserContext]:
    """Yield an auditor who has signed in, watched as a visitor is."""
    with watched(browser, world, signed_in) as context:
        yield context


class watched:  # noqa: N801  a context manager, used as one
    """A browser context whose pages load from the service alone and say nothing on the console."""

    def __init__(self, browser: Browser, world: World, state: Any = None) -> None:
        self.context = browser.new_context(base_url=world.url, viewport=DESK, storage_state=state, reduced_motion="reduce")  # type: ignore[arg-type]  # a plain dict
        self.context.set_default_timeout(10_000)
        self.troubles: list[str] = []
        self.context.on("console", lambda said: self.troubles.append(said.text) if said.type == "error" else None)
        self.context.on("weberror", lambda error: self.troubles.append(str(error.error)))
        self.context.on(
            "request", lambda asked: None if asked.url.startswith((world.url, "data:")) else self.troubles.append(asked.url)
        )

    def __enter__(self) -> BrowserContext:
        return self.context

    def __exit__(self, *_: object) -> None:
        self.context.close()
        assert [trouble for trouble in self.troubles if "the server responded with a status of 4" not in trouble] == []


def sign_in(page: Page, with_token: str, at: str = "/console/sign-in") -> Page:
    """Sign in with the form."""
    page.goto(at)
    page.get_by_label("Access token").fill(with_token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda address: "sign-in" not in address)
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()
    return page


def give_policy(page: Page, world: World) -> None:
    """Give the page the auditor's own trust policy, as files."""
    page.locator("#policy-files").set_input_files([world.servers.policy / name for name in FILES])


PAGES = {
    "home": "/console/",
    "sign-in": "/console/sign-in",
    "decision": "/console/decisions/tx-plain",
    "rejected": "/console/positions/1/1",
    "erased": "/console/decisions/tx-erased",
    "not-known": "/console/decisions/tx-nobody",
    "logs": "/console/logs",
    "models": "/console/models",
    "model": f"/console/models/{hashlib.sha256(MODEL_FILE).hexdigest()}",
    "reports": "/console/reports",
    "completeness": "/console/completeness",
    "verify": "/console/verify",
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page(reading: BrowserContext, name: str) -> None:
    """Each page: axe-core finds nothing, in light and in dark; on a phone nothing sticks out; pictures are kept."""
    page = reading.new_page()
    page.goto(PAGES[name])
    expect(page.get_by_role("heading", level=1)).to_have_count(1)
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    for scheme, rules in (("light", None), ("dark", {"runOnly": ["color-contrast"]})):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # a literal
        found = Axe().run(page, options=rules)
        assert found.violations_count == 0, found.generate_report()
        keep(page, f"{name}-{scheme}")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]  # a plain dict
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    keep(page, f"{name}-phone")


def test_a_policy_s_page(reading: BrowserContext) -> None:
    """From the models to a policy, told in words."""
    page = reading.new_page()
    page.goto("/console/models")
    page.get_by_role("region", name="Policies").get_by_role("link").first.click()
    expect(page.locator("main")).to_contain_text("or more is declined")
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def test_from_the_search_to_a_verdict(reading: BrowserContext, world: World) -> None:
    """By keyboard alone: skip to the search, look a transaction up, and see its outcome told."""
    page = reading.new_page()
    page.goto("/console/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Transaction")).to_be_focused()
    page.keyboard.type("tx/with/slash")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Declined")
    expect(page.locator("main")).to_contain_text("refused as suspected fraud")
    expect(page.get_by_role("status").first).to_contain_text("Not verified yet")


def test_a_sound_proof(reading: BrowserContext, world: World) -> None:
    """Green only once the reader's own policy is there; then it is told what is proven, and the path is drawn."""
    page = reading.new_page()
    page.goto("/console/decisions/tx-plain")
    verdict = page.locator("#verdict")
    expect(verdict).to_have_attribute("data-state", "waiting")
    expect(page.get_by_role("img", name="The Merkle path")).to_be_visible()
    give_policy(page, world)
    expect(verdict).to_have_attribute("data-state", "sound")
    expect(verdict).to_contain_text("Everything holds.")
    expect(page.locator("#checks li").first).to_contain_text("signed a checkpoint of 600 entries")
    expect(page.locator("#proven")).to_contain_text("DECLINE")
    expect(page.locator("#unchecked")).to_contain_text("sealers show that")
    digest = hashlib.sha256((world.servers.policy / "log.policy").read_bytes()).hexdigest()
    expect(page.locator("#log-policy-digest")).to_have_text(digest)
    assert Axe().run(page).violations_count == 0
    keep(page, "sound-light")
    page.get_by_role("button", name="Pin in this browser").click()
    page.goto("/console/decisions/tx-twice")
    expect(page.locator("#verdict")).to_have_attribute("data-state", "sound")
    page.get_by_text("Your trust policy", exact=True).click()
    page.get_by_role("button", name="Forget it").click()
    page.reload()
    expect(page.locator("#verdict")).to_have_attribute("data-state", "waiting")


def flipped(*path: str | int) -> Callable[[Document], None]:
    """Return what flips one bit of what base64 holds there."""

    def change(document: Document) -> None:
        target: Any = document
        for place in path[:-1]:
            target = target[place]
        data = bytearray(base64.b64decode(target[path[-1]]))
        data[len(data) // 2] ^= 1
        target[path[-1]] = base64.b64encode(data).decode()

    return change


def _other_size(document: Document) -> None:
    document["decision"]["checkpoint"] = document["decision"]["checkpoint"].replace("\n600\n", "\n601\n")


def _other_index(document: Document) -> None:
    document["decision"]["index"] += 1


BROKEN: dict[str, tuple[Callable[[Document], None], str]] = {
    "entry": (flipped("decision", "entry"), "The decision is not in the log"),
    "index": (_other_index, "The decision is not in the log"),
    "proof": (flipped("decision", "proof", 3), "The decision is not in the log"),
    "checkpoint": (_other_size, "The decisions log's checkpoint is refused"),
    "model": (flipped("governance", "model", "entry"), "The model is not in the log"),
    "policy": (flipped("governance", "policy", "proof", 0), "The policy is not in the log"),
    "activation": (flipped("governance", "activation", "entry"), "The activation is not in the log"),
    "salt": (flipped("disclosures", 2, "salt"), "The disclosed features: it is not what the decision commits to"),
    "content": (flipped("disclosures", 0, "content"), "The disclosed identity: it is not what the decision commits to"),
}


@pytest.mark.parametrize(("change", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_proof(reading: BrowserContext, world: World, change: Callable[[Document], None], words: str) -> None:
    """With one part broken on its way it is red, and says which part; what held until then is listed."""
    page = reading.new_page()

    def answer(route: Route) -> None:
        document = route.fetch().json()
        change(document)
        route.fulfill(json=document)

    page.route("**/bundle", answer)
    page.goto("/console/decisions/tx-plain")
    give_policy(page, world)
    expect(page.locator("#verdict")).to_have_attribute("data-state", "broken")
    expect(page.locator("#verdict")).to_contain_text(words)
    expect(page.locator("#checks li.failed")).to_have_count(1)
    expect(page.locator("#proven")).to_be_hidden()
    if words.startswith("The decision is"):
        keep(page, "broken-light")


def test_another_policy(reading: BrowserContext, world: World, tmp_path: Path) -> None:
    """What the page's own service believes counts for nothing: under another bank's policy the same proof fails."""
    page = reading.new_page()
    page.goto("/console/decisions/tx-plain")
    for name in FILES:
        text = (world.servers.policy / name).read_text()
        (tmp_path / name).write_text(text.replace('name = "ada"', 'name = "eve"'))
    page.locator("#policy-files").set_input_files([tmp_path / name for name in FILES])
    expect(page.locator("#verdict")).to_have_attribute("data-state", "broken")
    expect(page.locator("#verdict")).to_contain_text("its signer 'ada' is not known")


def test_one_file_to_download(reading: BrowserContext, browser: Browser, world: World, tmp_path: Path) -> None:
    """The verifier's file has the digest that is shown, asks for nothing when it is opened, and gives the same verdicts."""
    page = reading.new_page()
    page.goto("/console/verify")
    with page.expect_download() as coming:
        page.get_by_role("link", name="Download the verifier").click()
    file = tmp_path / "verifier.html"
    coming.value.save_as(file)
    expect(page.get_by_text(hashlib.sha256(file.read_bytes()).hexdigest())).to_be_visible()
    bundle = tmp_path / "bundle.json"
    bundle.write_bytes(httpx.get(f"{world.url}/v1/decisions/tx-plain/bundle", headers=world.bearer()).content)

    alone = browser.new_context(offline=True).new_page()
    asked: list[str] = []
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto(file.as_uri())
    alone.locator("#bundle-file").set_input_files(bundle)
    give_policy(alone, world)
    expect(alone.locator("#verdict")).to_have_attribute("data-state", "sound")
    keep(alone, "standalone")
    document = json.loads(bundle.read_bytes())
    flipped("decision", "entry")(document)
    alone.get_by_label("Bundle", exact=True).fill(json.dumps(document))
    expect(alone.locator("#verdict")).to_have_attribute("data-state", "broken")
    assert asked == [file.as_uri()]
    blocked = "() => fetch('http://127.0.0.1:9/').then(() => 'reached', (error) => 'refused')"
    assert alone.evaluate(blocked) == "refused"
    assert Axe().run(alone).violations_count == 0
    alone.context.close()


# --- who is shown what --------------------------------------------------------------------------------------------------------


def test_a_visitor_is_asked_who_they_are(visitor: BrowserContext, world: World) -> None:
    """A decision is shown to nobody who is not signed in; after signing in its page is there, and signing out ends it."""
    page = visitor.new_page()
    assert (answer := page.goto("/console/decisions/tx-plain"))
    assert answer.status == 401
    sign_in(page, token(world), "/console/decisions/tx-plain")
    expect(page.get_by_role("heading", level=1)).to_have_text("Declined")
    [cookie] = visitor.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"]) == (True, "Strict", "/console")
    page.get_by_role("button", name="Sign out").click()
    assert visitor.cookies() == []


def test_a_customer_sees_their_own(visitor: BrowserContext, world: World) -> None:
    """The outcome, why in plain words, amount and proof; not the margin, not its features, not by place, not another's."""
    page = sign_in(visitor.new_page(), token(world, "customer", CUSTOMER))
    page.goto("/console/decisions/tx-plain")
    expect(page.get_by_role("heading", level=1)).to_have_text("Declined")
    expect(page.locator("main")).to_contain_text("Amount")
    expect(page.locator("main")).not_to_contain_text("margin is")
    give_policy(page, world)
    expect(page.locator("#verdict")).to_have_attribute("data-state", "sound")
    expect(page.locator("#unchecked")).to_contain_text("not disclosed here: features, explanation")
    keep(page, "customer")
    assert (answer := page.goto("/console/positions/0/0"))
    assert answer.status == 403
    sign_in(page, token(world, "customer", "somebody-else"))
    assert (answer := page.goto("/console/decisions/tx-plain"))
    assert answer.status == 404


@pytest.mark.parametrize("bad", ["nonsense", "a.b.c", ""])
def test_a_token_that_is_none(client: httpx.Client, bad: str) -> None:
    """It is refused with a sentence, and no cookie is set."""
    answer = client.post("/console/sign-in", data={"token": bad, "after": "/console/"})
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert "set-cookie" not in answer.headers


def test_a_token_for_something_else(client: httpx.Client, world: World) -> None:
    """A privacy officer's token is good, and opens nothing here."""
    answer = client.post("/console/sign-in", data={"token": token(world, "privacy")})
    assert (answer.status_code, "opens nothing that the console shows" in answer.text) == (401, True)


@pytest.mark.parametrize(
    "after", ["https://example.com/", "//example.com", "/\\example.com", "/console/../x//y", "/v1/logs", ""]
)
def test_nobody_is_sent_elsewhere(client: httpx.Client, world: World, after: str) -> None:
    """After signing in one stays below the console."""
    answer = client.post("/console/sign-in", data={"token": token(world), "after": after})
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/console/")


def test_another_site_s_form(client: httpx.Client, world: World) -> None:
    """A form that another site sends is not taken: it would sign a reader in as somebody else."""
    answer = client.post("/console/sign-in", data={"token": token(world)}, headers={"Origin": "https://example.com"})
    assert answer.status_code >= 400
    assert "set-cookie" not in answer.headers


def test_headers(client: httpx.Client) -> None:
    """No page may be framed, run what is written into it, or load from elsewhere; the API's documents stay as they were."""
    for address in ("/console/", "/console/logs", "/console/decisions/x", "/console/nothing-here"):
        policy = client.get(address).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
    assert not any(path.startswith("/console") for path in client.get("/openapi.json").json()["paths"])


def test_addresses_that_are_no_page(client: httpx.Client) -> None:
    """Without its slash the console is found all the same; what is nowhere is said on a page, with the search on it."""
    answer = client.get("/console")
    assert (answer.status_code, answer.headers["location"]) == (308, "/console/")
    for address in ("/console/nothing", "/console/nothing/at/all", "/console/logs/"):
        answer = client.get(address)
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "no page at this address" in answer.text
    assert client.get("/consoles").headers["content-type"] == "application/problem+json"


def test_files_are_kept_while_they_are_the_same(client: httpx.Client) -> None:
    """The console's own files have a tag; asked for again with it there is nothing to send, and there are no others."""
    answer = client.get("/console/static/verify.mjs")
    assert answer.headers["content-type"].startswith("text/javascript")
    again = client.get("/console/static/verify.mjs", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    for name in ("..%2Fpages.py", "pages.py", "standalone.html"):
        assert client.get(f"/console/static/{name}").status_code == 404
