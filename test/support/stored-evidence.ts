/** The evidence of stored assessments, opened, and assessments as older builds stored them. */
import { env } from "cloudflare:workers";
import { findDayKeys } from "../../src/audit/personal-keys/client.ts";
import { noLocation } from "../../src/location.ts";
import { openEvidence } from "../../src/sentinel/sealed-evidence.ts";
import { parseContent, type StoredContent } from "../../src/sentinel/stored-assessment.ts";

/** Finds the keys of a tenant without a location. */
export function keysFinderOf(tenantId: string) {
  return (days: readonly number[]) => findDayKeys(env, { tenantId, location: noLocation }, days);
}

/** The stored texts of a user's assessments, opened, oldest first. */
export async function readEvidenceTexts(tenantId: string, identityId: string): Promise<string[]> {
  const { results } = await env.DB.prepare(
    `SELECT identity_id AS identityId, evidence FROM assessments
     WHERE tenant_id = ? AND identity_id = ? ORDER BY id`,
  )
    .bind(tenantId, identityId)
    .all<{ identityId: string; evidence: string }>();
  const opened = await openEvidence(tenantId, results, keysFinderOf(tenantId));
  return opened.map(({ evidence }) => evidence);
}

/** What a user's assessments were computed from, oldest first. */
export async function readContents(tenantId: string, identityId: string): Promise<StoredContent[]> {
  const texts = await readEvidenceTexts(tenantId, identityId);
  return texts.flatMap((text) => parseContent(text) ?? []);
}

/** Stores a user's assessments as older builds did, which sealed nothing. Copies of them fit every user. */
export async function unsealAssessments(tenantId: string, identityId: string): Promise<void> {
  const texts = await readEvidenceTexts(tenantId, identityId);
  const ids = await env.DB.prepare(
    "SELECT id FROM assessments WHERE tenant_id = ? AND identity_id = ? ORDER BY id",
  )
    .bind(tenantId, identityId)
    .all<{ id: string }>();
  await env.DB.batch(
    ids.results.map(({ id }, index) =>
      env.DB.prepare("UPDATE assessments SET evidence = ? WHERE tenant_id = ? AND id = ?").bind(
        texts[index],
        tenantId,
        id,
      ),
    ),
  );
}
