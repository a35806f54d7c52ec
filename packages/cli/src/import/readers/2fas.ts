/**
 * 2FAS: a backup (`.2fas`) that was exported without a password. The account of a service is the user.
 *
 * The fields are those of the PyPI package lib2fas, and of the backup schema 4 in the repositories of 2FAS.
 */
import { z } from "zod";
import type { Form } from "../entry.ts";
import { groupAllUsers, type Part } from "../group.ts";
import { describeShape, optionalNumber, optionalText, parseJson } from "../issues.ts";
import { ReadError } from "../read-error.ts";
import { checkSecret, refuse } from "../user.ts";
import { readWholeText } from "../whole-text.ts";

const backupSchema = z.object({
  schemaVersion: z.number(),
  services: z.array(z.unknown()).nullish(),
  servicesEncrypted: optionalText,
});

const serviceSchema = z.object({
  name: optionalText,
  secret: z.string(),
  otp: z
    .object({
      account: optionalText,
      issuer: optionalText,
      tokenType: optionalText,
      algorithm: optionalText,
      digits: optionalNumber,
      period: optionalNumber,
    })
    .nullish(),
});

function readService(value: unknown, place: string, idField: string): Part {
  const { data: service, error } = serviceSchema.safeParse(value);
  if (service === undefined) return refuse(place, undefined, describeShape(error));
  const { name, secret, otp } = service;
  const { account, issuer = name, tokenType = "TOTP", algorithm, digits, period } = otp ?? {};
  const checked =
    tokenType.toUpperCase() === "TOTP"
      ? checkSecret({ secret, encoding: "base32", algorithm, digits, period, name: issuer })
      : { problem: "a service is not of TOTP, but of another kind, such as HOTP or Steam" };
  return { place, id: { account, name }[idField], authenticators: [checked] };
}

async function* readBackup(chunks: AsyncIterable<string>, idField: string): AsyncGenerator<Part> {
  const { data: backup } = backupSchema.safeParse(parseJson(await readWholeText(chunks)));
  if (backup === undefined) throw new ReadError("is no backup of 2FAS.");
  if (backup.servicesEncrypted !== undefined) {
    throw new ReadError("is an encrypted backup; export it from 2FAS again without a password.");
  }
  const services = backup.services ?? [];
  for (const [index, service] of services.entries()) {
    yield readService(service, `service ${index + 1}`, idField);
  }
}

export const twoFas: Form = {
  name: "2fas",
  title: "an unencrypted backup of 2FAS",
  idFields: ["account", "name"],
  read: (chunks, { idField }) => groupAllUsers(readBackup(chunks, idField)),
};
