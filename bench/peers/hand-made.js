/**
 * A small service as a careful team might write it for itself: Express, otplib, SQLite. It seals its secrets, counts
 * failures, locks, refuses replays, and records each attempt with its result before it answers. A record has a sealed
 * personal part and a hash, as the leaf of a tree would need. It has one token, no tenants and no tree.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  randomBytes,
  randomUUID,
  timingSafeEqual,
} from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import express from "express";
import { generateSecret, verify } from "otplib";

const [, , file, token] = process.argv;
const maxFailures = 5;
const lockMs = 15 * 60 * 1000;
const key = randomBytes(32);
const nonceBytes = 12;
const tagBytes = 16;

const database = new DatabaseSync(file);
// A record that was acknowledged survives a power loss, as in workerd.
database.exec(`
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  CREATE TABLE users (
    id TEXT PRIMARY KEY, secret BLOB NOT NULL, last_step INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0, locked_until INTEGER NOT NULL DEFAULT 0
  );
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, user_id TEXT NOT NULL, event TEXT NOT NULL,
    personal BLOB NOT NULL, hash BLOB NOT NULL
  );
  CREATE INDEX events_of_user ON events (user_id, seq);
`);
const insert = database.prepare("INSERT INTO users (id, secret) VALUES (?, ?)");
const find = database.prepare("SELECT * FROM users WHERE id = ?");
// Both check and write in one statement, so that only one of two concurrent requests counts.
const accept = database.prepare(
  "UPDATE users SET last_step = ?, failures = 0, locked_until = 0 WHERE id = ? AND last_step < ?",
);
const fail = database.prepare(
  "UPDATE users SET failures = failures + 1, locked_until = CASE WHEN failures + 1 >= ? THEN ? ELSE locked_until END WHERE id = ? RETURNING failures",
);
const insertEvent = database.prepare(
  "INSERT INTO events (id, user_id, event, personal, hash) VALUES (?, ?, ?, ?, ?)",
);

const digest = (text) => createHash("sha256").update(text).digest();
const expected = digest(`Bearer ${token}`);

/** AES-256-GCM, bound to what it belongs to. */
function seal(text, owner) {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(owner));
  const sealed = [cipher.update(text, "utf8"), cipher.final()];
  return Buffer.concat([nonce, ...sealed, cipher.getAuthTag()]);
}

function open(stored, owner) {
  const sealed = Buffer.from(stored);
  const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, nonceBytes))
    .setAAD(Buffer.from(owner))
    .setAuthTag(sealed.subarray(-tagBytes));
  const content = sealed.subarray(nonceBytes, -tagBytes);
  return decipher.update(content, undefined, "utf8") + decipher.final("utf8");
}

/** Records an attempt in the transaction of its change. */
function record({ id: userId }, at, outcome, reason, details) {
  const id = randomUUID();
  const personal = JSON.stringify({ external_id: userId, nonce: randomBytes(16).toString("hex") });
  const event = JSON.stringify({
    ...{ id, at, action: "otp.verified", outcome, reason, details, request_id: randomUUID() },
    actor: { type: "api_token", id: "backend" },
    target: { type: "identity", id: userId },
    personal_digest: digest(personal).toString("hex"),
  });
  insertEvent.run(id, userId, event, seal(personal, id), digest(`\0${event}`));
}

/** Runs the changes of one answer in one transaction. */
function commit(work) {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (error) {
    database.exec("ROLLBACK");
    throw error;
  }
}

const app = express();
app.disable("x-powered-by");
app.use(express.json());
app.use((request, response, next) => {
  if (timingSafeEqual(digest(request.get("authorization") ?? ""), expected)) next();
  else response.status(401).json({ error: "invalid token" });
});

app.post("/users", (request, response) => {
  const { id } = request.body;
  const secret = generateSecret();
  insert.run(id, seal(secret, id));
  response.status(201).json({ id, secret });
});

app.get("/users/:id", (request, response) => {
  const user = find.get(request.params.id);
  if (user === undefined) return response.status(404).json({ error: "unknown user" });
  response.json({ id: user.id, failures: user.failures, locked: user.locked_until > Date.now() });
});

app.post("/otp/verify", async (request, response) => {
  const { id, code } = request.body;
  const user = find.get(id);
  if (user === undefined) return response.status(404).json({ error: "unknown user" });
  const now = Date.now();
  if (user.locked_until > now) {
    commit(() => record(user, now, "refused", "user_locked", { count: 1 }));
    return response.status(423).json({ error: "locked" });
  }
  const secret = open(user.secret, id);
  const result = await verify({ secret, token: code, epochTolerance: 30 });
  const failures = commit(() => {
    if (result.valid && accept.run(result.timeStep, id, result.timeStep).changes === 1) {
      record(user, now, "success", null, { method: "totp" });
      return undefined;
    }
    const failed = fail.get(maxFailures, now + lockMs, id).failures;
    record(user, now, "failure", "invalid_code", { method: "totp", failed_attempts: failed });
    return failed;
  });
  if (failures === undefined) return response.json({ status: "success", id });
  response.status(422).json({ error: "invalid code", remaining: maxFailures - failures });
});

const server = app.listen(0, "127.0.0.1", () => process.send(server.address().port));
server.keepAliveTimeout = 120_000;
process.once("disconnect", () => process.exit());
