/** Where the public keys come from: the service, whose answer is kept, or a set that the caller has. */
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JWTVerifyGetKey,
} from "jose";
import { StepUpTokenError } from "./step-up-token-error.ts";

/** The answer of `idp.stepUp.keys()`, or of `GET /.well-known/jwks.json`. */
export interface StepUpKeySet {
  readonly keys: readonly {
    readonly kty: string;
    readonly crv: string;
    readonly x: string;
    readonly kid: string;
    readonly use: string;
    readonly alg: string;
  }[];
}

/** How long fetched keys are used. The service never signs with a key that was published later than that. */
const maxAgeMs = 300_000;
/** The shortest time between two fetches, which a token with an unknown key causes. */
const minPauseMs = 30_000;
const timeoutMs = 5_000;

type Fetch = typeof fetch;

const fetched = new WeakMap<Fetch, Map<string, JWTVerifyGetKey>>();

function fetchedKeysOf(issuer: string, send: Fetch): JWTVerifyGetKey {
  const ofIssuers = fetched.get(send) ?? new Map<string, JWTVerifyGetKey>();
  fetched.set(send, ofIssuers);
  const known = ofIssuers.get(issuer);
  if (known !== undefined) return known;
  const keys = createRemoteJWKSet(new URL("/.well-known/jwks.json", issuer), {
    cacheMaxAge: maxAgeMs,
    cooldownDuration: minPauseMs,
    timeoutDuration: timeoutMs,
    [customFetch]: send,
  });
  ofIssuers.set(issuer, keys);
  return keys;
}

/** @param send undefined: the runtime's `fetch`; unused with a set */
export function findKeys(
  issuer: string,
  set: StepUpKeySet | undefined,
  send: Fetch | undefined,
): JWTVerifyGetKey {
  const find =
    set === undefined
      ? fetchedKeysOf(issuer, send ?? fetch)
      : createLocalJWKSet({ keys: set.keys.map((key) => ({ ...key })) });
  return async (header, token) => {
    try {
      return await find(header, token);
    } catch (cause) {
      const isUnknown =
        cause instanceof errors.JWKSNoMatchingKey ||
        cause instanceof errors.JWKSMultipleMatchingKeys;
      throw new StepUpTokenError(isUnknown ? "unknown_key" : "keys_unavailable", { cause });
    }
  };
}
