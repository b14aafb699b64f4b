// Verifies a Tallystick proof bundle, written apart from the Python verifier: WebCrypto, no library, no network, no clock.
//
//   const found = await verifyBundle(bundle, {"log.policy": bytes, "trust.toml": bytes});    // every one a Uint8Array
//
// It believes that trust policy and nothing else. It returns what is proven, or throws `Refused`: `message` says what does not
// hold, `checks` what held until then. What it does not look at, `unchecked` says; anchors are among it.
// Formats: C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-policy; RFC 6962, 8032; tallystick.trust.bundle_format.
import { base64, checkModel, checkPolicy, decimal, decode, encode, float32, GROUPS, hex, MAX, need, octets, OUTCOMES,
  parseMessage, readBundle, readTrust, Refused, ROLES } from "./records.mjs";

const part = async (what, work) => {
  try { return await work(); } catch (error) { throw new Refused(`${what}: ${error.message}`); }
};
const join = (...parts) => Uint8Array.from(parts.flatMap((bytes) => Array.from(bytes)));
const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", join(...parts)));
const same = (one, other) => hex(one) === hex(other);
const count = (number) => number.toLocaleString("en-US");

// --- Ed25519 (RFC 8032), without the keys on which verifiers disagree -------------------------------------------------------
const P = 2n ** 255n - 19n;
const little = (bytes) => BigInt(`0x${hex(bytes.toReversed())}`);
const half = (base, exponent) => power((base * base) % P, exponent / 2n);
const power = (base, exponent) => (exponent ? ((exponent % 2n ? base : 1n) * half(base, exponent)) % P : 1n);
const D = ((P - 121665n) * power(121666n, P - 2n)) % P;
const SMALL_ORDER = ["26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"]; // beside y = 0, 1 and -1

export function checkKey(key) {
  need(key.length === 32, `an Ed25519 public key has 32 bytes, not ${key.length}`);
  const y = little(key) % 2n ** 255n, square = (y * y) % P, small = SMALL_ORDER.includes(hex(key.with(31, key[31] & 127)));
  need(y < P, "the Ed25519 public key is not in canonical form");
  need(!small && y > 1n && y < P - 1n, "the Ed25519 public key is of small order: anybody can sign for it");
  const euler = power(((square + P - 1n) * (D * square + 1n)) % P, (P - 1n) / 2n);
  need(euler === 1n, "the Ed25519 public key is not a point of the curve");
}
export async function isSigned(key, message, signature) {
  if (signature.length !== 64) return false;
  const imported = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
  return crypto.subtle.verify("Ed25519", imported, signature, message);
}

// --- signed notes, checkpoints, and the policy that says whose count --------------------------------------------------------
const LOG = 1, COSIGNER = 4;
function checkName(name) {
  const sound = name?.isWellFormed() && encode(name).length <= 1024 && /^[^+\p{White_Space}\x00-\x1f]+$/u.test(name);
  need(sound, "a key's name has 1 to 1024 bytes, and no spaces, plus signs or control characters");
}
export async function parseVerifierKey(text) {
  const [, name, id, encoded] = /^([^+]*)\+([^+]*)\+(.*)$/s.exec(text.slice(0, 4097)) ?? [];
  const material = base64(encoded), kind = material[0], key = material.subarray(1);
  checkName(name);
  need(kind === LOG || kind === COSIGNER, `${name}: keys of kind ${kind} are not known here`);
  checkKey(key);
  need(id === hex(await sha256(encode(`${name}\n`), material)).slice(0, 8), `${name}: the key id is not this key's`);
  return { name, id, kind, key, text };
}
export function parseNote(bytes) {
  const whole = decode(bytes), end = whole.lastIndexOf("\n\n"), lines = whole.slice(end + 2).split("\n");
  need(bytes.length <= 1_000_000 && !/[\x00-\x09\x0b-\x1f]/.test(whole), "a note is too long, or has control characters");
  need(end >= 0 && lines.pop() === "" && lines.length && lines.length <= 100, "a note is a text and 1 to 100 signature lines");
  const signatures = lines.map((line) => {
    const [, name, encoded] = /^— ([^ ]*) (.*)$/s.exec(line) ?? [], blob = base64(encoded);
    checkName(name);
    need(blob.length > 4, `the signature of ${name} is too short to be one`);
    return { name, id: hex(blob.subarray(0, 4)), signature: blob.subarray(4) };
  });
  return { text: whole.slice(0, end + 1), signatures };
}
export async function verifyNote(note, keys) {
  const verified = [];
  for (const { name, id, signature } of note.signatures) {
    const [key, ...same] = keys.filter((known) => known.name === name && known.id === id);
    need(same.every((other) => other.text === key.text), `two known keys are called ${name} and have the same key id`);
    if (!key) continue;
    const time = key.kind === COSIGNER ? BigInt(`0x0${hex(signature.subarray(0, 8))}`) : undefined;
    need(time === undefined || (time > 0n && time <= MAX), `the cosignature of ${name} has a time that cannot be`);
    const message = encode(time === undefined ? note.text : `cosignature/v1\ntime ${time}\n${note.text}`);
    const made = time === undefined ? signature : signature.subarray(8);
    need(await isSigned(key.key, message, made), `the signature of ${name} does not verify`);
    verified.push({ key, time });
  }
  need(verified.length, "no known key has signed this note");
  return verified;
}
export function parseCheckpoint(text) {
  need(encode(text).length <= 100_000 && /^(?:[^\x00-\x1f]+\n){3,}$/.test(text), "a checkpoint has three lines or more");
  const [origin, size, root, ...extensions] = text.slice(0, -1).split("\n"), hash = base64(root);
  need(hash.length === 32, "a checkpoint's root has 32 bytes");
  return { origin, size: decimal(size), root: hash, extensions };
}
export async function parseLogPolicy(bytes) {
  need(bytes.length <= 2 ** 18 && (bytes.at(-1) ?? 10) === 10, "it is too long, or its last line does not end in a newline");
  const policy = { logs: [], witnesses: new Map(), groups: new Map(), retired: new Map() }, members = new Set();
  const defined = (name) => policy.witnesses.has(name) || policy.groups.has(name);
  const keyOf = async (vkey, kind, others) => {
    const key = await parseVerifierKey(decode(octets(vkey)));
    need(key.kind === kind && !others.some((other) => same(other.key, key.key)), "a key of another kind, or there twice");
    return key;
  };
  const read = async (keyword, name, ...rest) => {
    const fresh = name !== "none" && !defined(name), size = BigInt(rest.length - 1);
    if (keyword === "log" && name && rest.length <= 1) policy.logs.push(await keyOf(name, LOG, policy.logs));
    else if (keyword === "witness" && fresh && (rest.length === 1 || rest.length === 2)) {
      policy.witnesses.set(name, await keyOf(rest[0], COSIGNER, [...policy.witnesses.values()]));
    } else if (keyword === "group" && fresh && rest.length > 1) {
      const [threshold, ...names] = rest, least = { any: 1n, all: size }[threshold] ?? decimal(threshold, size);
      for (const one of names) need(defined(one) && members.size < members.add(one).size, `${one} cannot be a member`);
      need(least > 0n, "a group's threshold is any, all, or a number of its members");
      policy.groups.set(name, { least: Number(least), names });
    } else {
      const sound = keyword === "quorum" && rest.length === 0 && !policy.quorum && (name === "none" || defined(name));
      need(sound, "not a log, witness, group or quorum line, or not one that can stand here");
      policy.quorum = name;
    }
  };
  const lines = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("").split("\n"); // names are octets
  for (const [at, line] of lines.entries()) {
    const words = line.split(/[ \t]+/).filter((word) => word);
    need(!/[\x00-\x08\x0b-\x1f\x7f]/.test(line), `line ${at + 1} has control characters`);
    if (words.length && !words[0].startsWith("#")) await part(`line ${at + 1}`, () => read(...words));
  }
  need(policy.quorum, "a log policy has a quorum line");
  return policy;
}
export async function verifyCheckpoint(policy, bytes, origin) {
  const note = parseNote(bytes), verified = await verifyNote(note, [...policy.logs, ...policy.witnesses.values()]);
  const own = verified.filter(({ key }) => key.kind === LOG && key.name === origin), head = parseCheckpoint(note.text);
  need(own.length, `the checkpoint is not signed by ${origin}`);
  const speaks = own.some(({ key }) => head.size <= (policy.retired.get(hex(key.key)) ?? head.size));
  need(speaks, `the checkpoint is signed by a retired key of ${origin} alone, and larger than that is good for`);
  need(head.origin === origin, `the checkpoint is of the log ${head.origin}, not of ${origin}`);
  need(head.size > 0n || same(head.root, await sha256()), "an empty log has another root than the empty tree's");
  const cosigned = new Map(), byText = new Map([...policy.witnesses].map(([name, key]) => [key.text, name]));
  for (const { key, time } of verified) {
    if (byText.has(key.text) && !(cosigned.get(byText.get(key.text)) > time)) cosigned.set(byText.get(key.text), time);
  }
  const times = new Map(cosigned); // and of each group, when it last stood by this head
  for (const [name, { least, names }] of policy.groups) {
    const latest = names.flatMap((one) => times.get(one) ?? []).sort((a, b) => (a < b ? 1 : -1));
    if (latest.length >= least) times.set(name, latest[least - 1]);
  }
  const quorate = policy.quorum === "none" || times.has(policy.quorum);
  need(quorate, `the checkpoint of ${origin} lacks cosignatures that the quorum ${policy.quorum} asks for`);
  return { ...head, cosigned, quorumTime: times.get(policy.quorum) };
}
// RFC 9162 §2.1.3.2; returns every step of the way up as well.
export async function climb(index, size, leaf, proof) {
  need(index >= 0n && index < size && size <= MAX, `there is no leaf ${index} in a tree of ${size} leaves`);
  let [node, last, hash, steps] = [index, size - 1n, leaf, []];
  for (const sibling of proof) {
    need(sibling.length === 32 && last > 0n, "the proof is too long, or holds a hash that is not 32 bytes");
    const left = node % 2n === 1n || node === last;
    for (; left && node % 2n === 0n; node /= 2n) last /= 2n;
    hash = await sha256([1], ...(left ? [sibling, hash] : [hash, sibling]));
    steps.push({ sibling, left, hash });
    [node, last] = [node / 2n, last / 2n];
  }
  need(last === 0n && leaf.length === 32, "the proof is too short, or its leaf is not 32 bytes");
  return { steps, root: hash };
}

// --- the trust policy, and who signed what under it -------------------------------------------------------------------------
export async function parseTrust(files) {
  const logs = await part("log.policy", () => parseLogPolicy(files["log.policy"]));
  return part("trust.toml", () => {
    const { decisions, governance, origins, topics, witness, ...tables } = readTrust(files["trust.toml"]), people = new Map();
    const machines = new Set([...logs.logs, ...logs.witnesses.values()].map(({ key }) => hex(key)));
    const isLog = (origin) => logs.logs.some(({ name }) => name === origin);
    need(origins.every(isLog), "[logs]: log.policy has no key for one of them");
    const clock = witness === undefined ? logs.quorum !== "none" : logs.witnesses.has(String.fromCharCode(...encode(witness)));
    need(clock, "[freshness]: it names no witness of log.policy, and without a name the quorum must not be none");
    for (const { name, origin, key } of [...tables.receipt_keys, ...tables.sealers]) {
      const who = name ?? `a receipt key of ${origin}`, isKnown = name !== undefined || isLog(origin);
      checkKey(key);
      need(isKnown, `${who}: log.policy has no such log`);
      need(machines.size < machines.add(hex(key)).size, `${who}: the key is there twice, or is a log's or witness's`);
    }
    for (const { name, key, roles } of tables.signers) {
      checkKey(key);
      const others = [...people.values()];
      need(!people.has(name) && !others.some((other) => same(other.key, key)), `${name} or their key is there twice`);
      need(!machines.has(hex(key)), `${name} has the key of a log, a witness, a sealer or receipts`);
      people.set(name, { key, roles });
    }
    for (const { origin, key, last_size } of tables.retired_keys) {
      const known = logs.logs.some((log) => log.name === origin && same(log.key, key));
      need(known, `a key of ${origin} is retired that log.policy does not have`);
      logs.retired.set(hex(key), last_size);
    }
    return { logs, decisions, governance, topics, people, machines };
  });
}
async function verifySignatures(kind, { statement, signatures }, people, role, least) {
  const message = join(encode(`tallystick/v1/${kind}\n`), statement), names = [], keys = new Set();
  need(signatures.length <= 16, `it carries ${signatures.length} signatures, more than 16`);
  for (const { signer, signature } of signatures) {
    const person = people.get(signer);
    need(person?.roles.includes(role), `its signer '${signer}' is not known as ${role} there`);
    need(!names.includes(signer) && keys.size < keys.add(hex(person.key)).size, `'${signer}' or their key signed it twice`);
    need(await isSigned(person.key, message, signature), `the signature of '${signer}' on it is not good`);
    names.push(signer);
  }
  need(names.length >= least, `it has ${names.length} of the ${least} ${role} signatures that it needs`);
  return names;
}
const KINDS = { decision: [1], model: [2, "ModelStatement", "publisher", 1], policy: [3, "PolicyStatement", "publisher", 1],
  activation: [4, "ActivationStatement", "approver", 2], enrolment: [11, "EnrolmentStatement", "approver", 2] };

async function included(logged, head, what) {
  const { steps } = await part(`the ${what} is not in the log`, async () => {
    const way = await climb(logged.index, head.size, await sha256([0], logged.entry), logged.proof);
    need(same(way.root, head.root), `the proof does not lead from leaf ${logged.index} to the root of ${head.size}`);
    return way;
  });
  return part(`the ${what} is not sound`, () => {
    const entry = parseMessage("LogEntry", logged.entry);
    need(entry.kind === KINDS[what][0], "the entry is of another kind");
    return { ...entry, steps };
  });
}
async function stated(logged, head, what, people) {
  const { value } = await included(logged, head, what), [, kind, role, least] = KINDS[what];
  return part(`the ${what} is not sound`, async () => {
    const record = parseMessage("Signed", value), signers = await verifySignatures(kind, record, people, role, least);
    const said = parseMessage(kind, record.statement);
    return { index: logged.index, signers, digest: await sha256(record.statement), key: said.public_key, ...said };
  });
}
function checkEnrolment(said, people, last, trust) {
  const known = people.get(said.signer), key = hex(said.public_key);
  need(said.log === trust.governance, `it is for the log ${said.log}`);
  need(ROLES.filter((role) => said.roles.includes(role)).join() === said.roles.join(), "its roles, once and in order");
  need(said.superseded_index === last, `it is not the next enrolment of '${said.signer}'`);
  need(!said.signers.includes(said.signer), `'${said.signer}' signed an enrolment of their own, which takes two others`);
  const changes = known && hex(known.key) === key && known.roles.toSorted().join() !== said.roles.join();
  if (known) return need(changes, "a name keeps its key for good, and an enrolment changes something");
  checkKey(said.public_key);
  need(/^[!-~](?:[ -~]{0,62}[!-~])?$/.test(said.signer), "a new name is up to 64 printable ASCII characters");
  const taken = trust.machines.has(key) || [...people.values()].some((other) => hex(other.key) === key);
  need(!taken && said.roles.length, "a newcomer has roles, and a key that is nobody's");
}
async function verifyGovernance(proofs, trust) {
  const head = await part("the governance log's checkpoint is refused",
    () => verifyCheckpoint(trust.logs, encode(proofs.checkpoint), trust.governance));
  const enrolments = [], wanted = new Set();
  const before = (index) => enrolments.filter((one) => one.index < index);
  const people = (index) => new Map([...trust.people, ...before(index).map((one) => [one.signer, one])]);
  for (const logged of proofs.enrolments) {
    const said = await stated(logged, head, "enrolment", people(logged.index));
    need(!enrolments.length || logged.index > enrolments.at(-1).index, "the enrolments are not in the log's order");
    const last = enrolments.findLast((one) => one.signer === said.signer)?.index;
    await part("the enrolment is not sound", () => checkEnrolment(said, people(logged.index), last, trust));
    enrolments.push(said);
  }
  const record = (what) => stated(proofs[what], head, what, people(proofs[what].index));
  const model = await record("model"), policy = await record("policy"), activation = await record("activation");
  const features = await part("the model is not sound", () => checkModel(model));
  await part("the policy is not sound", () => checkPolicy(policy));
  await part("the activation is not sound", () => {
    const { index, superseded_index: last } = activation;
    need(activation.log === trust.governance, `it is for the log ${activation.log}`);
    need(activation.slot === "champion" && activation.until_ms === undefined, "only the champion decides, and this is not its");
    need((last === undefined) === (activation.number === 0n) && !(last >= index), "what it supersedes is not one before it");
    need(activation.model_index === model.index && same(activation.model_digest, model.digest), "it names another model");
    need(activation.policy_index === policy.index && same(activation.policy_digest, policy.digest), "it names another policy");
    need(model.index < index && policy.index < index, "it comes before the model or policy that it activates");
  });
  const want = ({ signers, index }) => before(index).filter((one) => signers.includes(one.signer) && !wanted.has(one))
    .forEach((one) => wanted.add(one) && want(one));
  [model, policy, activation].forEach(want);
  need(wanted.size === enrolments.length, "the bundle shows an enrolment that nothing in it calls for");
  return { head, model, policy, activation, enrolments, features };
}

// --- the decision -----------------------------------------------------------------------------------------------------------
const CALLS_FOR = new Map([[7, 3], [4, 3], [1, 3], [8, 2], [5, 2], [2, 2], [9, 1], [6, 1]]); // by reason, most telling first
const DIGESTS = ["model_digest", "feature_schema_digest", "evidence_digest"], STALE = 3;
const LIST_REASONS = [0, 9, 7, 8], RULE_REASONS = [0, 6, 5, 4];
function checkDecision(decision, entry, origin, trust) {
  const { outcome, margin_bits, score, activation_index, commitments } = decision, reasons = Array.from(decision.reasons);
  const own = trust.topics.get(decision.source_topic)?.[decision.source_partition], size = (name) => decision[name].length;
  need(own, `the trust policy knows no partition ${decision.source_partition} of the topic '${decision.source_topic}'`);
  need(own === origin, `its partition ${decision.source_partition} belongs to the log ${own}, and it is proven in ${origin}`);
  need(entry.partition === decision.source_partition, "it was logged from another partition than its own");
  need(decision.sequence <= decision.source_offset, "its sequence is beyond its offset");
  need(size("chain") === 32 && OUTCOMES[outcome], "its chain is not 32 bytes, or its outcome not known");
  need(reasons.every((code) => (code > 0 && code < 10) || (code > 19 && code < 39)), "a reason code is not known");
  need(size("policy_digest") === (activation_index === undefined ? 0 : 32), "its policy and its activation do not go together");
  if (outcome === 4) {
    const none = [...DIGESTS, "commitments", "applied"].every((name) => !size(name)) && margin_bits === undefined;
    need(none && score === undefined, "it was rejected and yet carries what only a scored record has");
    need(reasons.length && Math.min(...reasons) >= 20, "it was rejected for a reason that is none");
    return need(!(reasons.includes(38) && activation_index !== undefined), "no model was active, and it names an activation");
  }
  need(activation_index !== undefined && decision.decided_at_ms >= 0n, "it was scored without an activation, or before 1970");
  need(DIGESTS.every((name) => size(name) === 32), "a digest is not 32 bytes");
  need(margin_bits !== undefined && score !== undefined, "its margin or score is missing");
  const margin = float32(margin_bits), telling = reasons.at(-1) === STALE ? reasons.slice(0, -1) : reasons;
  need(Number.isFinite(margin), "its margin is not a finite number");
  need(Math.abs(1000 / (1 + Math.exp(-margin)) - score) <= 0.5 + 1e-9, `its score is ${score}, which its margin does not make`);
  need(telling.every((code) => CALLS_FOR.has(code)), "it was scored, and has a reason to be rejected");
  need((telling.length ? CALLS_FOR.get(telling[0]) : 1) === outcome, "its reasons are not those of its outcome");
  need(commitments.map((one) => one.group).sort().join() === "1,2,3,4", "it does not have one commitment for each group");
  need(commitments.every((one) => one.digest.length === 32), "a commitment is not 32 bytes");
}
async function checkMadeUnder(decision, { model, policy, activation }) {
  need(decision.activation_index === activation.index, `it names the activation at index ${decision.activation_index}`);
  need(same(decision.policy_digest, policy.digest), "it names another policy than its activation");
  if (decision.outcome === 4) return;
  need(same(decision.model_digest, model.digest), "it names another model than its activation");
  need(same(decision.feature_schema_digest, await sha256(model.feature_schema)), "it names another feature schema");
  const margin = float32(decision.margin_bits), named = [...policy.lists.map((one) => [one.name, LIST_REASONS[one.kind]]),
    ...policy.rules.map((one) => [one.name, RULE_REASONS[one.outcome]])];
  const found = named.filter(([name]) => decision.applied.includes(name)), reasons = new Set(found.map(([, reason]) => reason));
  need(found.map(([name]) => name).join() === decision.applied.join(), "what applied is not the policy's, in its order");
  const reached = margin >= policy.decline_margin ? 1 : margin >= policy.review_margin ? 2 : 0;
  if (reached && !reasons.has(9) && !reasons.has(6)) reasons.add(reached); // 9 and 6 lift the margin
  const expected = [...CALLS_FOR.keys()].filter((code) => reasons.has(code)), logged = Array.from(decision.reasons);
  const said = logged.at(-1) === STALE ? logged.slice(0, -1) : logged;
  need(said.join() === expected.join(), "the policy gives other reasons, or another outcome, for its margin and what applied");
}
async function openGroup({ group, salt, content }, decision, governance) {
  const commitment = decision.commitments.find((one) => one.group && GROUPS[one.group] === group);
  need(commitment, "the decision commits to nothing of that name");
  need(salt.length === 16 && same(await sha256(salt, content), commitment.digest), "it is not what the decision commits to");
  const kinds = ["", "Identity", "TransactionDetails", "FeatureVector", "Explanation"];
  const message = parseMessage(kinds[commitment.group], content);
  if (group !== "features") return message;
  const own = same(message.feature_schema_digest, await sha256(governance.model.feature_schema));
  const sound = own && message.values.length === 4 * governance.features.length;
  need(sound, "it is not a vector of the model's features");
  const view = new DataView(content.buffer, message.values.byteOffset);
  return { ...message, named: governance.features.map((name, at) => [name, view.getFloat32(4 * at, true)]) };
}
async function verify(bytes, files, held) {
  const trust = await part("the trust policy cannot be used", () => parseTrust(files));
  const bundle = await part("the bundle cannot be read", () => readBundle(bytes)), disclosed = {};
  const head = await part("the decisions log's checkpoint is refused", () => {
    const { origin } = parseCheckpoint(parseNote(bundle.checkpoint).text);
    need(trust.decisions.includes(origin), `it is of '${origin}', which is none of the trust policy's decisions logs`);
    return verifyCheckpoint(trust.logs, bundle.checkpoint, origin);
  });
  const names = [...head.cosigned.keys()].sort().join(", ");
  held(`the log ${head.origin} signed a checkpoint of ${count(head.size)} entries${names && `, cosigned by ${names}`}`);
  const entry = await included(bundle.decision, head, "decision");
  held(`the decision is entry ${count(bundle.decision.index)} of it`);
  const decision = await part("the decision is not sound", () => parseMessage("Decision", entry.value));
  await part("the decision is not sound", () => checkDecision(decision, entry, head.origin, trust));
  held("the decision's fields agree with each other and with the trust policy");
  const fits = (decision.activation_index === undefined) === !bundle.governance;
  need(fits, "the decision names an activation that the bundle does not prove, or the bundle one that it does not name");
  const governance = bundle.governance && (await verifyGovernance(bundle.governance, trust));
  if (governance) {
    const { model, policy, activation, enrolments } = governance;
    const by = ({ signers, index }) => `${signers.join(" and ")} (entry ${count(index)})`;
    held(`the governance log ${governance.head.origin} holds model, policy and activation`);
    held(`the model was published by ${by(model)}, the policy by ${by(policy)}`);
    held(`the activation of both was approved by ${by(activation)}`);
    for (const one of enrolments) held(`${one.signer} was made ${one.roles.join(" and ") || "nobody"} by ${by(one)}`);
    await part("the decision does not follow from its activation", () => checkMadeUnder(decision, governance));
    if (decision.outcome !== 4) held("the outcome is what that policy makes of the margin, and the score follows from it");
  }
  for (const opening of bundle.disclosures) {
    disclosed[opening.group] = await part(`the disclosed ${opening.group}`, () => openGroup(opening, decision, governance));
    held(`the group ${opening.group} opens the decision's commitment to it`);
  }
  const hidden = GROUPS.filter((group) => group && !(group in disclosed)).join(", ");
  const unchecked = [
    trust.logs.quorum === "none" && "whether everybody is shown this same log: the quorum is none, so no witness had to look",
    bundle.anchors.length > 0 && `the ${bundle.anchors.length} anchors: \`tallystick verify\` looks at them`,
    governance && "whether a newer activation was due, or a signer had been revoked: `tallystick fsck` of the governance log",
    "whether the input's running hash is right and no record was left out: sealers show that",
    decision.outcome !== 4 && hidden && `evidence that is not disclosed here: ${hidden}`,
    decision.outcome !== 4 && "whether model and rules give this outcome: `tallystick replay` executes them again",
  ].filter(Boolean);
  return { decision, index: bundle.decision.index, entry, head, governance, disclosed, unchecked };
}
export async function verifyBundle(bundle, files) {
  const checks = [];
  try {
    return { ...(await verify(bundle, files, (sentence) => checks.push(sentence))), checks };
  } catch (error) {
    throw Object.assign(new Refused(error.message), { checks });
  }
}
