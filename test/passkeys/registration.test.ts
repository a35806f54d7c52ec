/** Each way in which a registration deviates. */
import { base64urlnopad, hex } from "@scure/base";
import { describe, expect, it } from "vitest";
import { parseRegistration } from "../../src/passkeys/parse.ts";
import { type Deviations, PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import { encodeMap } from "../support/passkey-encoding.ts";
import {
  checkAuthentication,
  checkRegistration,
  creationOptions,
  page,
  requestOptions,
  storePasskey,
} from "./ceremony.ts";
import { malformedClientData, refused, register } from "./deviations.ts";

describe("A registration", () => {
  it.each(refused)("is refused with $name", async ({ reason, ...ceremony }) => {
    expect(await register(ceremony)).toMatchObject({ ok: false, reason });
  });

  it("is refused with the client data of an authentication", async () => {
    const result = await register({ deviations: { type: "webauthn.get" } });
    expect(result).toMatchObject({ ok: false, reason: "type" });
  });

  it("is malformed with malformed client data", async () => {
    for (const data of malformedClientData) {
      const result = await register({ deviations: { clientData: data } });
      expect(result).toMatchObject({ ok: false, path: "response.clientDataJSON" });
    }
  });

  it.each<[string, Deviations]>([
    ["bytes after the data", { trailing: new Uint8Array([0]) }],
    ["extensions without their flag", { trailing: encodeMap(["credProtect", 2]) }],
    ["a flag of extensions without them", { flags: { extensions: true } }],
    [
      "extensions that are no map",
      { flags: { extensions: true }, trailing: new Uint8Array([0x80]) },
    ],
    ["no flag of a credential", { flags: { attested: false } }],
    ["a public key that is no map", { publicKey: new Uint8Array([0x40]) }],
    ["a public key that ends early", { publicKey: new Uint8Array([0xa5, 1]) }],
    ["an empty credential id", { credentialId: "" }],
  ])("is malformed with %s", async (_name, deviations) => {
    const result = await register({ deviations });
    expect(result).toMatchObject({ ok: false, path: "response.attestationObject" });
  });

  it.each<[string, string]>([
    ["is 8,000 deep", "81".repeat(8000)],
    ["is 4,000 maps deep", `${"a100".repeat(4000)}00`],
    ["has keys that are 8,000 deep", "a1".repeat(8000)],
    ["has 2^53 items", "9b0020000000000000"],
    ["has 2^53 entries", "bb0020000000000000"],
    ["has 2^32 bytes", "a1005b0000000100000000"],
    ["has a doubled key", "a2616101616101"],
    ["has keys out of order", "a2616201616101"],
    ["has an indefinite length", "bf616101ff"],
    ["has a head that is too long", "b801616101"],
    ["has a tag", "a16161c101"],
  ])("is malformed with CBOR that %s, wherever it is", async (_name, text) => {
    const cbor = hex.decode(text);
    const places: readonly Deviations[] = [
      { format: "packed", statement: cbor },
      { publicKey: cbor },
      { flags: { extensions: true }, trailing: cbor },
    ];
    for (const deviations of places) {
      const result = await register({ deviations });
      expect(result).toMatchObject({ ok: false, path: "response.attestationObject" });
    }
    const answer = await new PasskeyAuthenticator().create(creationOptions, page);
    const attestationObject = base64urlnopad.encode(cbor);
    const replaced = { ...answer, response: { ...answer.response, attestationObject } };
    expect(await checkRegistration(replaced)).toMatchObject({ path: "response.attestationObject" });
  });

  it.each(["80", "a0", "f6", "40"])("is malformed with an attestation object %s", async (text) => {
    const answer = await new PasskeyAuthenticator().create(creationOptions, page);
    const attestationObject = base64urlnopad.encode(hex.decode(text));
    const replaced = { ...answer, response: { ...answer.response, attestationObject } };
    expect(await checkRegistration(replaced)).toMatchObject({ path: "response.attestationObject" });
  });

  it("is about the credential that the envelope names", async () => {
    const authenticator = new PasskeyAuthenticator();
    const answer = await authenticator.create(creationOptions, page);
    const other = await authenticator.create(creationOptions, page);
    const swapped = { ...answer, id: other.id, rawId: other.id };
    expect(await checkRegistration(swapped)).toEqual({
      ok: false,
      path: "response.attestationObject",
      message: "is about another credential than id",
    });
    expect(await checkRegistration({ ...answer, rawId: other.id })).toMatchObject({
      path: "rawId",
    });
    for (const id of ["A", `${answer.id}=`, `${answer.id} `]) {
      expect(await checkRegistration({ ...answer, id, rawId: id })).toMatchObject({ path: "id" });
    }
    expect(parseRegistration({ ...answer, type: "password" })).toMatchObject({
      path: "type",
    });
  });

  it("has a credential id of at most 1,023 bytes", async () => {
    const idOf = (length: number) => "A".repeat(Math.ceil((length * 4) / 3));
    expect(await register({ deviations: { credentialId: idOf(1023) } })).toMatchObject({
      ok: true,
    });
    expect(await register({ deviations: { credentialId: idOf(1024) } })).toMatchObject({
      path: "response.attestationObject",
    });
  });

  it("may have extensions, and reserved flags", async () => {
    const deviations = { flags: { extensions: true }, trailing: encodeMap(["credProtect", 2]) };
    expect(await register({ deviations })).toMatchObject({ ok: true });
  });

  it("keeps that the user was not verified, where that is not required", async () => {
    const authenticator = new PasskeyAuthenticator({ verifiesUser: false });
    const expected = { userVerification: "preferred" } as const;
    const passkey = await storePasskey(await authenticator.create(creationOptions, page), expected);
    expect(passkey.userVerified).toBe(false);

    // A verification that is first seen later does not count.
    const answer = await authenticator.get(requestOptions, page, { flags: { userVerified: true } });
    const result = await checkAuthentication(answer, { passkey, ...expected });
    expect(result).toMatchObject({ ok: true, value: { userVerified: false } });
    expect(await checkAuthentication(answer, { passkey })).toMatchObject({
      reason: "user_verification",
    });
  });

  it("has an empty statement in the format none, and any statement in another", async () => {
    const statement = encodeMap(["alg", -7], ["sig", new Uint8Array(8)]);
    expect(await register({ deviations: { format: "packed", statement } })).toMatchObject({
      ok: true,
    });
    const [array, nothing] = [new Uint8Array([0x80]), new Uint8Array([0xf6])];
    expect(await register({ deviations: { format: "compound", statement: array } })).toMatchObject({
      ok: true,
    });
    for (const deviations of [
      { statement },
      { statement: array },
      { statement: nothing },
      { format: "packed", statement: nothing },
    ]) {
      expect(await register({ deviations })).toMatchObject({ path: "response.attestationObject" });
    }
  });

  it("has few and short transports, each once", async () => {
    const authenticator = new PasskeyAuthenticator();
    const answer = await authenticator.create(creationOptions, page);
    const check = (transports: string[]) =>
      checkRegistration({ ...answer, response: { ...answer.response, transports } });
    expect(await check(["usb", "usb", "future-kind"])).toMatchObject({
      value: { transports: ["usb", "future-kind"] },
    });
    const ten = Array.from({ length: 10 }, (_, index) => `kind-${index}`);
    expect(await check(ten)).toMatchObject({ value: { transports: ten } });
    for (const transports of [["x".repeat(33)], ["a b"], [""], new Array(11).fill("usb")]) {
      expect(await check(transports)).toMatchObject({ path: "response.transports" });
    }
  });
});
