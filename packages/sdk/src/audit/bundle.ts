/** Verifies the bundle of one event: the file with its proof, its checkpoint and the keys of the service. */
import type { AuditEventBundle } from "../types.ts";
import { CannotVerifyError } from "./cannot-verify-error.ts";
import { readKeys } from "./checkpoint.ts";
import { shownEvent } from "./event.ts";
import { inclusionProof, type Keys, requireShape, verifyInclusion } from "./proofs.ts";
import { count, objectWith, text } from "./shape.ts";
import type { BundleVerdict, Problem } from "./verdict.ts";

const format = "edge-idp/audit-bundle";
const version = 1;

const envelope = objectWith({ format: text, version: count });
const contents = objectWith({
  event: shownEvent,
  proof: inclusionProof,
  checkpoint: objectWith({}),
});

/** @throws CannotVerifyError if the value is no bundle, or one of another version */
function requireBundle(value: unknown): asserts value is AuditEventBundle {
  const what = "The bundle given is not an answer of GET /v1/audit/events/{id}/bundle";
  requireShape<{ format: string; version: number }>(value, envelope, what);
  if (value.format !== format) throw new CannotVerifyError(`${what}: format is not ${format}`);
  if (value.version !== version) {
    throw new CannotVerifyError(
      `The bundle given has version ${value.version}, and this verifier reads version ${version}.`,
    );
  }
  requireShape<AuditEventBundle>(value, contents, what);
}

/** Why the checkpoint, although it is signed, does not belong to the keys in the bundle. */
function findKeyProblem(
  bundle: AuditEventBundle,
  publicKey: string | undefined,
): Problem | undefined {
  if (publicKey === undefined || readKeys(bundle.keys).includes(publicKey)) return undefined;
  const message = `the checkpoint is signed by a key that is not among the keys in the bundle: ${publicKey}`;
  return { leaf: null, kind: "key", message };
}

/**
 * Verifies that the log contains the event of a bundle, as `verifyInclusion` does.
 * @param given.bundle the answer of `GET /v1/audit/events/{id}/bundle`
 * @param given.keys accept only these keys, which come from elsewhere. Without them the keys in the bundle count. That
 * finds every change of a bundle, but no forgery: whoever makes up a bundle also chooses the keys in it.
 * @throws CannotVerifyError if one of them is something else, or the runtime lacks Ed25519
 */
export async function verifyBundle(given: {
  readonly bundle: AuditEventBundle;
  readonly keys?: Keys | undefined;
}): Promise<BundleVerdict> {
  const { bundle, keys } = given;
  requireBundle(bundle);
  const { event, proof, checkpoint } = bundle;
  const verdict = await verifyInclusion({ event, proof: { proof, checkpoint }, keys });
  const trustsBundle = keys === undefined;
  const wrong = trustsBundle ? findKeyProblem(bundle, verdict.newest?.publicKey) : undefined;
  const problems = wrong === undefined ? verdict.problems : [...verdict.problems, wrong];
  return { ...verdict, ok: problems.length === 0, problems, trustsBundle };
}
