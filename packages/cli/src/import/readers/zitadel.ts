/**
 * ZITADEL: the answer of `POST /admin/v1/export` with `with_otp`, or a file for `POST /admin/v1/import`.
 *
 * The fields are those of `DataHumanUser` and `ImportHumanUserRequest` (proto/zitadel/v1.proto and management.proto in
 * the repository zitadel/zitadel). `otpCode` is the secret in Base32; ZITADEL's authenticators have SHA-1, six digits
 * and 30 seconds. Neither file says whether a user is active.
 */
import { z } from "zod";
import type { Entry, Form } from "../entry.ts";
import { describeShape, optionalText } from "../issues.ts";
import { readJsonStream } from "../json-stream.ts";
import { ReadError } from "../read-error.ts";
import { buildUser, checkSecret, refuse } from "../user.ts";

const profileSchema = z.object({
  userName: optionalText,
  user_name: optionalText,
  email: z.object({ email: optionalText }).nullish(),
  otpCode: optionalText,
  otp_code: optionalText,
  recoveryCodes: z.array(z.unknown()).nullish(),
  recovery_codes: z.array(z.unknown()).nullish(),
});

/** JSON of protocol buffers may spell a field in either way. */
const userSchema = z.object({
  userId: optionalText,
  user_id: optionalText,
  user: profileSchema,
});

function readUser(value: unknown, place: string, idField: string): Entry {
  const { data, error } = userSchema.safeParse(value);
  if (data === undefined) return refuse(place, undefined, describeShape(error));
  const { user } = data;
  const id = {
    user_id: data.userId ?? data.user_id,
    username: user.userName ?? user.user_name,
    email: user.email?.email,
  }[idField];
  const secret = user.otpCode ?? user.otp_code;
  const hasCodes = (user.recoveryCodes ?? user.recovery_codes ?? []).length > 0;
  return buildUser({
    ...{ place, id },
    authenticators: secret === undefined ? [] : [checkSecret({ secret, encoding: "base32" })],
    notes: hasCodes ? ["its recovery codes cannot come along"] : [],
  });
}

const paths = [
  "$.orgs.*.humanUsers.*",
  "$.orgs.*.human_users.*",
  "$.dataOrgs.orgs.*.humanUsers.*",
  "$.data_orgs.orgs.*.humanUsers.*",
  "$.data_orgs.orgs.*.human_users.*",
];

export const zitadel: Form = {
  name: "zitadel",
  title: "an export of ZITADEL's admin API",
  idFields: ["user_id", "username", "email"],
  async *read(chunks, { idField }) {
    let count = 0;
    for await (const { value } of readJsonStream(chunks, paths)) {
      count += 1;
      yield readUser(value, `user ${count}`, idField);
    }
    if (count === 0) throw new ReadError("has no human users in its orgs.");
  },
};
