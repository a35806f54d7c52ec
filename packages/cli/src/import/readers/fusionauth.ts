/**
 * FusionAuth: users in the form of its Import API, `{ "users": [ … ] }`.
 *
 * The fields are those of `User`, `UserTwoFactorConfiguration`, `TwoFactorMethod` and `AuthenticatorConfiguration` in
 * the npm package @fusionauth/typescript-client. The secret is Base64; before version 1.26 it was `twoFactorSecret`.
 * Recovery codes are in clear.
 */
import { z } from "zod";
import type { Entry, Form } from "../entry.ts";
import { describeShape, optionalNumber, optionalText } from "../issues.ts";
import { readJsonStream } from "../json-stream.ts";
import { ReadError } from "../read-error.ts";
import { buildUser, type Checked, checkSecret, refuse } from "../user.ts";

const methodSchema = z.object({
  method: z.string(),
  secret: optionalText,
  name: optionalText,
  authenticator: z
    .object({ algorithm: optionalText, codeLength: optionalNumber, timeStep: optionalNumber })
    .nullish(),
});
type Method = z.output<typeof methodSchema>;

const userSchema = z.object({
  id: optionalText,
  username: optionalText,
  email: optionalText,
  active: z.boolean().default(true),
  twoFactor: z
    .object({
      methods: z.array(methodSchema).nullish(),
      recoveryCodes: z.array(z.string()).nullish(),
    })
    .nullish(),
  twoFactorSecret: optionalText,
});

function readMethod({ secret, name, authenticator }: Method): Checked {
  if (secret === undefined) return { problem: "an authenticator came without its secret" };
  return checkSecret({
    ...{ secret, encoding: "base64", name },
    algorithm: authenticator?.algorithm,
    digits: authenticator?.codeLength,
    period: authenticator?.timeStep,
  });
}

function readUser(value: unknown, place: string, idField: string): Entry {
  const { data: user, error } = userSchema.safeParse(value);
  if (user === undefined) return refuse(place, undefined, describeShape(error));
  const { id, username, email, active, twoFactor, twoFactorSecret: oldSecret } = user;
  const methods = twoFactor?.methods ?? [];
  const codes = twoFactor?.recoveryCodes ?? [];
  return buildUser({
    ...{ place, id: { id, username, email }[idField], isSuspended: !active },
    authenticators: [
      ...methods.filter(({ method }) => method === "authenticator").map(readMethod),
      ...(oldSecret === undefined ? [] : [checkSecret({ secret: oldSecret, encoding: "base64" })]),
    ],
    ...(codes.length === 0 ? {} : { codes: { codes } }),
    notes: methods
      .filter(({ method }) => method !== "authenticator")
      .map(() => "a phone or an email address as a factor cannot come along"),
  });
}

export const fusionauth: Form = {
  name: "fusionauth",
  title: "users of FusionAuth in the form of its Import API",
  idFields: ["id", "username", "email"],
  async *read(chunks, { idField }) {
    let count = 0;
    for await (const { value } of readJsonStream(chunks, ["$.users.*"])) {
      count += 1;
      yield readUser(value, `user ${count}`, idField);
    }
    if (count === 0) throw new ReadError("has no users.");
  },
};
