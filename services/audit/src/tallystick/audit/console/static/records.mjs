// What the verifier reads, in one reading only: JSON, the TOML of trust policies, protobuf, and what is made of them.
// Nothing here is believed yet: `verify.mjs` does that. What is not understood is refused.
export class Refused extends Error {}
export const need = (condition, otherwise) => { if (!condition) throw new Refused(otherwise); };
export const MAX = 2n ** 63n - 1n;
export const decode = (bytes) => new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
export const encode = (text) => new TextEncoder().encode(text);
export const octets = (text) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
export const distinct = (items) => new Set(items).size === items.length;

export const OUTCOMES = ["", "APPROVE", "REVIEW", "DECLINE", "REJECTED"];
export const ROLES = ["approver", "publisher"];
export const GROUPS = ["", "identity", "transaction", "features", "explanation"];

export function base64(text) {
  const form = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
  need(typeof text === "string" && form.test(text) && btoa(atob(text.slice(-4))) === text.slice(-4), "not canonical base64");
  return octets(atob(text));
}

export function decimal(text, most = MAX) {
  need(/^(?:0|[1-9][0-9]{0,18})$/.test(text) && BigInt(text) <= most, `${text} is not a decimal number from 0 to ${most}`);
  return BigInt(text);
}

export function printable(text, most, what) {
  const sound = [...text].length <= most && /^(?:[^\p{C}\p{Z}]| )+$/u.test(text);
  need(sound, `${what} must be 1 to ${most} printable characters`);
}

export function float32(bits) {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, bits);
  return view.getFloat32(0);
}

// --- JSON and TOML: whole numbers become BigInt, and no name may come twice -------------------------------------------------
export function parseJson(text) {
  JSON.parse(text); // throws unless it is JSON; from here on it only has to be taken apart
  const tokens = text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]|[^\s",:[\]{}]+/g);
  const next = () => tokens.next().value[0];
  const read = (token) => {
    if (token !== "[" && token !== "{") return /^-?[0-9]+$/.test(token) ? BigInt(token) : JSON.parse(token);
    const out = token === "[" ? [] : Object.create(null);
    for (let item = next(); item !== "]" && item !== "}"; item = next()) {
      const name = token === "[" ? out.length : JSON.parse(item);
      need(!Object.hasOwn(out, name), `the name ${item} is repeated`);
      out[name] = read(token === "[" ? item : next());
    }
    return out;
  };
  return read(next());
}

// Of TOML what trust policies are written in: [table], [[table]], and a line for each value, written as in JSON; what JSON
// has and TOML has not (objects, null, two escapes) is refused.
const STRING = String.raw`"(?:[^"\\\x7f]|\\(?:["\\bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}))*"`;
const KEY = `([A-Za-z0-9_-]+|${STRING})`;
const LINE = new RegExp(String.raw`^[ \t]*((?:[^"#{}]|${STRING})*?)[ \t]*(?:#[^\x00-\x08\x0a-\x1f\x7f]*)?$`);
const FORM = new RegExp(String.raw`^(?:(\[\[?) *${KEY}(?: *\. *${KEY})? *(\]\]?)|${KEY}[ \t]*=(?![ \t]*null)[ \t]*(.+))$`);
export function parseToml(text) {
  const name = (written) => (written.startsWith('"') ? JSON.parse(written) : written);
  const root = Object.create(null), lists = new Set();
  let table = root;
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    const content = LINE.exec(line)?.[1];
    const found = FORM.exec(content), [, open, first, second, close, plain, value] = found ?? [];
    need(content === "" || (found && open?.length === close?.length), `line ${at + 1} is not written as is read here`);
    if (!found) continue;
    const place = second === undefined ? root : (root[name(first)] ??= Object.create(null));
    const target = open ? place : table, last = name(second ?? first ?? plain);
    need(typeof target === "object", `line ${at + 1}: ${first} is not a table`);
    const isNew = !Object.hasOwn(target, last) || (open === "[[" && lists.has(target[last]));
    need(isNew && !lists.has(target), `line ${at + 1}: ${last} is there already`);
    if (open) table = Object.create(null);
    if (open === "[[") {
      lists.add((target[last] ??= []));
      target[last].push(table);
    } else target[last] = open ? table : parseJson(value);
  }
  return root;
}

const A = { string: "a string", array: "an array", object: "an object", "object|null": "an object", bigint: "an integer" };

// `shape` is "name:type name?:type|type"; anything else in `value` is refused.
export function fields(value, where, shape) {
  const kind = (item) => (Array.isArray(item) ? "array" : item === null ? "null" : typeof item);
  need(kind(value) === "object", `${where} must be an object`);
  const known = new Map(shape.split(" ").map((item) => /^(\w+)\??:(.*)$/.exec(item).slice(1)));
  for (const name of Object.keys(value)) need(known.has(name), `${where} has '${name}', which is not known`);
  for (const [name, types] of known) {
    if (!(name in value)) need(shape.split(" ").includes(`${name}?:${types}`), `${where} lacks '${name}'`);
    else need(types.split("|").includes(kind(value[name])), `${where}: '${name}' must be ${A[types] ?? types}`);
  }
  return value;
}

// --- protobuf: a message's fields in the order of their numbers; * repeated, ? told from absent; types as in `read` ---------
const MESSAGES = new Map(`
LogEntry kind:u topic:s partition:u offset:U timestamp_ms:I value:b
Decision source_topic:s source_partition:u source_offset:U sequence:U chain:b decided_at_ms:I outcome:u reasons:b margin_bits:x?
 score:u? model_digest:b policy_digest:b feature_schema_digest:b activation_index:U? evidence_digest:b commitments:Commitment*
 applied:s*
Commitment group:u digest:b
Signed statement:b signatures:Signature*
Signature signer:s signature:b
ModelStatement name:s version:s digest:b size_bytes:U format:s engine:s feature_schema:b training_data_digest:b metrics:Figure*
 card:s created_at_ms:I
PolicyStatement name:s version:s decline_margin:f review_margin:f event_time_tolerance_ms:I max_value_bytes:u created_at_ms:I
 rules:PolicyRule* lists:PolicyList*
PolicyRule name:s outcome:u when:s about:s
PolicyList name:s kind:u subject:u digest:b entries:u salt:b about:s
ActivationStatement slot:s number:U model_digest:b model_index:U policy_digest:b policy_index:U superseded_index:U?
 effective_at_ms:I log:s until_ms:I?
EnrolmentStatement log:s signer:s public_key:b roles:s* superseded_index:U?
Figure key:s value:d
Identity transaction_id:s customer_id:s
TransactionDetails amount_minor:I currency:s event_time_ms:I terminal_id:s merchant_id:s source:s source_sequence:U
 attributes:Figure*
FeatureVector feature_schema_digest:b values:b profiles:ProfileVersion*
ProfileVersion offset:U? version:U watermark_s:u stale:z
Explanation contributions:Contribution* challengers:ChallengerMargin*
Contribution feature:s margin:f
ChallengerMargin activation_index:U margin_bits:x`.trim().split(/\n(?! )/).map((line) => {
  const [message, ...declared] = line.split(/\s+/);
  return [message, declared.map((item) => /^(?<name>\w+):(?<type>\w+)(?<mark>[*?]?)$/.exec(item).groups)];
}));
const WIRES = { u: 0, U: 0, I: 0, z: 0, d: 1, x: 5, f: 5 };
const EMPTY = { u: 0, U: 0n, I: 0n, z: false, d: 0, x: 0, f: 0, s: "", b: new Uint8Array() };

// `Decision.reasons` is read as the bytes that it is packed into: every reason code there is takes one.
export function parseMessage(kind, bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length), known = MESSAGES.get(kind), seen = new Set();
  const start = ({ type, mark }) => (mark === "*" ? [] : mark === "?" ? undefined : EMPTY[type]);
  const out = Object.fromEntries(known.map((field) => [field.name, start(field)]));
  let at = 0;
  const skip = (size) => {
    need((at += size) <= bytes.length, `a ${kind} is cut short`);
    return at - size;
  };
  const varint = (sum = 0n, shift = 0n) => {
    const byte = BigInt(bytes[skip(1)]), value = sum | ((byte & 127n) << shift);
    need(value < 2n ** 64n && shift < 70n, `a ${kind} holds a number that is too large`);
    return byte < 128n ? value : varint(value, shift + 7n);
  };
  const read = {
    u: () => Number(BigInt.asUintN(32, varint())), U: () => varint(), I: () => BigInt.asIntN(64, varint()),
    z: () => varint() !== 0n,
    d: () => view.getFloat64(skip(8), true), x: () => view.getUint32(skip(4), true), f: () => view.getFloat32(skip(4), true),
    b: () => { const from = skip(Number(varint())); return bytes.subarray(from, at); }, s: () => decode(read.b()),
  };
  while (at < bytes.length) {
    const tag = varint(), { name, type, mark } = known[Number(tag >> 3n) - 1] ?? {};
    need(name && Number(tag & 7n) === (WIRES[type] ?? 2), `a ${kind} holds a field that is not known here`);
    need(mark === "*" || !seen.has(name), `a ${kind} says ${name} twice`);
    const value = type in read ? read[type]() : parseMessage(type, read.b());
    if (mark === "*") out[name].push(value);
    else out[name] = value;
    seen.add(name);
  }
  return out;
}

// --- what bundles, models and policies look like; their signatures and digests are `verify.mjs`'s ---------------------------
function readEntry(value, where, more = "") {
  const { index, entry, proof } = fields(value, where, `index:bigint entry:string proof:array${more}`);
  need(index >= 0n && index <= MAX && proof.length <= 64, `${where}: its index or proof is out of range`);
  return { index, entry: base64(entry), proof: proof.map(base64) };
}

export function readBundle(bytes) {
  need(bytes.length <= 2 ** 20, "it has more than 1,048,576 bytes");
  const shape = "format:string decision:object governance?:object|null disclosures?:array anchors?:array";
  const file = fields(parseJson(decode(bytes)), "the bundle", shape), { governance } = file;
  need(file.format === "tallystick/proof-bundle/v1", `its format is '${file.format}'`);
  const decision = readEntry(file.decision, "decision", " checkpoint:string");
  if (governance) {
    fields(governance, "governance", "checkpoint:string model:object policy:object activation:object enrolments?:array");
    for (const what of ["model", "policy", "activation"]) governance[what] = readEntry(governance[what], what);
    governance.enrolments = (governance.enrolments ?? []).map((item) => readEntry(item, "an enrolment"));
  }
  const opening = "group:string salt:string content:string";
  const disclosures = (file.disclosures ?? []).map((item) => fields(item, "a disclosure", opening))
    .map(({ group, salt, content }) => ({ group, salt: base64(salt), content: base64(content) }));
  need(distinct(disclosures.map(({ group }) => group)), "a group is disclosed twice");
  const notes = [file.decision, ...(governance ? [governance] : [])];
  need(notes.every(({ checkpoint }) => checkpoint.isWellFormed()), "a checkpoint holds half a character");
  const anchors = (file.anchors ?? []).map((item) => fields(item, "an anchor", "size:bigint consistency:array receipt:object"));
  return { decision, checkpoint: encode(file.decision.checkpoint), governance, disclosures, anchors };
}

// --- the form of trust.toml; whose keys these are, and whether they fit log.policy and each other, is `verify.mjs`'s ---------
const LOG_NAME = /^[a-z0-9][a-z0-9_.-]{0,63}$/, ANCHORER = /^[a-z0-9][a-z0-9-]{0,31}$/;
const PEM = /^\s*-----BEGIN CERTIFICATE-----\r?\n((?:[A-Za-z0-9+/=]+\r?\n)+)-----END CERTIFICATE-----\s*$/;
const TABLES = {
  signers: "name:string public_key:string roles:array", sealers: "name:string public_key:string",
  receipt_keys: "origin:string public_key:string", retired_keys: "origin:string public_key:string last_size:bigint",
  timestamp_authorities: "name:string roots:array", contracts: "name:string chain_id:bigint address:string",
};

export function readTrust(bytes) {
  need(bytes.length <= 1_000_000, "it has more than 1,000,000 bytes");
  const shape = "version:bigint logs:object freshness:object topics:object signers:array";
  const optional = Object.keys(TABLES).slice(1).map((name) => ` ${name}?:array`).join("");
  const file = fields(parseToml(decode(bytes)), "the file", shape + optional), tables = {};
  need(file.version === 1n, "its version is not 1");
  const logs = fields(file.logs, "[logs]", "decisions:string|array governance:string fallbacks?:string seals?:string");
  const { max_age_s, witness } = fields(file.freshness, "[freshness]", "max_age_s:bigint witness?:string");
  need(max_age_s > 0n && max_age_s <= MAX, "[freshness]: max_age_s must be 1 or more");
  for (const [name, one] of Object.entries(TABLES)) {
    tables[name] = (file[name] ?? []).map((item, at) => fields(item, `${name} ${at + 1}`, one));
    for (const item of tables[name].filter(({ public_key }) => public_key !== undefined)) item.key = base64(item.public_key);
  }
  const { signers, sealers, retired_keys: retired, timestamp_authorities: authorities, contracts } = tables;
  for (const { name, roles } of signers) {
    printable(name, 64, "a signer's name");
    const known = roles.length > 0 && distinct(roles) && roles.every((role) => ROLES.includes(role));
    need(known, `${name}: roles must be some of ${ROLES.join(", ")}, each once`);
  }
  need(sealers.every(({ name }) => LOG_NAME.test(name)), "a sealer's name must be 1 to 64 of a-z, 0-9, '-', '_' and '.'");
  need(distinct(sealers.map(({ name }) => name)), "two sealers have the same name");
  need((sealers.length > 0) === (logs.seals !== undefined), "[[sealers]] and [logs].seals go together");
  need(retired.every(({ last_size: size }) => size >= 0n && size <= MAX), "a retired key's last_size is out of range");
  const anchorers = [...authorities, ...contracts].map(({ name }) => name);
  need(anchorers.every((name) => ANCHORER.test(name)), "who anchors is named by 1 to 32 of a-z, 0-9 and hyphens");
  need(distinct(anchorers), "two of timestamp_authorities and contracts have the same name");
  for (const { name, roots } of authorities) need(roots.length && roots.every(isPem), `${name}: its roots are no certificates`);
  for (const { name, chain_id: id, address } of contracts) {
    need(id > 0n && id <= MAX && /^0x[0-9a-fA-F]{40}$/.test(address), `${name}: its chain_id or address is not one`);
  }
  return { ...tables, witness, governance: logs.governance, ...readPlaces(logs, file.topics) };
}

// A certificate's envelope: PEM around one DER sequence. What is in it only `tallystick verify` reads.
function isPem(text) {
  const body = typeof text === "string" ? PEM.exec(text)?.[1] : undefined, der = base64(body?.replace(/\s/g, ""));
  const sized = der[1] - 128, size = Number(`0x0${hex(der.subarray(2, 2 + sized))}`);
  return der[0] === 0x30 && sized >= 1 && sized <= 3 && der.length === 2 + sized + size;
}

// Returns the logs' origins, all and those of decisions, and by topic the origin of each partition's log.
function readPlaces({ decisions: written, ...others }, tables) {
  const decisions = [written].flat(), origins = [...decisions, ...Object.values(others)], topics = new Map();
  need(decisions.length && origins.every((origin) => typeof origin === "string"), "[logs]: at least one decisions log");
  const names = origins.map((origin) => origin.slice(origin.lastIndexOf("/") + 1));
  need(distinct(names) && names.every((name) => LOG_NAME.test(name)), "[logs]: each log's origin ends in a name of its own");
  for (const [name, table] of Object.entries(tables)) {
    const where = `[topics.${name}]`, shape = "partitions:bigint partitioner:string logs?:array";
    const { partitions, partitioner, logs } = fields(table, where, shape);
    const sound = partitions > 0n && partitions <= 100_000n && partitioner === "murmur2";
    need(sound, `${where}: its partitions are not 1 to 100,000, or its partitioner is not known`);
    const held = logs ?? Array(Number(partitions)).fill(0n), whole = BigInt(held.length) === partitions;
    const known = (logs || decisions.length === 1) && held.every((log) => typeof log === "bigint" && decisions[log]);
    need(known && whole, `${where}: it does not say which log holds each partition`);
    topics.set(name, held.map((log) => decisions[log]));
  }
  const used = new Set([...topics.values()].flat());
  need(decisions.every((origin) => used.has(origin)), "[topics]: none gives a partition to one of the decisions logs");
  return { decisions, origins, topics };
}

// Returns the features' names.
export function checkModel({ name, version, digest, format, size_bytes, feature_schema }) {
  printable(name, 128, "its name");
  printable(version, 128, "its version");
  need(digest.length === 32 && format === "xgboost-json" && size_bytes > 0n, "its digest, format or size is not a model's");
  need(feature_schema.length <= 65536, "the feature schema is too large");
  const schema = fields(parseJson(decode(feature_schema)), "the feature schema", "name:string version:bigint features:array");
  const placed = /^(?:terminal|merchant)_(?:count|fraud_share)$/, between = (days, most) => days >= 1n && days <= most;
  const named = (text) => printable(text, 64, "a name") ?? need(encode(text).length <= 64, "a name has more than 64 bytes");
  named(schema.name);
  for (const item of schema.features) {
    const feature = fields(item, "a feature", "name:string kind:string days?:bigint attribute?:string delay_days?:bigint");
    const { kind, days, attribute, delay_days } = feature;
    const windowed = placed.test(kind) || kind === "count" || kind === "mean_amount";
    need(windowed || ["amount", "weekend", "night", "attribute"].includes(kind), `a feature is of kind '${kind}'`);
    need(windowed ? between(days, 30n) : days === undefined, `${feature.name}: its days are none or not 1 to 30`);
    need(placed.test(kind) ? between(delay_days, 90n) : delay_days === undefined, `${feature.name}: its delay_days`);
    need((attribute !== undefined) === (kind === "attribute"), `${feature.name}: its attribute`);
    for (const text of [feature.name, ...(attribute === undefined ? [] : [attribute])]) named(text);
  }
  const names = schema.features.map((feature) => feature.name), delays = schema.features.flatMap((one) => one.delay_days ?? []);
  need(names.length >= 1 && names.length <= 512 && distinct(names), "the feature schema has none, too many, or one twice");
  need(new Set(delays).size <= 1 && schema.version > 0n, "the feature schema's version, or two delays of labels");
  return names;
}

export function checkPolicy(policy) {
  const { decline_margin: decline, review_margin: review, max_value_bytes: most, rules, lists } = policy;
  printable(policy.name, 128, "its name");
  printable(policy.version, 128, "its version");
  need(Number.isFinite(decline) && Number.isFinite(review) && review <= decline, "its margins are not finite, or not in order");
  need(policy.event_time_tolerance_ms >= 0n && most >= 1 && most <= 61440, "its tolerance is negative, or its largest value");
  need(rules.length <= 100 && lists.length <= 16, "it has too many rules or lists");
  for (const { name, outcome, when } of rules) {
    need([1, 2, 3].includes(outcome) && when !== "" && [...when].length <= 1000, `its rule ${name} is not as a rule must be`);
  }
  for (const { name, kind, subject, digest, salt, entries } of lists) {
    const known = [1, 2, 3].includes(kind) && [1, 2, 3].includes(subject) && entries >= 1 && entries <= 1_000_000;
    need(known && digest.length === 32 && salt.length === 16, `its list ${name} is not as a list must be`);
  }
  for (const { about } of [...rules, ...lists]) if (about) printable(about, 500, "what a rule or list says of itself");
  const names = [...lists, ...rules].map(({ name }) => name);
  need(distinct(names) && names.every((name) => /^[a-z][a-z0-9_-]{0,63}$/.test(name)), "a rule's or list's name");
}
