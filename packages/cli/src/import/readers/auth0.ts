/**
 * Auth0, in either of two forms, as a list or as NDJSON:
 *
 * - users with `mfa_factors`, the form of Auth0's own bulk import ("Import User MFA Authenticator Enrollments" in its
 *   documentation);
 * - the file that Auth0's support hands out on request, a line for each enrolment: `user_id`, `type`, and `otp_secret`
 *   or `recovery_code`. Auth0 publishes no schema of it; the fields are those of an example in the repository
 *   workos/migrate-auth0-users.
 *
 * Auth0's authenticators have SHA-1, six digits and 30 seconds. It keeps a recovery code as a bcrypt hash.
 */
import { z } from "zod";
import type { Form } from "../entry.ts";
import { groupUsers, type Part } from "../group.ts";
import { describeShape, optionalText } from "../issues.ts";
import { readJsonItems } from "../json-items.ts";
import { ReadError } from "../read-error.ts";
import { checkSecret, refuse } from "../user.ts";

const enrolmentSchema = z.object({
  user_id: z.string(),
  type: z.string(),
  otp_secret: optionalText,
});

const userSchema = z.object({
  user_id: optionalText,
  email: optionalText,
  username: optionalText,
  blocked: z.boolean().nullish(),
  multifactor: z.array(z.string()).nullish(),
  mfa_factors: z.array(z.object({ totp: z.object({ secret: z.string() }).nullish() })).nullish(),
});

function readEnrolment(value: unknown, place: string): Part {
  const { data: enrolment, error } = enrolmentSchema.safeParse(value);
  if (enrolment === undefined) return refuse(place, undefined, describeShape(error));
  const { user_id: id, type, otp_secret: secret } = enrolment;
  if (type === "otp" && secret !== undefined) {
    return { place, id, authenticators: [checkSecret({ secret, encoding: "base32" })] };
  }
  const note =
    type === "recovery-code"
      ? "its recovery code cannot come along, because Auth0 keeps a bcrypt hash of it"
      : "an enrolment that is no authenticator app cannot come along";
  return { place, id, authenticators: [], notes: [note] };
}

function readUser(value: unknown, place: string, idField: string): Part {
  const { data: user, error } = userSchema.safeParse(value);
  if (user === undefined) return refuse(place, undefined, describeShape(error));
  const { user_id, email, username, blocked, multifactor, mfa_factors: factors } = user;
  const id = { user_id, email, username }[idField];
  if (!factors && multifactor && multifactor.length > 0) {
    return refuse(
      place,
      id,
      "it has factors whose secrets the file leaves out; ask Auth0's support for them",
    );
  }
  return {
    ...{ place, id, isSuspended: blocked === true },
    authenticators: (factors ?? []).flatMap(({ totp }) =>
      totp ? [checkSecret({ secret: totp.secret, encoding: "base32" })] : [],
    ),
    notes: (factors ?? []).flatMap(({ totp }) =>
      totp ? [] : ["a phone or an email address as a factor cannot come along"],
    ),
  };
}

function isEnrolment(value: unknown): boolean {
  return typeof value === "object" && value !== null && "type" in value && "user_id" in value;
}

async function* readParts(chunks: AsyncIterable<string>, idField: string): AsyncGenerator<Part> {
  let count = 0;
  for await (const { value } of readJsonItems(chunks)) {
    count += 1;
    const place = `entry ${count}`;
    if (!isEnrolment(value)) {
      yield readUser(value, place, idField);
    } else if (idField === "user_id") {
      yield readEnrolment(value, place);
    } else {
      throw new ReadError("is a list of enrolments, which have no id but user_id.");
    }
  }
  if (count === 0) throw new ReadError("has no users.");
}

export const auth0: Form = {
  name: "auth0",
  title: "users of Auth0 with mfa_factors, or the enrolments that its support hands out",
  idFields: ["user_id", "email", "username"],
  read: (chunks, { idField }) => groupUsers(readParts(chunks, idField)),
};
