/**
 * Applies the migrations and records them as wrangler does, so that every test file starts with an empty schema, and
 * keeps every request on this machine.
 */
import { env } from "cloudflare:workers";
import { databases } from "./databases.ts";

const migrationsTable =
  "CREATE TABLE IF NOT EXISTS d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE, applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP NOT NULL)";

// One batch per database saves a round trip per statement in every file.
await Promise.all(
  databases().map((database) =>
    database.batch([
      database.prepare(migrationsTable),
      ...env.TEST_MIGRATIONS.flatMap(({ name, queries }) => [
        ...queries.map((query) => database.prepare(query)),
        database.prepare("INSERT INTO d1_migrations (name) VALUES (?)").bind(name),
      ]),
    ]),
  ),
);

const send = globalThis.fetch;
const loopbackHosts = ["localhost", "127.0.0.1", "[::1]"];

// Webhooks and streams name receivers that nobody has. Without this, each delivery would ask the DNS for one.
globalThis.fetch = async (input: RequestInfo | URL, init?: RequestInit) => {
  const { hostname } = new URL(input instanceof Request ? input.url : input);
  if (loopbackHosts.includes(hostname)) return await send(input, init);
  throw new TypeError(`Tests reach no other machine: ${hostname}`);
};
