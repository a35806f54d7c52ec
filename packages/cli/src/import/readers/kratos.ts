/**
 * Ory Kratos: identities with credentials, as `GET /admin/identities?include_credential=totp` lists them: a list, pages
 * one after the other, or one identity on a line.
 *
 * The fields are those of `identity.Identity`, `CredentialsTOTPConfig` and `CredentialsLookupConfig` in the Go module
 * github.com/ory/kratos (v1.3). Lookup secrets are stored in clear, and used ones have a time.
 */
import { z } from "zod";
import type { Entry, Form } from "../entry.ts";
import { describeShape, optionalText } from "../issues.ts";
import { readJsonItems } from "../json-items.ts";
import { ReadError } from "../read-error.ts";
import { buildUser, checkKeyUri, refuse } from "../user.ts";

const identitySchema = z.object({
  id: z.string(),
  state: optionalText,
  traits: z.unknown().optional(),
  credentials: z
    .object({
      totp: z.object({ config: z.object({ totp_url: z.string().nullish() }).nullish() }).nullish(),
      lookup_secret: z
        .object({
          config: z
            .object({
              recovery_codes: z
                .array(z.object({ code: z.string(), used_at: optionalText }))
                .nullish(),
            })
            .nullish(),
        })
        .nullish(),
      webauthn: z.unknown().optional(),
      passkey: z.unknown().optional(),
    })
    .nullish(),
});

const traitsSchema = z.object({ email: optionalText, username: optionalText });
/** What Go writes for a time that is not set. */
const neverUsed = "0001-01-01T00:00:00Z";
const askForSecrets = "add include_credential=totp and include_credential=lookup_secret";

function readIdentity(value: unknown, place: string, idField: string): Entry {
  const { data: identity, error } = identitySchema.safeParse(value);
  if (identity === undefined) return refuse(place, undefined, describeShape(error));
  const { email, username } = traitsSchema.safeParse(identity.traits).data ?? {};
  const id = { id: identity.id, email, username }[idField];
  const { totp, lookup_secret: lookup, webauthn, passkey } = identity.credentials ?? {};
  const uri = totp?.config?.totp_url ?? undefined;
  if (totp && uri === undefined) {
    return refuse(place, id, `its TOTP credential came without the secret; ${askForSecrets}`);
  }
  const codes = lookup?.config?.recovery_codes ?? undefined;
  const unused = codes
    ?.filter(({ used_at }) => used_at === undefined || used_at === neverUsed)
    .map(({ code }) => code);
  const hasPasskey = Boolean(webauthn) || Boolean(passkey);
  return buildUser({
    ...{ place, id, isSuspended: identity.state === "inactive" },
    authenticators: uri === undefined ? [] : [checkKeyUri(uri)],
    ...(unused === undefined || unused.length === 0 ? {} : { codes: { codes: unused } }),
    notes: [
      ...(lookup && codes === undefined
        ? [`its lookup secrets came without the codes; ${askForSecrets}`]
        : []),
      ...(hasPasskey
        ? ["its passkey or security key cannot come along, because it works on the old site alone"]
        : []),
    ],
  });
}

export const kratos: Form = {
  name: "kratos",
  title: "identities of Ory Kratos as its admin API lists them",
  idFields: ["id", "email", "username"],
  async *read(chunks, { idField }) {
    let count = 0;
    for await (const { value } of readJsonItems(chunks)) {
      count += 1;
      yield readIdentity(value, `identity ${count}`, idField);
    }
    if (count === 0) throw new ReadError("has no identities.");
  },
};
