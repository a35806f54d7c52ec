/**
 * better-auth with its two-factor plugin as its documentation sets it up: Node, SQLite, e-mail and password. Two
 * settings differ, and neither is measured: passwords are hashed cheaply, because each verification needs a
 * sign-in first, and the rate limit is off, because all requests come from one address.
 */
import { createHash } from "node:crypto";
import { createServer } from "node:http";
import { DatabaseSync } from "node:sqlite";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { twoFactor } from "better-auth/plugins";

const [, , file] = process.argv;
const database = new DatabaseSync(file);
database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;");

const digest = (password) => createHash("sha256").update(password).digest("hex");
const options = {
  appName: "Bench",
  baseURL: "http://localhost",
  trustedOrigins: ["http://localhost"],
  secret: "a secret of the bench that is long enough to be accepted as one",
  database,
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  emailAndPassword: {
    enabled: true,
    password: {
      hash: async (password) => digest(password),
      verify: async ({ hash, password }) => digest(password) === hash,
    },
  },
  plugins: [twoFactor({ accountLockout: { durationSeconds: 24 * 60 * 60 } })],
};

const { runMigrations } = await getMigrations(options);
await runMigrations();

const server = createServer(toNodeHandler(betterAuth(options)));
server.keepAliveTimeout = 120_000;
server.listen(0, "127.0.0.1", () => process.send(server.address().port));
process.once("disconnect", () => process.exit());
