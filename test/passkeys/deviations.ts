/** Ceremonies of an authenticator or a page that deviates, and what both kinds of ceremonies refuse. */
import type { PasskeyReason } from "../../src/passkeys/passkey.ts";
import type { Expectations } from "../../src/passkeys/steps.ts";
import {
  type AuthenticatorSettings,
  type Deviations,
  type Page,
  PasskeyAuthenticator,
} from "../support/passkey-authenticator.ts";
import {
  challenge,
  checkAuthentication,
  checkRegistration,
  creationOptions,
  expectations,
  page,
  requestOptions,
  storePasskey,
} from "./ceremony.ts";

export interface Ceremony {
  readonly deviations?: Deviations;
  readonly page?: Page;
  readonly settings?: AuthenticatorSettings;
  readonly expected?: Partial<Expectations>;
}

export async function register(ceremony: Ceremony) {
  const authenticator = new PasskeyAuthenticator(ceremony.settings);
  const answer = await authenticator.create(
    creationOptions,
    ceremony.page ?? page,
    ceremony.deviations,
  );
  return await checkRegistration(answer, ceremony.expected);
}

/** Registers honestly, then authenticates. */
export async function authenticate(ceremony: Ceremony) {
  const authenticator = new PasskeyAuthenticator(ceremony.settings);
  const passkey = await storePasskey(await authenticator.create(creationOptions, page));
  const answer = await authenticator.get(
    requestOptions,
    ceremony.page ?? page,
    ceremony.deviations,
  );
  return await checkAuthentication(answer, { passkey, ...ceremony.expected });
}

export const relyingParty = {
  ...expectations.relyingParty,
  topOrigins: ["https://portal.example.com"],
};
export const framed = { ...page, crossOrigin: true };
export const text = (value: string) => new TextEncoder().encode(value);
export const clientData = {
  type: "webauthn.get",
  challenge,
  origin: page.origin,
};

/** Deviations that both ceremonies refuse, with their reason. */
export const refused: readonly (Ceremony & {
  readonly name: string;
  readonly reason: PasskeyReason;
})[] = [
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
export const malformedClientData: readonly Uint8Array[] = [
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
  // A field of the future that is not UTF-8.
  new Uint8Array([
    ...text(JSON.stringify(clientData)).subarray(0, -1),
    ...text(',"extra":"'),
    0xff,
    ...text('"}'),
  ]),
];
