/** What the ceremonies of passkeys have in common at the edge: the relying party, challenges and answers. */

import type { Config } from "../env.ts";
import { AppError, createInvalidRequest } from "../errors.ts";
import { toRfc3339 } from "../http/schemas.ts";
import {
  type ChallengeFacts,
  challengeLifetimeMs,
  createChallenge,
} from "../passkeys/challenge.ts";
import type { Parsed } from "../passkeys/parse.ts";
import type { Passkey } from "../passkeys/passkey.ts";
import type { TenantPolicy } from "../tenancy/policy.ts";

/** @throws AppError `passkeys_not_set_up` */
export function requireRelyingParty({ passkeys }: TenantPolicy) {
  const { rpId: id, rpName, origins, topOrigins, userVerification } = passkeys;
  if (id === null) throw new AppError("passkeys_not_set_up");
  return { relyingParty: { id, origins, topOrigins }, rpName: rpName ?? id, userVerification };
}

/** Stores nothing. */
export async function issueChallenge(
  { config, now }: { readonly config: Config; readonly now: number },
  facts: ChallengeFacts,
) {
  const challenge = await createChallenge(config.sealingKeys, facts, now);
  return { challenge, expiresAt: toRfc3339(now + challengeLifetimeMs) };
}

/** @throws AppError `invalid_request` for an answer that no ceremony can have made */
export function requireParsed<T>(parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value;
  const path = `passkey.credential.${parsed.path}`;
  throw createInvalidRequest([{ path, message: parsed.message }]);
}

/** A credential that the browser may use, or must not create again. */
export function describeCredential({ credentialId, transports }: Passkey) {
  return { type: "public-key" as const, id: credentialId, transports: [...transports] };
}
