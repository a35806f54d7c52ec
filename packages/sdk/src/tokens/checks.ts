/** What a service asks of a step-up token. A mistake in it is the service's own, and is told apart from a bad token. */
import { hasShape, listOf, objectWith, text } from "../audit/shape.ts";
import type { StepUpKeySet } from "./keys.ts";

/** From the weakest: one factor, and several. */
export const levels: readonly string[] = ["urn:edge-idp:aal1", "urn:edge-idp:aal2"];
export type StepUpLevel = "urn:edge-idp:aal1" | "urn:edge-idp:aal2";

/** What the token must have been issued for. Leave out what you do not check; `undefined` is refused as a mistake. */
export interface StepUpChecks {
  /** The address of the service, as its operator has configured it: `https://idp.example.com`, without a slash. */
  readonly issuer: string;
  /** Your own name, as the `audience` of the verification named it. */
  readonly audience: string;
  /** The id of the tenant whose users you accept. One service issues tokens for all of its tenants. */
  readonly tenant: string;
  /** The value that you have sent to the backend for this request. */
  readonly nonce?: string;
  /** The weakest level to accept. By default each one. */
  readonly acr?: StepUpLevel;
  /** How long ago the user may have been verified. By default until the token expires. */
  readonly maxAgeSeconds?: number;
  /** The public keys, where they should not be fetched from the issuer. */
  readonly jwks?: StepUpKeySet | undefined;
  /**
   * What fetches the keys, such as that of a service binding. By default the runtime's `fetch`. Keys are kept for the
   * function that fetched them, so pass the same one each time.
   */
  readonly fetch?: typeof fetch | undefined;
  /** The time of the check, for tests. */
  readonly now?: Date | undefined;
}

const keySetShape = objectWith({ keys: listOf(objectWith({ kid: text })) });

/** The service's address is an origin, which each of its tokens names to the letter. */
function isOrigin(address: string): boolean {
  return URL.canParse(address) && new URL(address).origin === address;
}

/** The first mistake: a check that is missing must not be passed by every token. */
function findMistake(checks: StepUpChecks): string | undefined {
  const { issuer, audience, tenant, acr, jwks, now } = checks;
  for (const [name, value] of Object.entries({ issuer, audience, tenant })) {
    if (typeof value !== "string" || value === "") return `${name} is missing`;
  }
  for (const name of ["nonce", "acr", "maxAgeSeconds"] as const) {
    const isLost = Object.hasOwn(checks, name) && checks[name] === undefined;
    if (isLost) return `${name} is undefined; leave it out if the token need not pass that check`;
  }
  if (!isOrigin(issuer)) {
    return "issuer is no address of the form https://host[:port], without a path or a slash at the end";
  }
  if (acr !== undefined && !levels.includes(acr)) return "acr is no known level";
  if (jwks !== undefined && !hasShape(jwks, keySetShape)) return "jwks is no JSON Web Key Set";
  if (now !== undefined && Number.isNaN(now.getTime())) return "now is no time";
  return undefined;
}

/** @throws TypeError */
export function requireSettings(checks: StepUpChecks): void {
  const mistake = findMistake(checks);
  if (mistake !== undefined) throw new TypeError(mistake);
}
