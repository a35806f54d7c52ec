/** Each way in which an authentication deviates. */
import { base64urlnopad } from "@scure/base";
import { describe, expect, it } from "vitest";
import { userHandleOf } from "../../src/passkeys/user-handle.ts";
import {
  type Deviations,
  type Page,
  PasskeyAuthenticator,
} from "../support/passkey-authenticator.ts";
import { encodeMap } from "../support/passkey-encoding.ts";
import {
  checkAuthentication,
  creationOptions,
  identityId,
  page,
  requestOptions,
  storePasskey,
} from "./ceremony.ts";
import {
  authenticate,
  clientData,
  framed,
  malformedClientData,
  refused,
  register,
  relyingParty,
  text,
} from "./deviations.ts";

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

  it.each(["A", "AAAA=", "AA+A", " AAAA"])(
    "is malformed with the user handle '%s'",
    async (handle) => {
      const result = await authenticate({ deviations: { userHandle: handle } });
      expect(result).toMatchObject({ ok: false, path: "response.userHandle" });
    },
  );

  it("is refused for a stored key that no build can have stored", async () => {
    const authenticator = new PasskeyAuthenticator();
    const passkey = await storePasskey(await authenticator.create(creationOptions, page));
    const answer = await authenticator.get(requestOptions, page);
    const broken = { ...passkey, publicKey: base64urlnopad.encode(encodeMap([1, 2])) };
    expect(await checkAuthentication(answer, { passkey: broken })).toMatchObject({ reason: "key" });
  });

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
