/** Applies the migrations and records them as wrangler does, so that every test file starts with an empty schema. */
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
