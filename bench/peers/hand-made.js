/**
 * A minimal service as a team might write it for itself: Express, otplib, SQLite. It has one token, a failure
 * counter, a lock and a replay check. It has no tenants and no audit trail, and its secrets are not encrypted.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import express from "express";
import { generateSecret, verify } from "otplib";

const [, , file, token] = process.argv;
const maxFailures = 5;
const lockMs = 15 * 60 * 1000;

const database = new DatabaseSync(file);
database.exec(`
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE users (
    id TEXT PRIMARY KEY, secret TEXT NOT NULL, last_step INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0, locked_until INTEGER NOT NULL DEFAULT 0
  );
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

const digest = (text) => createHash("sha256").update(text).digest();
const expected = digest(`Bearer ${token}`);

const app = express();
app.disable("x-powered-by");
app.use(express.json());
app.use((request, response, next) => {
  if (timingSafeEqual(digest(request.get("authorization") ?? ""), expected)) next();
  else response.status(401).json({ error: "invalid token" });
});

app.post("/users", (request, response) => {
  const secret = generateSecret();
  insert.run(request.body.id, secret);
  response.status(201).json({ id: request.body.id, secret });
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
  if (user.locked_until > now) return response.status(423).json({ error: "locked" });
  const result = await verify({ secret: user.secret, token: code, epochTolerance: 30 });
  if (result.valid) {
    const { changes } = accept.run(result.timeStep, id, result.timeStep);
    if (changes === 1) return response.json({ status: "success", id });
  }
  const { failures } = fail.get(maxFailures, now + lockMs, id);
  response.status(422).json({ error: "invalid code", remaining: maxFailures - failures });
});

const server = app.listen(0, "127.0.0.1", () => process.send(server.address().port));
server.keepAliveTimeout = 120_000;
process.once("disconnect", () => process.exit());
