/** Passkeys: answers that no browser sends. They are refused as malformed. */
import { base64urlnopad } from "@scure/base";
import { beforeAll, describe, expect, it } from "vitest";
import { encodeCbor } from "../../src/crypto/cbor.ts";
import { type Answer, Tenant, User } from "../support/client.ts";
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import { encodeMap } from "../support/passkey-encoding.ts";
import type {
  AuthenticationAnswer,
  CreationOptions,
  RegistrationAnswer,
  RequestOptions,
} from "../support/passkey-json.ts";
import {
  finishLogin,
  finishRegistration,
  page,
  registerPasskey,
  setUpPasskeys,
  startLogin,
  startRegistration,
} from "../support/passkeys.ts";

let user: User;
let authenticator: PasskeyAuthenticator;
let creation: CreationOptions;
let request: RequestOptions;
let created: RegistrationAnswer;
let signed: AuthenticationAnswer;

beforeAll(async () => {
  const tenant = await Tenant.create();
  await setUpPasskeys(tenant);
  user = await User.provision(tenant);
  authenticator = new PasskeyAuthenticator();
  creation = await startRegistration(user);
  created = await new PasskeyAuthenticator().create(creation, page);
  await registerPasskey(user, authenticator);
  request = await startLogin(tenant, user);
  signed = await authenticator.get(request, page);
});

async function expectMalformed(send: () => Promise<Answer>, path: string): Promise<void> {
  const { status, body } = await send();
  expect([status, body.code]).toEqual([400, "invalid_request"]);
  expect(body.issues.map((issue: { path: string }) => issue.path)).toContain(
    `passkey.credential.${path}`,
  );
}

async function register(response: Partial<RegistrationAnswer["response"]>, path: string) {
  const credential = { ...created, response: { ...created.response, ...response } };
  await expectMalformed(() => finishRegistration(user, creation.challenge, credential), path);
}

async function authenticate(response: Partial<AuthenticationAnswer["response"]>, path: string) {
  const credential = { ...signed, response: { ...signed.response, ...response } };
  const { tenant } = user;
  await expectMalformed(() => finishLogin(tenant, request.challenge, credential, user), path);
}

const bytesOf = (...parts: readonly (number | readonly number[] | Uint8Array)[]) =>
  new Uint8Array(parts.flatMap((part) => (typeof part === "number" ? [part] : [...part])));
const twoToThe53 = [0, 0x20, 0, 0, 0, 0, 0, 0];

/** CBOR that a decoder could spend much on, or read in two ways. */
const hostile: readonly (readonly [string, Uint8Array])[] = [
  ["arrays 8,000 deep", bytesOf(new Uint8Array(8_000).fill(0x81), 0)],
  ["maps 4,000 deep", bytesOf(...Array.from({ length: 4_000 }, () => [0xa1, 0]), 0)],
  ["keys that are arrays, 8,000 deep", bytesOf(0xa1, new Uint8Array(8_000).fill(0x81), 0, 0)],
  ["tags, 8,000 deep", bytesOf(new Uint8Array(8_000).fill(0xc0), 0)],
  ["an array of 2^53 items", bytesOf(0x9b, twoToThe53)],
  ["a map of 2^53 entries", bytesOf(0xbb, twoToThe53)],
  ["bytes of length 2^53", bytesOf(0x5b, twoToThe53)],
  ["a text of length 2^64 - 1", bytesOf(0x7b, new Uint8Array(8).fill(0xff))],
  ["an array of 2^32 - 1 items", bytesOf(0x9a, new Uint8Array(4).fill(0xff))],
  ["an indefinite length", bytesOf(0xbf, 0xff)],
  ["doubled keys", encodeMap(["fmt", "none"], ["fmt", "none"], ["attStmt", 0], ["authData", 0])],
  ["nothing", new Uint8Array()],
];

describe.each(hostile)("CBOR with %s", (_name, cbor) => {
  it("is malformed as an attestation object", async () => {
    const attestationObject = base64urlnopad.encode(cbor);
    await register({ attestationObject }, "response.attestationObject");
  });

  it("is malformed as a statement, as a key and as extensions", async () => {
    const { attestationObject } = created.response;
    const honest = base64urlnopad.decode(attestationObject);
    const data = honest.slice(honest.length - 37 - 16 - 2 - 32 - 77);
    const wrap = (statement: Uint8Array, authenticatorData: Uint8Array) =>
      base64urlnopad.encode(
        bytesOf(
          ...[0xa3, encodeCbor("fmt"), encodeCbor("packed"), encodeCbor("attStmt"), statement],
          ...[encodeCbor("authData"), encodeCbor(authenticatorData)],
        ),
      );
    const key = data.slice(0, -77);
    const withExtensions = new Uint8Array(data);
    withExtensions[32] = (withExtensions[32] ?? 0) | 0x80;
    for (const text of [
      wrap(cbor, data),
      wrap(new Uint8Array([0xa0]), bytesOf(key, cbor)),
      wrap(new Uint8Array([0xa0]), bytesOf(withExtensions, cbor)),
    ]) {
      await register({ attestationObject: text }, "response.attestationObject");
    }
  });

  it("is malformed as extensions of a login", async () => {
    const data = base64urlnopad.decode(signed.response.authenticatorData);
    data[32] = (data[32] ?? 0) | 0x80;
    const authenticatorData = base64urlnopad.encode(bytesOf(data, cbor));
    await authenticate({ authenticatorData }, "response.authenticatorData");
  });
});

const encode = (text: string) => base64urlnopad.encode(new TextEncoder().encode(text));

/** Client data that is no JSON object of the right fields, or not UTF-8. */
const clientData: readonly (readonly [string, string])[] = [
  ["no JSON", encode("not JSON")],
  ["an array", encode("[]")],
  ["no challenge", encode('{"type":"webauthn.get","origin":"https://login.example.com"}')],
  ["nested 3,000 deep", encode(`${"[".repeat(3_000)}${"]".repeat(3_000)}`)],
  ["bytes that are not UTF-8", base64urlnopad.encode(bytesOf(0x7b, 0x22, 0xff, 0x22, 0x7d))],
];

/** Texts that decode to the same bytes as an honest one in a lenient decoder. */
function respell(text: string): [string, string][] {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const last = alphabet.indexOf(text.slice(-1));
  return [
    ["padding", `${text}=`],
    ["a space", `${text} `],
    ["a line break", `${text.slice(0, 8)}\n${text.slice(8)}`],
    ["the other alphabet", `+/${text.slice(2)}`],
    ["bits after the end", `${text.slice(0, -1)}${alphabet[last ^ 1] ?? ""}`],
  ];
}

describe("An answer", () => {
  it.each(clientData)("with client data that is %s is malformed", async (_name, clientDataJSON) => {
    await register({ clientDataJSON }, "response.clientDataJSON");
    await authenticate({ clientDataJSON }, "response.clientDataJSON");
  });

  it("with base64url in another spelling is malformed", async () => {
    // 37 bytes of authenticator data, so that the last character has bits after the end.
    const { authenticatorData } = signed.response;
    for (const [, text] of respell(authenticatorData)) {
      await authenticate({ authenticatorData: text }, "response.authenticatorData");
    }
    // 32 bytes of a credential id.
    for (const [, id] of respell(signed.id)) {
      const credential = { ...signed, id, rawId: id };
      const send = () => finishLogin(user.tenant, request.challenge, credential, user);
      await expectMalformed(send, "id");
    }
  });

  it("whose envelope names another credential is malformed", async () => {
    const credential = { ...created, id: signed.id, rawId: signed.id };
    const send = () => finishRegistration(user, creation.challenge, credential);
    await expectMalformed(send, "response.attestationObject");
    const twoIds = { ...created, rawId: signed.id };
    await expectMalformed(() => finishRegistration(user, creation.challenge, twoIds), "rawId");
  });

  it("that is honest is accepted after all of these", async () => {
    const login = await finishLogin(user.tenant, request.challenge, signed, user);
    expect(login.status).toBe(200);
    expect((await finishRegistration(user, creation.challenge, created)).status).toBe(201);
  });
});

it("Members that a browser adds are ignored, however deep, and so they are with an Idempotency-Key", async () => {
  const tenant = await Tenant.create();
  await setUpPasskeys(tenant);
  const person = await User.provision(tenant);
  const device = new PasskeyAuthenticator();
  const deep: unknown = JSON.parse(`${"[".repeat(4_000)}${"]".repeat(4_000)}`);
  const add = (credential: object, value: unknown) => ({
    ...credential,
    clientExtensionResults: { value },
    "\ud800": "\udfff",
  });
  const offered = await startRegistration(person);
  const made = await device.create(offered, page);
  tenant.requestKey = "key";
  for (const value of [deep, "another"]) {
    const credential = add(made, value);
    const body = { passkey: { challenge: offered.challenge, credential } };
    const { status } = await tenant.send("POST", person.path("/passkeys"), body);
    expect(status).toBe(201);
  }
  const asked = await startLogin(tenant, person);
  const answer = await device.get(asked, page);
  for (const value of [deep, "another"]) {
    const passkey = {
      id: person.externalId,
      challenge: asked.challenge,
      credential: add(answer, value),
    };
    const { status } = await tenant.send("POST", "/v1/idp/passkeys/verify", { passkey });
    expect(status).toBe(200);
  }
});
