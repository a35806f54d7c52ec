/**
 * Claims of passkeys in D1. A guard claims a passkey before it registers it, and releases the claim when it no longer
 * has the passkey. A claim that its guard does not have binds nobody: another guard may take it over.
 */
import { and, eq, type SQL, sql } from "drizzle-orm";
import type { Owner } from "../crypto/seal-context.ts";
import { awaitStore, type Database, type Statement } from "../db/client.ts";
import { prepareStatement } from "../db/prepared.ts";
import type { PasskeyClaim } from "./passkey-claim.ts";
import { identities, passkeyClaims } from "./tables.ts";

/** A claim of an identity. */
export interface OwnedClaim extends Owner, PasskeyClaim {}

function isPasskey(tenantId: string, passkeyId: string): SQL | undefined {
  return and(eq(passkeyClaims.tenantId, tenantId), eq(passkeyClaims.passkeyId, passkeyId));
}

/**
 * Claims a passkey that nobody has claimed, that the same identity has claimed before, or whose claim is the abandoned
 * one. If D1 does so late, a claim that nobody has stands there at worst.
 * @param abandoned the claim of an identity whose guard has said that it does not have the passkey; null for none
 * @returns the claim that D1 has now: the given one, or that of another identity
 * @throws StoreError
 */
export async function claimPasskey(
  db: Database,
  claim: OwnedClaim,
  abandoned: OwnedClaim | null,
): Promise<OwnedClaim> {
  const { tenantId, passkeyId, identityId } = claim;
  const [, [found]] = await awaitStore(
    db.batch([
      db
        .insert(passkeyClaims)
        .values(claim)
        .onConflictDoUpdate({
          target: [passkeyClaims.tenantId, passkeyClaims.passkeyId],
          set: { identityId: sql`excluded.identity_id`, claimId: sql`excluded.claim_id` },
          setWhere: sql`${passkeyClaims.identityId} = ${identityId}
            OR ${passkeyClaims.claimId} = ${abandoned?.claimId ?? null}`,
        }),
      db.select().from(passkeyClaims).where(isPasskey(tenantId, passkeyId)),
    ]),
  );
  return found ?? claim;
}

/** A claim that the record of this version has, and the id of the user's audit key, which the next user does not have. */
export interface RecordedClaim extends OwnedClaim {
  readonly version: number;
  readonly auditKeyId: string | null;
}

/**
 * Claims again what these records have, where D1 has no claim of the passkey, as after a restore. A record counts only
 * if D1 has no newer one, nor one of another user: D1 may have an older version with the same content (see saveRecord).
 * Writes nothing else.
 */
export function restoreClaims(db: Database, claims: readonly RecordedClaim[]): Statement {
  return restoreClaimsOf(db, { claims: JSON.stringify(claims) });
}

const restoreClaimsOf = prepareStatement<{ readonly claims: string }>((db, value) => {
  const field = (name: keyof RecordedClaim) => sql.raw(`claim.value ->> '${name}'`);
  return db
    .insert(passkeyClaims)
    .select(
      sql`SELECT ${field("tenantId")}, ${field("passkeyId")}, ${field("identityId")}, ${field("claimId")}
        FROM json_each(${value("claims")}) AS claim JOIN ${identities}
          ON ${identities.tenantId} = ${field("tenantId")} AND ${identities.id} = ${field("identityId")}
        WHERE ${identities.version} <= ${field("version")}
          AND iif(json_valid(${identities.state}), ${identities.state}, NULL) ->> '$.auditKey.id'
            = ${field("auditKeyId")}`,
    )
    .onConflictDoNothing();
});

/** Deletes exactly these claims. A later claim of the same passkey stays, also one of the same identity. */
export function releaseClaims(db: Database, claims: readonly OwnedClaim[]): Statement {
  return releaseClaimsOf(db, { claims: JSON.stringify(claims) });
}

const releaseClaimsOf = prepareStatement<{ readonly claims: string }>((db, value) => {
  const field = (name: keyof OwnedClaim) => sql.raw(`claim.value ->> '${name}'`);
  const { tenantId, passkeyId, claimId } = passkeyClaims;
  return db.delete(passkeyClaims).where(
    sql`(${tenantId}, ${passkeyId}, ${claimId}) IN (
        SELECT ${field("tenantId")}, ${field("passkeyId")}, ${field("claimId")}
        FROM json_each(${value("claims")}) AS claim)`,
  );
});
