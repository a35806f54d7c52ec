/** Events and assessments of earlier days, as if they had arrived then, and where their personal parts are. */
import { env } from "cloudflare:workers";
import { runBatch } from "../../src/db/client.ts";
import { findTenantDb } from "../../src/db/shards.ts";
import { requireConfig } from "../../src/env.ts";
import type { AuditEvent, PersonalParts } from "../../src/audit/event.ts";
import { type OpenAuditKey, openAuditKey, sealParts } from "../../src/audit/personal.ts";
import { stampEvents } from "../../src/audit/stamp.ts";
import { insertEvents } from "../../src/audit/store.ts";
import { createId } from "../../src/crypto/id.ts";
import type { Tenant, User } from "./client.ts";
import { rowsOf, sql } from "./trail.ts";

export const dayMs = 86_400_000;
/** The UTC day of now. */
export const today = () => Math.floor(Date.now() / dayMs);
const eventsPerStatement = 500;
