/**
 * The verification compared with another implementation, `@simplewebauthn/server`, on mutated answers: both accept the
 * same ones with the same facts, except for what explained.ts has a reason for.
 */
import fc from "fast-check";
import { expect, inject, it } from "vitest";
import { algorithms } from "../../src/passkeys/passkey.ts";
import { strideOf } from "../support/campaign.ts";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import { createKeys } from "../support/passkey-keys.ts";
import { creationOptions, page, requestOptions, storePasskey } from "./ceremony.ts";
import { explained } from "./explained.ts";
import { authenticationMutants, registrationMutants } from "./mutants.ts";
import {
  differenceOf,
  ourAuthentication,
  ourRegistration,
  theirAuthentication,
  theirRegistration,
} from "./verdicts.ts";

const isFull = strideOf(2) === 1;
/** For each algorithm and kind of authenticator. `FUZZ_SEED` selects the run. */
const sample = { numRuns: 4_000 / strideOf(25), seed: inject("fuzz").seed };

/** Fails for a difference without an explanation, and in a whole run for an explanation without a difference. */
function expectExplained(
  differences: ReadonlySet<string>,
  table: Readonly<Record<string, string>>,
) {
  const explanationOf = (difference: string) =>
    Object.keys(table).find((beginning) => difference.startsWith(beginning));
  expect([...differences].filter((one) => explanationOf(one) === undefined)).toEqual([]);
  const used = new Set([...differences].map(explanationOf));
  if (isFull) expect(Object.keys(table).filter((one) => !used.has(one))).toEqual([]);
}

it("Registrations are judged as the library judges them, or more strictly for a reason", async () => {
  const differences = new Set<string>();
  let accepted = 0;
  for (const algorithm of algorithms) {
    const authenticator = new PasskeyAuthenticator({
      algorithm,
      keys: await createKeys(algorithm),
    });
    for (const { deviations, page: origin, edit } of fc.sample(registrationMutants, sample)) {
      const answer = edit(await authenticator.create(creationOptions, origin, deviations));
      const ours = await ourRegistration(answer);
      const difference = differenceOf(ours, await theirRegistration(answer));
      if (difference !== undefined) differences.add(difference);
      if (ours.ok) accepted += 1;
    }
  }
  expectExplained(differences, explained.registration);
  expect(accepted).toBeGreaterThan(sample.numRuns / 10);
}, 120_000);

it("Authentications are judged as the library judges them, or more strictly for a reason", async () => {
  const differences = new Set<string>();
  let accepted = 0;
  for (const algorithm of algorithms) {
    for (const synced of [true, false]) {
      const authenticator = new PasskeyAuthenticator({ algorithm, synced });
      const passkey = await storePasskey(await authenticator.create(creationOptions, page));
      for (const { deviations, page: origin, edit } of fc.sample(authenticationMutants, sample)) {
        const answer = edit(await authenticator.get(requestOptions, origin, deviations));
        const ours = await ourAuthentication(answer, passkey);
        const difference = differenceOf(ours, await theirAuthentication(answer, passkey));
        if (difference !== undefined) differences.add(difference);
        if (ours.ok) accepted += 1;
      }
    }
  }
  expectExplained(differences, explained.authentication);
  expect(accepted).toBeGreaterThan(sample.numRuns / 10);
}, 120_000);
