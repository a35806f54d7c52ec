/** The D1 tables of assessments and of populations. */
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, real, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { type RiskPolicy, verdictSources } from "./assessment.ts";
import type { DataSource } from "./evidence.ts";
import { verdicts } from "./history.ts";
import type { Reason } from "./reason.ts";

/** When each tenant's confirmed sessions were last counted. The counts themselves are in KV. */
export const populations = sqliteTable("populations", {
  tenantId: text("tenant_id").primaryKey(),
  builtAt: integer("built_at").notNull(),
  logins: integer().notNull(),
  /** How often an erasure has asked for a new count: a count that began before is not the last one. */
  recounts: integer().notNull().default(0),
});

export const assessments = sqliteTable(
  "assessments",
  {
    tenantId: text("tenant_id").notNull(),
    id: text().notNull(),
    identityId: text("identity_id").notNull(),
    at: integer().notNull(),
    model: text().notNull(),
    riskScore: real("risk_score").notNull(),
    recommendation: text({ enum: ["allow", "challenge", "deny"] }).notNull(),
    /** Rows of older builds have reasons, degraded sources and policy here; newer ones have them in `evidence`. */
    reasons: text({ mode: "json" }).$type<readonly Reason[]>().notNull(),
    degraded: text({ mode: "json" }).$type<readonly DataSource[]>().notNull(),
    /**
     * What the score was computed from: counts, keyed hashes and coarse facts, with the reasons, the degraded
     * sources and the policy, in the form of stored-assessment.ts.
     */
    evidence: text().notNull(),
    /** SHA-256 over the evidence in canonical JSON (see short-hex.ts); null with models before sentinel-2. */
    evidenceDigest: text("evidence_digest"),
    policy: text({ mode: "json" }).$type<RiskPolicy>(),
    /** Not used any more, and empty in new rows: nothing read it. */
    contextDigest: text("context_digest").notNull(),
    /** The verdict on the session, its source and its time; null until there is one. */
    verdict: text({ enum: verdicts }),
    verdictSource: text("verdict_source", { enum: verdictSources }),
    verdictAt: integer("verdict_at"),
  },
  (table) => [
    primaryKey({ columns: [table.tenantId, table.id] }),
    index("assessments_by_identity").on(table.tenantId, table.identityId),
    // Partial: it contains only the sessions confirmed as legitimate.
    index("assessments_confirmed").on(table.tenantId, table.id).where(sql`verdict = 'legitimate'`),
  ],
);
