/** What the service and the library `@simplewebauthn/server` say about an answer. */
import { isDeepStrictEqual } from "node:util";
import { base64urlnopad } from "@scure/base";
import { verifyAuthenticationResponse, verifyRegistrationResponse } from "@simplewebauthn/server";
import { checkCounter } from "../../src/passkeys/counter.ts";
import type { Passkey } from "../../src/passkeys/passkey.ts";
import type { AuthenticationAnswer, RegistrationAnswer } from "../support/passkey-json.ts";
import { challenge, checkAuthentication, checkRegistration, page } from "./ceremony.ts";

const expected = {
  expectedChallenge: challenge,
  expectedOrigin: page.origin,
  expectedRPID: "example.org",
};

/** Accepted, or what is wrong. */
export type Verdict = { ok: true; facts: unknown } | { ok: false; why: string };

export async function ourRegistration(answer: RegistrationAnswer): Promise<Verdict> {
  const result = await checkRegistration(answer);
  if (result.ok) {
    const { credentialId, publicKey, aaguid, signCount, userVerified, ...rest } = result.value;
    const { backupEligible, backedUp } = rest;
    return {
      ok: true,
      facts: { credentialId, publicKey, aaguid, signCount, userVerified, backupEligible, backedUp },
    };
  }
  return { ok: false, why: "path" in result ? `${result.path} ${result.message}` : result.detail };
}

function whyOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export async function theirRegistration(answer: RegistrationAnswer): Promise<Verdict> {
  const response = { ...answer, response: { ...answer.response, transports: [] } };
  try {
    const { verified, registrationInfo } = await verifyRegistrationResponse({
      response,
      ...expected,
    });
    if (!verified || registrationInfo === undefined) return { ok: false, why: "not verified" };
    const { credential, aaguid, userVerified, credentialDeviceType } = registrationInfo;
    return {
      ok: true,
      facts: {
        credentialId: credential.id,
        publicKey: base64urlnopad.encode(credential.publicKey),
        aaguid,
        signCount: credential.counter,
        userVerified,
        backupEligible: credentialDeviceType === "multiDevice",
        backedUp: registrationInfo.credentialBackedUp,
      },
    };
  } catch (error) {
    return { ok: false, why: whyOf(error) };
  }
}

export async function ourAuthentication(
  answer: AuthenticationAnswer,
  passkey: Passkey,
): Promise<Verdict> {
  const result = await checkAuthentication(answer, { passkey });
  if (!result.ok) {
    return {
      ok: false,
      why: "path" in result ? `${result.path} ${result.message}` : result.detail,
    };
  }
  const { signCount, userVerified, backedUp } = result.value;
  if (checkCounter(passkey, signCount) === "regression_refused") {
    return { ok: false, why: "The counter did not grow." };
  }
  return { ok: true, facts: { signCount, userVerified, backedUp } };
}

export async function theirAuthentication(
  answer: AuthenticationAnswer,
  passkey: Passkey,
): Promise<Verdict> {
  const credential = {
    id: passkey.credentialId,
    publicKey: new Uint8Array(base64urlnopad.decode(passkey.publicKey)),
    counter: passkey.signCount,
  };
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: answer,
      credential,
      ...expected,
    });
    if (!verified) return { ok: false, why: "not verified" };
    const { newCounter, userVerified, credentialBackedUp } = authenticationInfo;
    return {
      ok: true,
      facts: { signCount: newCounter, userVerified, backedUp: credentialBackedUp },
    };
  } catch (error) {
    return { ok: false, why: whyOf(error) };
  }
}

/** Which side is stricter and what it says; undefined where both agree. */
export function differenceOf(ours: Verdict, theirs: Verdict): string | undefined {
  if (ours.ok && theirs.ok) {
    return isDeepStrictEqual(ours.facts, theirs.facts) ? undefined : "other facts";
  }
  if (!ours.ok) return theirs.ok ? `service: ${ours.why}` : undefined;
  return theirs.ok ? undefined : `library: ${theirs.why}`;
}
