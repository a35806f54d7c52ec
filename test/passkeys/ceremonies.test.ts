/** Whole ceremonies, and each way in which an answer deviates from them. */
import { describe, expect, it } from "vitest";
import { checkCounter } from "../../src/passkeys/counter.ts";
import { parseRegistration } from "../../src/passkeys/parse.ts";
import { algorithms, type PasskeyReason } from "../../src/passkeys/passkey.ts";
import type { Expectations } from "../../src/passkeys/steps.ts";
import { userHandleOf } from "../../src/passkeys/user-handle.ts";
import {
  type AuthenticatorSettings,
  type Deviations,
  type Page,
  PasskeyAuthenticator,
} from "../support/passkey-authenticator.ts";
import { encodeMap } from "../support/passkey-encoding.ts";
import {
  challenge,
  checkAuthentication,
  checkRegistration,
  creationOptions,
  expectations,
  identityId,
  page,
  requestOptions,
  storePasskey,
} from "./ceremony.ts";

interface Ceremony {
  readonly deviations?: Deviations;
  readonly page?: Page;
  readonly settings?: AuthenticatorSettings;
  readonly expected?: Partial<Expectations>;
}

async function register(ceremony: Ceremony) {
  const authenticator = new PasskeyAuthenticator(ceremony.settings);
  const answer = await authenticator.create(
    creationOptions,
    ceremony.page ?? page,
    ceremony.deviations,
  );
  return await checkRegistration(answer, ceremony.expected);
}

/** Registers honestly, then authenticates. */
async function authenticate(ceremony: Ceremony) {
  const authenticator = new PasskeyAuthenticator(ceremony.settings);
  const passkey = await storePasskey(await authenticator.create(creationOptions, page));
  const answer = await authenticator.get(
    requestOptions,
    ceremony.page ?? page,
    ceremony.deviations,
  );
  return await checkAuthentication(answer, { passkey, ...ceremony.expected });
}

const relyingParty = { ...expectations.relyingParty, topOrigins: ["https://portal.example.com"] };
const framed = { ...page, crossOrigin: true };
const text = (value: string) => new TextEncoder().encode(value);
const clientData = {
  type: "webauthn.get",
  challenge,
  origin: page.origin,
};

/** Deviations that both ceremonies refuse, with their reason. */
const refused: readonly (Ceremony & { readonly name: string; readonly reason: PasskeyReason })[] = [
  { name: "another challenge", deviations: { challenge: `A${challenge}` }, reason: "challenge" },
  { name: "no challenge", deviations: { challenge: "" }, reason: "challenge" },
  { name: "another type", deviations: { type: "payment.get" }, reason: "type" },
  ...[
    "http://login.example.org",
    "https://login.example.org:8443",
    "https://login.example.org:443",
    "https://login.example.org.evil.com",
    "https://evil-login.example.org",
    "https://example.org",
    "https://LOGIN.example.org",
    "https://login.example.org/",
    "https://login.example.org.",
    "null",
  ].map((origin) => ({
    name: `the origin ${origin}`,
    page: { origin },
    reason: "origin" as const,
  })),
  { name: "a frame that is not allowed", page: framed, reason: "origin" },
  {
    name: "a frame on another page than allowed",
    page: { ...framed, topOrigin: "https://evil.example.com" },
    expected: { relyingParty },
    reason: "origin",
  },
  {
    name: "a page around the frame, although no frames are allowed",
    page: { ...page, topOrigin: "https://portal.example.com" },
    reason: "origin",
  },
  {
    name: "a page around it, although there is no frame",
    page: { ...page, topOrigin: "https://portal.example.com" },
    expected: { relyingParty },
    reason: "origin",
  },
  { name: "another RP id", deviations: { rpId: "example.com" }, reason: "rp_id" },
  { name: "an RP id above", deviations: { rpId: "org" }, reason: "rp_id" },
  { name: "no presence", deviations: { flags: { userPresent: false } }, reason: "presence" },
  {
    name: "no user verification",
    deviations: { flags: { userVerified: false } },
    reason: "user_verification",
  },
  {
    name: "a backup without eligibility",
    deviations: { flags: { backedUp: true } },
    reason: "key",
  },
];

/** Client data that is malformed. */
const malformedClientData: readonly Uint8Array[] = [
  new Uint8Array(),
  text("null"),
  text("[]"),
  text("{"),
  text(JSON.stringify({ ...clientData, challenge: undefined })),
  text(JSON.stringify({ ...clientData, type: 1 })),
  text(JSON.stringify({ ...clientData, origin: null })),
  text(JSON.stringify({ ...clientData, crossOrigin: "true" })),
  text(JSON.stringify({ ...clientData, topOrigin: ["https://portal.example.com"] })),
  // An overlong slash, half a character, and UTF-16.
  new Uint8Array([...text('{"type":"'), 0xc0, 0xaf, ...text('"}')]),
  new Uint8Array([...text('{"type":"'), 0xe2, 0x82, ...text('"}')]),
  new Uint8Array([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]),
];

describe.each(algorithms)("A passkey with the algorithm %i", (algorithm) => {
  it.each([true, false])("is registered and then authenticates (synced: %s)", async (synced) => {
    const authenticator = new PasskeyAuthenticator({ algorithm, synced });
    const passkey = await storePasskey(await authenticator.create(creationOptions, page));
    expect(passkey).toMatchObject({
      algorithm,
      aaguid: "00000000-0000-0000-0000-000000000000",
      transports: ["hybrid", "internal"],
      backupEligible: synced,
      backedUp: synced,
      userVerified: true,
      signCount: synced ? 0 : 1,
    });
    const answer = await authenticator.get(requestOptions, page);
    expect(await checkAuthentication(answer, { passkey })).toEqual({
      ok: true,
      value: { userVerified: true, backedUp: synced, signCount: synced ? 0 : 2 },
    });
  });
});

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
    expect(parseRegistration({ ...answer, type: "password" })).toMatchObject({
      path: "type",
    });
  });

  it("has a credential id of at most 1,023 bytes", async () => {
    const idOf = (length: number) => "A".repeat(Math.ceil((length * 4) / 3));
    expect(await register({ deviations: { credentialId: idOf(1023) } })).toMatchObject({
      ok: true,
    });
    expect(await register({ deviations: { credentialId: idOf(1026) } })).toMatchObject({
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
    for (const odd of [statement, new Uint8Array([0x80]), new Uint8Array([0xf6])]) {
      expect(await register({ deviations: { statement: odd } })).toMatchObject({
        path: "response.attestationObject",
      });
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
    for (const transports of [["x".repeat(33)], ["a b"], [""], new Array(11).fill("usb")]) {
      expect(await check(transports)).toMatchObject({ path: "response.transports" });
    }
  });
});

describe("An authentication", () => {
  it.each(refused)("is refused with $name", async ({ reason, ...ceremony }) => {
    expect(await authenticate(ceremony)).toMatchObject({ ok: false, reason });
  });

  it("is refused with the client data of a registration", async () => {
    const result = await authenticate({ deviations: { type: "webauthn.create" } });
    expect(result).toMatchObject({ ok: false, reason: "type" });
  });

  it("is malformed with malformed client data", async () => {
    for (const data of malformedClientData) {
      const result = await authenticate({ deviations: { clientData: data } });
      expect(result).toMatchObject({ ok: false, path: "response.clientDataJSON" });
    }
  });

  it("may begin its client data with a byte order mark, and have further fields", async () => {
    const json = JSON.stringify({ ...clientData, virtualAuthenticator: { some: ["thing"] } });
    const result = await authenticate({ deviations: { clientData: text(`\ufeff${json}`) } });
    expect(result).toMatchObject({ ok: true });
  });

  it.each<[string, Deviations]>([
    ["bytes after the data", { trailing: new Uint8Array([0]) }],
    ["extensions without their flag", { trailing: encodeMap(["uvm", 1]) }],
    ["a flag of extensions without them", { flags: { extensions: true } }],
    ["a flag of a credential without one", { flags: { attested: true } }],
    [
      "a credential",
      {
        flags: { attested: true },
        trailing: new Uint8Array([...new Uint8Array(17), 1, 9, ...encodeMap([1, 1])]),
      },
    ],
  ])("is malformed with %s", async (_name, deviations) => {
    const result = await authenticate({ deviations });
    expect(result).toMatchObject({ ok: false, path: "response.authenticatorData" });
  });

  it("may have extensions, and no user handle", async () => {
    const deviations = { flags: { extensions: true }, trailing: encodeMap(["uvm", 1]) };
    expect(await authenticate({ deviations })).toMatchObject({ ok: true });
    expect(await authenticate({ deviations: { userHandle: null } })).toMatchObject({ ok: true });
  });

  it.each(["", userHandleOf("0".repeat(24)), `${userHandleOf(identityId)}AA`])(
    "is refused with the user handle '%s'",
    async (userHandle) => {
      const result = await authenticate({ deviations: { userHandle } });
      expect(result).toMatchObject({ ok: false, reason: "user_handle" });
    },
  );

  it("is refused with another passkey of the same user", async () => {
    const authenticator = new PasskeyAuthenticator();
    const first = await storePasskey(await authenticator.create(creationOptions, page));
    const second = await storePasskey(await authenticator.create(creationOptions, page));
    const answer = await authenticator.get(requestOptions, page);
    const renamed = { ...answer, id: first.credentialId, rawId: first.credentialId };
    expect(await checkAuthentication(answer, { passkey: second })).toMatchObject({ ok: true });
    expect(await checkAuthentication(answer, { passkey: first })).toMatchObject({ reason: "key" });
    expect(await checkAuthentication(renamed, { passkey: first })).toMatchObject({
      reason: "signature",
    });
  });

  it("is refused with another eligibility for backup", async () => {
    const result = await authenticate({ deviations: { flags: { backupEligible: true } } });
    expect(result).toMatchObject({ ok: false, reason: "key" });
    const stripped = { flags: { backupEligible: false, backedUp: false } };
    expect(await authenticate({ settings: { synced: true }, deviations: stripped })).toMatchObject({
      reason: "key",
    });
  });

  it("notes that a synced passkey is no longer backed up", async () => {
    const deviations = { flags: { backedUp: false } };
    expect(await authenticate({ settings: { synced: true }, deviations })).toMatchObject({
      ok: true,
      value: { backedUp: false },
    });
  });

  it.each<[string, Page]>([
    ["names it", { ...framed, topOrigin: "https://portal.example.com" }],
    ["does not name it", framed],
  ])("may run in a frame on a page of the settings; the browser %s", async (_name, framedPage) => {
    const ceremony = { page: framedPage, expected: { relyingParty } };
    expect(await authenticate(ceremony)).toMatchObject({ ok: true });
    expect(await register(ceremony)).toMatchObject({ ok: true });
  });

  it("needs no presence of a field crossOrigin, which older browsers do not send", async () => {
    const data = text(JSON.stringify(clientData));
    expect(await authenticate({ deviations: { clientData: data } })).toMatchObject({ ok: true });
  });
});

describe("The counter", () => {
  const deviceBound = (signCount: number) => ({ signCount, backupEligible: false });

  it("grows, or is always 0", () => {
    expect(checkCounter(deviceBound(0), 0)).toBe("ok");
    expect(checkCounter(deviceBound(0), 1)).toBe("ok");
    expect(checkCounter(deviceBound(7), 8)).toBe("ok");
  });

  it("refuses a regression of a passkey that is bound to a device", () => {
    expect(checkCounter(deviceBound(7), 7)).toBe("regression_refused");
    expect(checkCounter(deviceBound(7), 0)).toBe("regression_refused");
  });

  it("notes a regression of a synced passkey", () => {
    expect(checkCounter({ signCount: 7, backupEligible: true }, 7)).toBe("regression_noted");
  });
});
