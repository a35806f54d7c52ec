/** Every test file starts with empty stores and the schema in place. */
import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { databases } from "./databases.ts";

await Promise.all(databases().map((database) => applyD1Migrations(database, env.TEST_MIGRATIONS)));
