/** What a reader finds in an export of another system: users that can come along, and what cannot. */

import type { SecretEncoding } from "../../../../src/otp/decode-secret.ts";
import type { HashScheme } from "../../../../src/otp/imported-codes.ts";
import type { TotpAlgorithm } from "../../../../src/otp/totp.ts";

export interface ImportAuthenticator {
  readonly secret: string;
  readonly encoding: SecretEncoding;
  readonly algorithm: TotpAlgorithm;
  readonly digits: number;
  readonly period: number;
  readonly name?: string;
}

export type ImportCodes =
  | readonly string[]
  | { readonly scheme: HashScheme; readonly hashes: readonly string[] };

/** A user as `POST /v1/idp/users/import` takes it. */
export interface ImportRow {
  readonly external_id: string;
  readonly status: "active" | "suspended";
  readonly authenticators: readonly ImportAuthenticator[];
  readonly backup_codes?: ImportCodes;
}

interface Found {
  /** Where the file has it, such as `line 3`. */
  readonly place: string;
  /** The user's id as far as the file says it. No entry shows a secret. */
  readonly id: string;
}

/** A user that can come along, with a note on each part that cannot. */
export interface FoundUser extends Found {
  readonly kind: "user";
  readonly row: ImportRow;
  readonly notes: readonly string[];
}

/** A user that cannot come along, which counts as a failure, for it would lose a factor or is unreadable. */
export interface RefusedUser extends Found {
  readonly kind: "refused";
  readonly reason: string;
}

/** What is no user, or has nothing that works yet. It is reported, and is no failure. */
export interface LeftOut extends Found {
  readonly kind: "left_out";
  readonly reason: string;
}

export type Entry = FoundUser | RefusedUser | LeftOut;

/** The text of a file, piece by piece. */
export type Chunks = AsyncIterable<string>;

export interface ReadOptions {
  /** The field whose value becomes the external_id: one of the form's `idFields`. */
  readonly idField: string;
}

/** A form of export that can be read. */
export interface Form {
  /** As in `--from`. */
  readonly name: string;
  readonly title: string;
  /** The fields that can become the external_id. The first is the default. */
  readonly idFields: readonly [string, ...string[]];
  /** @throws ReadError if the text as a whole is not of this form */
  readonly read: (chunks: Chunks, options: ReadOptions) => AsyncGenerator<Entry>;
}
