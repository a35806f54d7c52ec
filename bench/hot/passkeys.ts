/** Passkeys of users, in the software authenticator of the tests. */
import { z } from "zod";
import { type Page, PasskeyAuthenticator } from "../../test/support/passkey-authenticator.ts";

const rpId = "login.example.com";
const page: Page = { origin: `https://${rpId}` };

/** The settings of a tenant whose users have passkeys. */
export const passkeySettings = { passkeys: { rp_id: rpId, origins: [page.origin] } };

const creationAnswer = z.object({
  passkey: z.object({
    public_key: z.object({
      challenge: z.string(),
      rp: z.object({ id: z.string() }),
      user: z.object({ id: z.string() }),
      pubKeyCredParams: z.array(z.object({ alg: z.number() })),
    }),
  }),
});
const requestAnswer = z.object({
  passkey: z.object({
    public_key: z.object({
      challenge: z.string(),
      rpId: z.string(),
      allowCredentials: z.array(z.object({ id: z.string() })),
    }),
  }),
});

/** Creates a device without passkeys, which signs with ES256. */
export function createDevice(): PasskeyAuthenticator {
  return new PasskeyAuthenticator({ algorithm: -7 });
}

/** @param answer the options for a registration @returns the body of `registerPasskey` */
export async function createPasskey(device: PasskeyAuthenticator, answer: string) {
  const options = creationAnswer.parse(JSON.parse(answer)).passkey.public_key;
  const credential = await device.create(options, page);
  return { passkey: { challenge: options.challenge, credential } };
}

/** @param answer the options for a login of this user @returns the body of `verifyPasskey` */
export async function answerWithPasskey(
  device: PasskeyAuthenticator,
  externalId: string,
  answer: string,
) {
  const options = requestAnswer.parse(JSON.parse(answer)).passkey.public_key;
  const credential = await device.get(options, page);
  return { passkey: { id: externalId, challenge: options.challenge, credential } };
}
