/** Verifies one trail of the restored service against its checkpoint in the manifest. */
import { type AuditPublicKey, EdgeIdp } from "@edge-idp/sdk";
import { verifyConsistency, verifyTrail } from "@edge-idp/sdk/audit";
import { keyHashOf, parseNote } from "../../../../src/audit/tree/note.ts";
import { toHex } from "../../../../src/crypto/bytes.ts";
import type { Trail } from "../backup/manifest.ts";

export interface RestoredService {
  readonly url: string;
  readonly operator: EdgeIdp;
}

/** The checkpoint of the manifest as the API shows it; undefined if none of the service's keys has signed it. */
function showCheckpoint({ note }: Trail, keys: readonly AuditPublicKey[]) {
  const head = parseNote(note);
  if (head === undefined) return undefined;
  const signer = keys.find(({ public_key }) => {
    const hash = keyHashOf(head.origin, new Uint8Array(Buffer.from(public_key, "base64")));
    return toHex(hash) === toHex(head.keyHash);
  });
  if (signer === undefined) return undefined;
  return {
    origin: head.origin,
    tree_size: head.size,
    root_hash: toHex(head.root),
    sealed_at: new Date(head.signedAt).toISOString(),
    public_key: signer.public_key,
    note,
  };
}

/** @returns what is wrong with the trail: nothing if it is whole and extends the checkpoint */
export async function verifyRestoredTrail(
  { url, operator }: RestoredService,
  trail: Trail,
): Promise<string[]> {
  const tenant = await operator.tenants.get(trail.tenant_id);
  // Tokens of a suspended tenant are refused; the copy is thrown away.
  if (tenant.status === "suspended") await operator.tenants.reactivate(trail.tenant_id);
  const { secret } = await operator.tenants
    .tokens(trail.tenant_id)
    .create({ name: "restore drill", permissions: ["audit:read"] });
  const idp = new EdgeIdp({ url, token: secret });
  const keys = await idp.audit.keys();
  const older = showCheckpoint(trail, keys);
  if (older === undefined) return ["no key of AUDIT_SIGNING_KEYS has signed its checkpoint"];
  const newest = await idp.audit.checkpoint();
  const verdict =
    trail.first_leaf === 0
      ? await verifyTrail({
          read: () => idp.audit.exportBytes({}),
          checkpoint: JSON.stringify(newest),
          older: JSON.stringify({ checkpoint: older }),
          keys: JSON.stringify({ keys }),
        })
      : await verifyConsistency({
          older,
          newest,
          proof: await idp.audit.consistency(older.tree_size, newest.checkpoint.tree_size),
          keys,
        });
  return verdict.problems.map(({ leaf, message }) =>
    leaf === null ? message : `leaf ${leaf}: ${message}`,
  );
}
