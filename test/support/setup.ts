/** Every test file starts with empty stores and the schema in place. */
import { env } from "cloudflare:workers";
import { databases } from "./databases.ts";

// One batch for each database: a statement by itself costs a trip of its own, in every file.
await Promise.all(
  databases().map((database) =>
    database.batch(
      env.TEST_MIGRATIONS.flatMap(({ queries }) => queries.map((query) => database.prepare(query))),
    ),
  ),
);
