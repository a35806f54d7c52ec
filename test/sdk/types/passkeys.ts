/** Both sides of passkeys, in projects with and without the declarations of a browser. */
import { type EdgeIdp, IdpError } from "@edge-idp/sdk";
import {
  createPasskey,
  getPasskey,
  PasskeyError,
  type PasskeyErrorCode,
  signalUnknownPasskey,
} from "@edge-idp/sdk/browser";

/** As a library for browsers may declare what its page sends. */
interface SentPasskey {
  readonly id: string;
  readonly rawId: string;
  readonly type: "public-key";
  readonly authenticatorAttachment?: string;
  readonly response: {
    readonly clientDataJSON: string;
    readonly authenticatorData: string;
    readonly signature: string;
    readonly userHandle?: string;
  };
}

export async function verifySent(
  idp: EdgeIdp,
  challenge: string,
  credential: SentPasskey,
): Promise<boolean> {
  return (await idp.passkeys.verify({ challenge, credential })).user_verified;
}

/** What one side returns, the other takes. */
export async function usePasskey(
  idp: EdgeIdp,
  externalId: string,
): Promise<PasskeyErrorCode | string> {
  const { public_key } = await idp.passkeys.createRegistrationOptions(externalId, {
    user_name: "alexander@enterprise.com",
  });
  const { challenge } = public_key;
  const created = await createPasskey(public_key, { signal: AbortSignal.timeout(60_000) });
  await idp.passkeys.register(externalId, { challenge, credential: created, name: "Phone" });
  try {
    const options = await idp.passkeys.createAuthenticationOptions();
    const credential = await getPasskey(options.public_key, { mediation: "conditional" });
    const answer = { challenge: options.public_key.challenge, credential };
    return (await idp.passkeys.verify(answer)).id;
  } catch (error) {
    if (error instanceof PasskeyError) return error.code;
    if (!(error instanceof IdpError)) throw error;
    const reason: string | undefined = error.reason;
    const { credentialId } = error;
    if (credentialId !== undefined) {
      await signalUnknownPasskey({ rpId: "login.example.com", credentialId });
    }
    return reason ?? error.message;
  }
}
