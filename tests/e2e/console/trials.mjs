// The conformance vectors (tests/vectors), tried on the console's verifier. `disagreements` is empty if it agrees with all of them.
import { base64, decode, encode, hex } from "./records.mjs";
import {
  checkKey, climb, isSigned, parseCheckpoint, parseLogPolicy, parseNote, parseVerifierKey, verifyCheckpoint, verifyNote,
} from "./verify.mjs";

const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));

function bytes(document) {
  if (typeof document === "string") return encode(document);
  if (Array.isArray(document)) return join(document.map(bytes));
  if ("repeat" in document) return join(Array(Number(document.times)).fill(bytes(document.repeat)));
  return base64(document.base64);
}

function join(parts) {
  const out = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) { out.set(part, at); at += part.length; }
  return out;
}

async function arrives(index, size, leaf, proof, root) {
  const way = await climb(BigInt(index), BigInt(size), leaf, proof);
  if (hex(way.root) !== hex(root)) throw new Error("another root");
  return {};
}

const TRIALS = {
  "signed-note": async (one) => {
    const keys = await Promise.all(one.keys.map(parseVerifierKey)), note = parseNote(bytes(one.note));
    const signers = (await verifyNote(note, keys)).map(({ key, time }) => ({ key: key.text, ...(time && { time: Number(time) }) }));
    return { text_length: encode(note.text).length, signers };
  },
  "verifier-key": async (one) => {
    const { name, id, kind, key } = await parseVerifierKey(one.vkey);
    return { name, key_id: id, type: kind, public_key: hex(key) };
  },
  checkpoint: async (one) => {
    const { origin, size, root, extensions } = parseCheckpoint(decode(bytes(one.text)));
    return { origin, size: String(size), root: hex(root), extensions };
  },
  cosignature: async (one) => {
    const [{ time }] = await verifyNote(parseNote(encode(`${one.text}\n${one.line}`)), [await parseVerifierKey(one.key)]);
    return { time: String(time) };
  },
  inclusion: (one) => arrives(one.index, one.size, unhex(one.leaf), one.proof.map(unhex), unhex(one.root)),
  policy: async (one) => { await parseLogPolicy(bytes(one.policy)); return {}; },
  "policy-verdict": async (one) => {
    const { cosigned } = await verifyCheckpoint(await parseLogPolicy(encode(one.policy)), bytes(one.checkpoint), one.origin);
    return { cosigned: Object.fromEntries([...cosigned].map(([name, time]) => [name, String(time)])) };
  },
  "ed25519-key": async (one) => { checkKey(unhex(one.public_key)); return {}; },
  "ed25519-signature": async (one) => {
    checkKey(unhex(one.public_key));
    if (!(await isSigned(unhex(one.public_key), unhex(one.message), unhex(one.signature)))) throw new Error("not signed");
    return {};
  },
  // transparency-dev/merkle's own cases, in their own form.
  "merkle/inclusion": (one) => {
    const proof = (one.proof ?? []).map((node) => base64(node));
    return arrives(one.leafIdx, one.treeSize, base64(one.leafHash ?? ""), proof, base64(one.root ?? ""));
  },
};

const plain = (value) => JSON.stringify(value, (_, item) =>
  item && typeof item === "object" && !Array.isArray(item) ? Object.fromEntries(Object.entries(item).sort()) : item);

// Cases with `verdict`, and what an accepted one states; `open` ones may go either way.
export async function disagreements(name, cases) {
  const out = [];
  for (const one of cases) {
    let seen;
    try { seen = await TRIALS[name](one); } catch (error) {
      if (one.verdict === "accept") out.push(`${one.id}: refused: ${error.message} (${one.why})`);
      continue;
    }
    const stated = Object.fromEntries(Object.keys(seen).map((key) => [key, one[key]]));
    if (one.verdict === "reject") out.push(`${one.id}: accepted (${one.why})`);
    else if (one.verdict === "accept" && plain(seen) !== plain(stated)) out.push(`${one.id}: read as ${plain(seen)}`);
  }
  return out;
}
