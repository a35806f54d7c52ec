/** Honest answers with one byte changed on the way: every byte, or every spelling. */
import { base64urlnopad } from "@scure/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Algorithm, algorithms } from "../../src/passkeys/passkey.ts";
import { strideOf } from "../support/campaign.ts";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import {
  checkAuthentication,
  checkRegistration,
  creationOptions,
  page,
  requestOptions,
  storePasskey,
} from "./ceremony.ts";
import { editedText } from "./edits.ts";

/** What a byte is changed by: each value in a whole run. */
const allMasks = Array.from({ length: 255 }, (_, index) => index + 1);
const masks = strideOf(2) === 1 ? allMasks : [0x01, 0x08, 0x20, 0x80];

async function performCeremonies(algorithm: Algorithm) {
  const authenticator = new PasskeyAuthenticator({ algorithm });
  const registration = await authenticator.create(creationOptions, page);
  const passkey = await storePasskey(registration);
  return { registration, passkey, authentication: await authenticator.get(requestOptions, page) };
}

/** The offsets at which some change is accepted. */
async function findAcceptedOffsets(
  text: string,
  check: (edited: string) => Promise<{ readonly ok: boolean }>,
): Promise<number[]> {
  const bytes = base64urlnopad.decode(text);
  const offsets = new Set<number>();
  for (const [offset, byte] of bytes.entries()) {
    for (const mask of masks) {
      const edited = new Uint8Array(bytes);
      edited.set([byte ^ mask], offset);
      if ((await check(base64urlnopad.encode(edited))).ok) offsets.add(offset);
    }
  }
  return [...offsets];
}

/** Half-open ranges of offsets. */
type Ranges = Readonly<Record<string, readonly [from: number, to: number]>>;

/** Names the ranges of offsets; an offset outside of all of them stands for itself. */
function nameOffsets(offsets: readonly number[], ranges: Ranges): string[] {
  const names = offsets.map((offset) => {
    const range = Object.entries(ranges).find(([, [from, to]]) => offset >= from && offset < to);
    return range?.[0] ?? `byte ${offset}`;
  });
  return [...new Set(names)];
}

/**
 * A registration without attestation is not signed, so that the page can write what it likes in these places. The
 * flag that can change is the eligibility for a backup.
 */
function rangesOf(attestationObject: Uint8Array, algorithm: Algorithm): Ranges {
  const end = attestationObject.length;
  const keyBytes = { [-7]: 77, [-8]: 42, [-257]: 272 }[algorithm];
  const credentialStart = end - keyBytes - 32 - 18;
  return {
    format: [6, 10],
    flags: [credentialStart - 5, credentialStart - 4],
    counter: [credentialStart - 4, credentialStart],
    aaguid: [credentialStart, credentialStart + 16],
    ...(algorithm === -8 ? { "another point": [end - 32, end] } : {}),
    ...(algorithm === -257 ? { "another modulus": [end - 5 - 256, end - 5] } : {}),
  };
}

describe.each(algorithms)("An answer with the algorithm %i", (algorithm) => {
  it("of an authentication is accepted with no byte changed", async () => {
    const { passkey, authentication } = await performCeremonies(algorithm);
    const { response } = authentication;
    for (const field of ["clientDataJSON", "authenticatorData", "signature"] as const) {
      const offsets = await findAcceptedOffsets(response[field], (edited) =>
        checkAuthentication(
          { ...authentication, response: { ...response, [field]: edited } },
          { passkey },
        ),
      );
      expect(offsets).toEqual([]);
    }
  }, 120_000);

  it("of a registration is accepted with changes in what nobody signs", async () => {
    const { registration } = await performCeremonies(algorithm);
    const { response } = registration;
    const check = (edited: Partial<typeof response>) =>
      checkRegistration({ ...registration, response: { ...response, ...edited } });

    const object = base64urlnopad.decode(response.attestationObject);
    const ranges = rangesOf(object, algorithm);
    const offsets = await findAcceptedOffsets(response.attestationObject, (attestationObject) =>
      check({ attestationObject }),
    );
    expect(nameOffsets(offsets, ranges)).toEqual(Object.keys(ranges));

    // Without its name, crossOrigin is a field of the future. It was false.
    const json = new TextDecoder().decode(base64urlnopad.decode(response.clientDataJSON));
    const start = json.indexOf("crossOrigin");
    const accepted = await findAcceptedOffsets(response.clientDataJSON, (clientDataJSON) =>
      check({ clientDataJSON }),
    );
    expect(nameOffsets(accepted, { name: [start, start + 11] })).toEqual(["name"]);
  }, 120_000);

  it("is not accepted in another spelling of base64url", async () => {
    const { registration, passkey, authentication } = await performCeremonies(algorithm);
    const { response } = authentication;
    const checkResponse = (edited: Partial<typeof response>) =>
      checkAuthentication({ ...authentication, response: { ...response, ...edited } }, { passkey });
    const parts: readonly (readonly [string, (edited: string) => Promise<{ ok: boolean }>])[] = [
      [registration.id, (id) => checkRegistration({ ...registration, id, rawId: id })],
      [
        registration.id,
        (id) => checkAuthentication({ ...authentication, id, rawId: id }, { passkey }),
      ],
      [response.clientDataJSON, (clientDataJSON) => checkResponse({ clientDataJSON })],
      [response.authenticatorData, (authenticatorData) => checkResponse({ authenticatorData })],
      [response.signature, (signature) => checkResponse({ signature })],
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...parts), editedText, async ([text, check], edit) => {
        const edited = edit(text);
        fc.pre(edited !== text);
        expect((await check(edited)).ok).toBe(false);
      }),
    );
  });
});
