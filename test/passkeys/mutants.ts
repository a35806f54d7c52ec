/** Mutated answers: honest answers that were edited on the way, and answers of an authenticator that deviates. */
import fc from "fast-check";
import { encodeCbor } from "../../src/crypto/cbor.ts";
import { userHandleOf } from "../../src/passkeys/user-handle.ts";
import type { Deviations, Page } from "../support/passkey-authenticator.ts";
import {
  encodeEdDsaKey,
  encodeEs256Key,
  encodeMap,
  encodeRs256Key,
} from "../support/passkey-encoding.ts";
import type { AuthenticationAnswer, RegistrationAnswer } from "../support/passkey-json.ts";
import { challenge, identityId, page } from "./ceremony.ts";
import { editEncoded, editedBytes, editedText } from "./edits.ts";

/** What the authenticator does, and then what happens to its answer. */
export interface Mutant<Answer> {
  readonly deviations: Deviations;
  readonly page: Page;
  readonly edit: (answer: Answer) => Answer;
}

const flags = fc.record(
  {
    userPresent: fc.boolean(),
    userVerified: fc.boolean(),
    backupEligible: fc.boolean(),
    backedUp: fc.boolean(),
    extensions: fc.boolean(),
    attested: fc.boolean(),
  },
  { requiredKeys: [] },
);

const pages = fc
  .record(
    {
      origin: fc.constantFrom(page.origin, "https://example.org", `${page.origin}:443`),
      crossOrigin: fc.boolean(),
      topOrigin: fc.constantFrom("", page.origin, "https://portal.example.com"),
    },
    { requiredKeys: [] },
  )
  .map((one): Page => ({ ...page, ...one }));

/** One field of the client data that is odd. */
const oddField = fc.oneof(
  fc.constantFrom<Record<string, unknown>>(
    ...[null, "present", { status: "supported" }, { status: "unknown" }].map((tokenBinding) => ({
      tokenBinding,
    })),
    ...[true, false, null, "true", 1].map((crossOrigin) => ({ crossOrigin })),
    ...[null, "", 1, page.origin].map((topOrigin) => ({ topOrigin })),
    ...[`${challenge}=`, null, 1].map((odd) => ({ challenge: odd })),
  ),
  fc.json({ maxDepth: 2 }).map((extra) => ({ extra })),
);

/** JSON of client data with an odd field, or in an odd encoding. */
function clientDataOf(type: string): fc.Arbitrary<Uint8Array> {
  const honest = { type, challenge, origin: page.origin, crossOrigin: false };
  const encode = (text: string) => new TextEncoder().encode(text);
  const text = oddField.map((odd) => JSON.stringify({ ...honest, ...odd }));
  const invalidUtf8 = [0x2c, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d];
  return fc.oneof(
    { arbitrary: text.map(encode), weight: 3 },
    { arbitrary: editedBytes.map((edit) => edit(encode(JSON.stringify(honest)))), weight: 2 },
    fc.constantFrom(
      encode(`\ufeff${JSON.stringify(honest)}`),
      encode(` ${JSON.stringify(honest)}\n`),
      encode(JSON.stringify(honest).replace("{", '{"type":"webauthn.other",')),
      new Uint8Array([...encode(JSON.stringify(honest)).subarray(0, -1), ...invalidUtf8]),
    ),
  );
}

const trailing = fc.constantFrom(
  new Uint8Array([0]),
  new Uint8Array([0xa0]),
  new Uint8Array([0x80]),
  // Indefinite length, a doubled key, a head that is too long, a tag.
  new Uint8Array([0xbf, 0xff]),
  new Uint8Array([0xa2, 0x01, 0x01, 0x01, 0x02]),
  new Uint8Array([0xa1, 0x18, 0x01, 0x01]),
  new Uint8Array([0xa1, 0x01, 0xc1, 0x01]),
  encodeMap(["credProtect", 2]),
  encodeMap(["b", 1], ["a", 2]),
  encodeMap(["credProtect", 2], ["hmac-secret", true]),
);

/** Statements that the format `none` does not have. */
const oddStatements = [encodeMap(["alg", -7]), encodeCbor([]), encodeCbor(null), encodeCbor("")];

/** Keys that no one should register. */
const oddKeys = fc.constantFrom(
  encodeEs256Key(new Uint8Array(32), new Uint8Array(32)),
  encodeEs256Key(new Uint8Array(31).fill(1), new Uint8Array(32).fill(1)),
  encodeEdDsaKey(new Uint8Array(32)),
  encodeEdDsaKey(new Uint8Array(32).fill(0xff)),
  encodeRs256Key(new Uint8Array(128).fill(0xff)),
  encodeRs256Key(new Uint8Array(256).fill(0xff), new Uint8Array([3])),
  encodeMap([1, 1], [3, -8], [-1, 7], [-2, new Uint8Array(57)]),
  encodeMap([1, 2], [3, -35], [-1, 2], [-2, new Uint8Array(48)], [-3, new Uint8Array(48)]),
  encodeMap([3, -7], [1, 2]),
  encodeMap(),
);

function deviationsOf(type: string): fc.Arbitrary<Deviations> {
  return fc.oneof(
    fc.record({ flags }),
    fc.record({ flags: fc.constant({ extensions: true }), trailing }),
    fc.record({ trailing }),
    fc.record({ signCount: fc.constantFrom(0, 1, 2, 0xffff_ffff) }),
    { arbitrary: fc.record({ clientData: clientDataOf(type) }), weight: 3 },
    { arbitrary: fc.record({ editData: editedBytes }), weight: 3 },
    fc.record({ rpId: fc.constantFrom("example.com", "login.example.org") }),
  );
}

/** Either the authenticator deviates, or the page does, or the answer is edited on the way. */
function mutantsOf<Answer>(
  deviations: fc.Arbitrary<Deviations>,
  edit: fc.Arbitrary<(answer: Answer) => Answer>,
): fc.Arbitrary<Mutant<Answer>> {
  const honest = { deviations: {}, page, edit: (answer: Answer) => answer };
  return fc.oneof(
    { arbitrary: deviations.map((one) => ({ ...honest, deviations: one })), weight: 4 },
    { arbitrary: pages.map((one) => ({ ...honest, page: one })), weight: 1 },
    { arbitrary: edit.map((one) => ({ ...honest, edit: one })), weight: 4 },
  );
}

/** Edits one of the encoded fields, as bytes or as text. */
function responseEdit<Name extends string>(
  ...names: readonly Name[]
): fc.Arbitrary<(response: Readonly<Record<Name, string>>) => Partial<Record<Name, string>>> {
  const edits = fc.oneof(
    { arbitrary: editedBytes.map((edit) => (text: string) => editEncoded(text, edit)), weight: 3 },
    { arbitrary: editedText, weight: 1 },
  );
  return fc.tuple(fc.constantFrom(...names), edits).map(([name, edit]) => (response) => {
    const edited: Partial<Record<Name, string>> = {};
    edited[name] = edit(response[name]);
    return edited;
  });
}

export const registrationMutants = mutantsOf<RegistrationAnswer>(
  fc.oneof(
    { arbitrary: deviationsOf("webauthn.create"), weight: 4 },
    { arbitrary: fc.record({ format: fc.constantFrom("none", "other", "") }), weight: 1 },
    { arbitrary: fc.record({ statement: fc.constantFrom(...oddStatements) }), weight: 1 },
    { arbitrary: fc.record({ publicKey: oddKeys }), weight: 1 },
  ),
  fc.oneof(
    responseEdit("clientDataJSON", "attestationObject").map(
      (edit) => (answer: RegistrationAnswer) => ({
        ...answer,
        response: { ...answer.response, ...edit(answer.response) },
      }),
    ),
    editedText.map((edit) => (answer: RegistrationAnswer) => ({
      ...answer,
      id: edit(answer.id),
      rawId: edit(answer.id),
    })),
  ),
);

export const authenticationMutants = mutantsOf<AuthenticationAnswer>(
  fc.oneof(
    { arbitrary: deviationsOf("webauthn.get"), weight: 8 },
    {
      arbitrary: fc.record({
        userHandle: fc.constantFrom(null, "", userHandleOf(identityId), "AAAA", "not base64"),
      }),
      weight: 1,
    },
  ),
  fc.oneof(
    responseEdit("clientDataJSON", "authenticatorData", "signature").map(
      (edit) => (answer: AuthenticationAnswer) => ({
        ...answer,
        response: { ...answer.response, ...edit(answer.response) },
      }),
    ),
    editedText.map((edit) => (answer: AuthenticationAnswer) => ({
      ...answer,
      id: edit(answer.id),
      rawId: edit(answer.id),
    })),
  ),
);
