/**
 * Aegis: a vault that was exported without encryption (docs/vault.md in the repository beemdevelopment/Aegis). The name
 * of an entry is the user.
 */
import { z } from "zod";
import type { Form } from "../entry.ts";
import { groupAllUsers, type Part } from "../group.ts";
import { describeShape, optionalNumber, optionalText, parseJson } from "../issues.ts";
import { ReadError } from "../read-error.ts";
import { checkSecret, refuse } from "../user.ts";
import { readWholeText } from "../whole-text.ts";

const vaultSchema = z.object({
  version: z.literal(1),
  db: z.union([z.string(), z.object({ entries: z.array(z.unknown()) })]),
});

const entrySchema = z.object({
  type: z.string(),
  name: optionalText,
  issuer: optionalText,
  info: z.object({
    secret: z.string(),
    algo: optionalText,
    digits: optionalNumber,
    period: optionalNumber,
  }),
});

function readEntry(value: unknown, place: string): Part {
  const { data: entry, error } = entrySchema.safeParse(value);
  if (entry === undefined) return refuse(place, undefined, describeShape(error));
  const { type, name: id, issuer, info } = entry;
  const checked =
    type === "totp"
      ? checkSecret({
          ...{ secret: info.secret, encoding: "base32", name: issuer },
          ...{ algorithm: info.algo, digits: info.digits, period: info.period },
        })
      : { problem: "an entry is not of TOTP, but of another kind, such as HOTP or Steam" };
  return { place, id, authenticators: [checked] };
}

async function* readVault(chunks: AsyncIterable<string>): AsyncGenerator<Part> {
  const { data: vault } = vaultSchema.safeParse(parseJson(await readWholeText(chunks)));
  if (vault === undefined) throw new ReadError("is no vault of Aegis (version 1).");
  const { db } = vault;
  if (typeof db === "string") {
    throw new ReadError("is an encrypted vault; export it from Aegis again without encryption.");
  }
  for (const [index, entry] of db.entries.entries()) yield readEntry(entry, `entry ${index + 1}`);
}

export const aegis: Form = {
  name: "aegis",
  title: "an unencrypted vault of Aegis",
  idFields: ["name"],
  read: (chunks) => groupAllUsers(readVault(chunks)),
};
