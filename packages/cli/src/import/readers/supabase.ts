/**
 * Supabase: rows of the table `auth.mfa_factors`, as CSV or JSON, in the order of `user_id`.
 *
 * The columns are those of the migrations in the repository supabase/auth. Its authenticators have SHA-1, six digits and
 * 30 seconds. With encryption of its database, a secret is a JSON object in a text.
 */
import { z } from "zod";
import { readCsv } from "../csv.ts";
import type { Form } from "../entry.ts";
import { groupUsers, type Part } from "../group.ts";
import { describeShape, optionalText } from "../issues.ts";
import { peek, readJsonItems } from "../json-items.ts";
import { ReadError } from "../read-error.ts";
import { checkSecret, leaveOut, refuse } from "../user.ts";

const columns = ["user_id", "factor_type", "status", "secret"];

const factorSchema = z.object({
  user_id: z.string(),
  factor_type: z.string(),
  status: z.string(),
  secret: optionalText,
  friendly_name: optionalText,
});

function readFactor(value: unknown, place: string): Part {
  const { data: factor, error } = factorSchema.safeParse(value);
  if (factor === undefined) return refuse(place, undefined, describeShape(error));
  const { user_id: id, factor_type: type, status, secret, friendly_name: name } = factor;
  if (status !== "verified") return leaveOut(place, id, "the factor was never verified");
  if (type !== "totp") {
    const note = "a factor that is no authenticator app cannot come along";
    return { place, id, authenticators: [], notes: [note] };
  }
  const isEncrypted = secret?.startsWith("{") === true;
  const checked = isEncrypted
    ? {
        problem:
          "an authenticator's secret is encrypted; decrypt it with the key of the auth service",
      }
    : checkSecret({ secret: secret ?? "", encoding: "base32", name });
  return { place, id, authenticators: [checked] };
}

async function* readFactors(chunks: AsyncIterable<string>): AsyncGenerator<Part> {
  const { start, all } = await peek(chunks);
  let count = 0;
  if (start.startsWith("[") || start.startsWith("{")) {
    for await (const { value } of readJsonItems(all)) {
      count += 1;
      yield readFactor(value, `row ${count}`);
    }
  } else {
    for await (const { line, get, isWhole } of readCsv(all, { required: columns })) {
      count += 1;
      const names = [...columns, "friendly_name"];
      const values = Object.fromEntries(names.map((name) => [name, get(name)]));
      yield isWhole
        ? readFactor(values, `line ${line}`)
        : refuse(`line ${line}`, get("user_id"), "the line has not as many fields as the header");
    }
  }
  if (count === 0) throw new ReadError("has no factors.");
}

export const supabase: Form = {
  name: "supabase",
  title: "the table auth.mfa_factors of Supabase as CSV or JSON",
  idFields: ["user_id"],
  read: (chunks) => groupUsers(readFactors(chunks)),
};
