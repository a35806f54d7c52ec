/**
 * Edge IDP's own form: a user on a line (NDJSON) or in a list, as `edge-idp users export` writes it and as
 * `POST /v1/idp/users/import` takes it.
 */
import { z } from "zod";
import { secretEncodings } from "../../../../../src/otp/decode-secret.ts";
import { hashSchemes } from "../../../../../src/otp/imported-codes.ts";
import type { Entry, Form } from "../entry.ts";
import { describeShape } from "../issues.ts";
import { readJsonItems } from "../json-items.ts";
import { ReadError } from "../read-error.ts";
import { buildUser, checkKeyUri, checkSecret, type FoundCodes, refuse } from "../user.ts";

const authenticatorSchema = z.strictObject({
  secret: z.string().optional(),
  uri: z.string().optional(),
  encoding: z.enum(secretEncodings).default("base32"),
  algorithm: z.string().optional(),
  digits: z.number().optional(),
  period: z.number().optional(),
  name: z.string().optional(),
});

/** Strict, because the form is documented: what it does not know may be a part that would be lost. */
const userSchema = z.strictObject({
  external_id: z.string(),
  status: z.enum(["active", "suspended"]).default("active"),
  authenticators: z.array(authenticatorSchema).default([]),
  backup_codes: z
    .union([
      z.array(z.string()),
      z.strictObject({ scheme: z.enum(hashSchemes), hashes: z.array(z.string()) }),
    ])
    .optional(),
  backup_codes_remaining: z.number().default(0),
});

function codesOf(codes: z.output<typeof userSchema>["backup_codes"]): FoundCodes | undefined {
  if (codes === undefined) return undefined;
  return "hashes" in codes ? { scheme: codes.scheme, codes: codes.hashes } : { codes };
}

function readUser(value: unknown, place: string): Entry {
  const { data: user, error } = userSchema.safeParse(value);
  if (user === undefined) return refuse(place, undefined, describeShape(error));
  const { external_id: id, status, authenticators, backup_codes_remaining: remaining } = user;
  const codes = codesOf(user.backup_codes);
  return buildUser({
    ...{ place, id, isSuspended: status === "suspended" },
    // An export has both, and they agree.
    authenticators: authenticators.map(({ secret, uri, name, ...parameters }) =>
      secret === undefined
        ? checkKeyUri(uri ?? "", name)
        : checkSecret({ secret, name, ...parameters }),
    ),
    ...(codes === undefined ? {} : { codes }),
    notes:
      remaining > 0 && codes === undefined
        ? [`its ${remaining} backup codes cannot come along, because an export does not have them`]
        : [],
  });
}

export const edgeIdp: Form = {
  name: "edge-idp",
  title: "an export of Edge IDP",
  idFields: ["external_id"],
  async *read(chunks) {
    let count = 0;
    for await (const { value, number } of readJsonItems(chunks)) {
      count = number;
      yield readUser(value, `user ${number}`);
    }
    if (count === 0) throw new ReadError("has no users.");
  },
};
