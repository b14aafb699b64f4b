// The panel of a page that verifies: takes a bundle and a trust policy from the reader, asks `verify.mjs`, and shows what it says.
// It takes nothing on trust from the page around it: what is shown as proven comes from the verified bytes.
import { decode, encode, float32, hex, OUTCOMES, readBundle } from "./records.mjs";
import { climb, verifyBundle } from "./verify.mjs";

const FILES = ["log.policy", "trust.toml"], PINNED = "tallystick trust policy", SVG = "http://www.w3.org/2000/svg";
const at = (id) => document.getElementById(id);
const area = (name) => at(name.replace(".", "-"));
const given = { bundle: null };

const digestOf = async (bytes) => hex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
const date = (time) => new Date(Number(time)).toISOString().replace("T", " ").slice(0, 19);

function make(name, attributes, ...children) {
  const svg = ["svg", "g", "path", "rect", "text", "title"].includes(name);
  const node = svg ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children);
  return node;
}

// --- what the reader brings -------------------------------------------------------------------------------------------------
function store(action) {
  try { return action(localStorage); } catch { return null; } // a browser may keep nothing, and then only pinning is lost
}

function showPinned() {
  const pinned = store((kept) => kept.getItem(PINNED));
  at("pinned").textContent = pinned ? "A policy is pinned in this browser." : "No policy is pinned in this browser.";
  at("unpin").hidden = !pinned;
  return pinned;
}

async function take(files) {
  for (const file of files) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (FILES.includes(file.name)) area(file.name).value = decode(bytes);
    else given.bundle = bytes;
    if (!FILES.includes(file.name) && at("bundle-text")) at("bundle-text").value = new TextDecoder().decode(bytes);
  }
  await judge();
}

// --- what is shown ----------------------------------------------------------------------------------------------------------
function say(state, title, words) {
  at("verdict").dataset.state = state;
  at("verdict").replaceChildren(make("strong", {}, title), make("span", {}, words));
}

function list(node, items, failed) {
  const words = (text) => text.split("`").map((part, place) => (place % 2 ? make("code", {}, part) : part));
  node.replaceChildren(...items.map((item) => make("li", {}, ...words(item))));
  if (failed) node.append(make("li", { class: "failed" }, failed));
}

// The way from the decision's leaf up to the root: what it is hashed with on the left or right, level by level.
function draw(way, leaf, index, size, state) {
  const high = 44, levels = way.steps.length, height = (levels + 1) * high + 44, middle = 270;
  const label = (bytes) => `${hex(bytes).slice(0, 12)}…`, nodes = [], edges = [];
  const box = (x, y, bytes, kind) => nodes.push(make("g", {},
    make("rect", { x: x - 62, y, width: 124, height: 26, rx: 6, class: `node ${kind}` }, make("title", {}, hex(bytes))),
    make("text", { x, y: y + 17, "text-anchor": "middle" }, label(bytes))));
  const write = (y, words) => nodes.push(make("text", { x: middle, y, "text-anchor": "middle", class: "small" }, words));
  const top = (level) => height - 54 - level * high;
  box(middle, top(0), leaf, "own");
  write(top(0) + 44, `the decision, entry ${index.toLocaleString("en-US")}`);
  write(top(levels) - 8, "the root");
  way.steps.forEach((step, level) => {
    const side = step.left ? middle - 150 : middle + 150;
    const from = top(level), to = top(level + 1) + 26;
    edges.push(make("path", { d: `M${side} ${from} C${side} ${from - 14} ${middle} ${from - 6} ${middle} ${to}`, class: "edge" }),
      make("path", { d: `M${middle} ${from} V${to}`, class: "edge own" }));
    box(side, top(level), step.sibling, "beside");
    box(middle, top(level + 1), step.hash, level + 1 === levels ? "own root" : "own");
  });
  const words = `The Merkle path of entry ${index} in a tree of ${size}: ${levels} hashes lead from the decision to the root ${hex(way.root)}.`;
  const picture = make("svg", { viewBox: `48 0 444 ${height}`, role: "img", "aria-label": words, class: `path ${state}` }, ...edges, ...nodes);
  at("path").replaceChildren(picture);
  at("path-caption").textContent = `From entry ${index.toLocaleString("en-US")} to the root of ${size.toLocaleString("en-US")} entries`;
  at("path-figure").hidden = false;
}

async function drawPath(bytes, state) {
  try {
    const { decision, checkpoint } = readBundle(bytes), size = BigInt(decode(checkpoint).split("\n")[1]);
    const leaf = new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from([0, ...decision.entry])));
    draw(await climb(decision.index, size, leaf, decision.proof), leaf, decision.index, size, state);
  } catch { at("path-figure").hidden = true; } // there is no such path; the verdict says so
}

function showProven({ decision, governance, disclosed, head }) {
  const rows = [["Outcome", OUTCOMES[decision.outcome]], ["Decided", `${date(decision.decided_at_ms)} UTC`]];
  if (decision.margin_bits !== undefined) rows.push(["Margin and score", `${float32(decision.margin_bits)}, ${decision.score}`]);
  if (governance) rows.push(["Model", `${governance.model.name} ${governance.model.version}`],
    ["Policy", `${governance.policy.name} ${governance.policy.version}`], ["Approved by", governance.activation.signers.join(" and ")]);
  if (disclosed.identity) rows.push(["Transaction", disclosed.identity.transaction_id]);
  if (head.quorumTime) rows.push(["Quorum's last word", `${date(head.quorumTime * 1000n)} UTC`]);
  const facts = make("dl", { class: "facts" }, ...rows.map(([name, value]) =>
    make("div", {}, make("dt", {}, name), make("dd", {}, String(value)))));
  at("proven").replaceChildren(make("h3", {}, "What is proven"), facts);
  at("proven").hidden = false;
}

function clear() {
  at("proven").hidden = at("unchecked-part").hidden = true;
  list(at("checks"), []);
}

let turn = 0;
async function judge() {
  const mine = ++turn, texts = FILES.map((name) => area(name).value);
  for (const [place, name] of FILES.entries()) {
    area(`${name}-digest`).textContent = texts[place] ? await digestOf(encode(texts[place])) : "";
  }
  if (mine !== turn) return;
  clear();
  if (!given.bundle) return say("waiting", "Not verified yet", "There is no proof bundle here.");
  await drawPath(given.bundle, "waiting");
  if (texts.some((text) => !text)) return say("waiting", "Not verified yet", "It takes both files of your trust policy.");
  try {
    const found = await verifyBundle(given.bundle, Object.fromEntries(FILES.map((name, place) => [name, encode(texts[place])])));
    if (mine !== turn) return;
    say("sound", "Everything holds.", "Under your trust policy, and nobody else's word.");
    list(at("checks"), found.checks);
    list(at("unchecked"), found.unchecked);
    at("unchecked-part").hidden = false;
    showProven(found);
    await drawPath(given.bundle, "sound");
  } catch (error) {
    if (mine !== turn) return;
    say("broken", "This does not hold.", `${error.message[0].toUpperCase()}${error.message.slice(1)}.`);
    list(at("checks"), error.checks ?? [], error.message);
    await drawPath(given.bundle, "broken");
  }
}

async function begin() {
  const pinned = showPinned();
  if (pinned) {
    const files = JSON.parse(pinned);
    for (const name of FILES) area(name).value = files[name] ?? "";
    at("policy").open = false;
  }
  for (const name of FILES) area(name).addEventListener("input", judge);
  at("policy-files").addEventListener("change", ({ target }) => take(target.files));
  at("bundle-file")?.addEventListener("change", ({ target }) => take(target.files));
  at("bundle-text")?.addEventListener("input", ({ target }) => { given.bundle = target.value ? encode(target.value) : null; judge(); });
  at("pin").addEventListener("click", () => {
    store((kept) => kept.setItem(PINNED, JSON.stringify(Object.fromEntries(FILES.map((name) => [name, area(name).value])))));
    showPinned();
  });
  at("unpin").addEventListener("click", () => { store((kept) => kept.removeItem(PINNED)); showPinned(); at("pin").focus(); });
  document.addEventListener("dragover", (event) => { event.preventDefault(); at("panel").classList.add("over"); });
  document.addEventListener("dragleave", () => at("panel").classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    at("panel").classList.remove("over");
    take(event.dataTransfer.files);
  });
  const { bundle } = at("panel").dataset;
  if (bundle) {
    const answer = await fetch(bundle);
    if (answer.ok) given.bundle = new Uint8Array(await answer.arrayBuffer());
  }
  await judge();
}

begin();
