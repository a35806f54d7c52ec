/** The test vectors of WebAuthn Level 3. */
import { base64urlnopad, hex } from "@scure/base";
import { describe, expect, it } from "vitest";
import { parseAuthentication, parseRegistration } from "../../src/passkeys/parse.ts";
import type { NewCredential, Passkey } from "../../src/passkeys/passkey.ts";
import { verifyAuthentication } from "../../src/passkeys/verify-authentication.ts";
import { verifyRegistration } from "../../src/passkeys/verify-registration.ts";
import vectors from "../vectors/webauthn.json";

type Vector = (typeof vectors.vectors)[number];

/** The names of the vectors with an algorithm that the service does not offer. */
const refused = ["packed-es384", "packed-es512", "packed-ed448"];
const accepted = vectors.vectors.filter(({ name }) => !refused.includes(name));

const relyingParty = {
  id: vectors.rp_id,
  origins: [vectors.origin],
  topOrigins: [vectors.top_origin],
};

function toBase64url(text: string): string {
  return base64urlnopad.encode(hex.decode(text));
}

async function register({ registration }: Vector) {
  const id = toBase64url(registration.credential_id);
  const parsed = parseRegistration({
    id,
    rawId: id,
    type: "public-key",
    response: {
      clientDataJSON: toBase64url(registration.clientDataJSON),
      attestationObject: toBase64url(registration.attestationObject),
    },
  });
  if (!parsed.ok) return parsed;
  const challenge = toBase64url(registration.challenge);
  return await verifyRegistration(parsed.value, {
    challenge,
    relyingParty,
    userVerification: "preferred",
  });
}

function storeCredential(credential: NewCredential): Passkey {
  const { credentialId } = credential;
  return {
    ...credential,
    id: credentialId.slice(0, 24),
    name: "Vector",
    rpId: relyingParty.id,
    createdAt: 0,
    lastUsedAt: null,
  };
}

async function authenticate({ registration, authentication }: Vector, passkey: Passkey) {
  const id = toBase64url(registration.credential_id);
  const parsed = parseAuthentication({
    id,
    rawId: id,
    type: "public-key",
    response: {
      clientDataJSON: toBase64url(authentication.clientDataJSON),
      authenticatorData: toBase64url(authentication.authenticatorData),
      signature: toBase64url(authentication.signature),
    },
  });
  if (!parsed.ok) return parsed;
  return await verifyAuthentication(parsed.value, {
    challenge: toBase64url(authentication.challenge),
    relyingParty,
    userVerification: "preferred",
    identityId: "0".repeat(24),
    passkey,
  });
}

describe("The vectors of WebAuthn Level 3", () => {
  it.each(accepted)("register and authenticate: $name", async (vector) => {
    const registered = await register(vector);
    if (!registered.ok) throw new Error(JSON.stringify(registered));
    const aaguid = registered.value.aaguid.replaceAll("-", "");
    expect(aaguid).toBe(vector.registration.aaguid);
    expect(await authenticate(vector, storeCredential(registered.value))).toMatchObject({
      ok: true,
    });
  });

  it.each(vectors.vectors.filter(({ name }) => refused.includes(name)))(
    "are refused for their key: $name",
    async (vector) => {
      expect(await register(vector)).toMatchObject({ ok: false, reason: "key" });
    },
  );

  it("cover the three algorithms", async () => {
    const results = await Promise.all(accepted.map(register));
    const algorithms = results.map((result) => result.ok && result.value.algorithm);
    expect([...new Set(algorithms)].toSorted()).toEqual([-257, -7, -8]);
  });
});
