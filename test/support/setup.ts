/** Applies the migrations, so that every test file starts with an empty schema. */
import { env } from "cloudflare:workers";
import { databases } from "./databases.ts";

// One batch per database saves a round trip per statement in every file.
await Promise.all(
  databases().map((database) =>
    database.batch(
      env.TEST_MIGRATIONS.flatMap(({ queries }) => queries.map((query) => database.prepare(query))),
    ),
  ),
);
