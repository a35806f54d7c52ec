/** How the routes of the stand-in are defined. */
import { z } from "zod";
import type { Account } from "./account.ts";
import type { Answer } from "./answer.ts";

export interface Call {
  /** The address of the stand-in, without a slash at the end. */
  readonly origin: string;
  readonly query: URLSearchParams;
  /** The parts of the path whose names begin with a colon. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly contentType: string;
  /** Of R2: `default`, or what the header names. */
  readonly jurisdiction: string;
}

export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly path: string;
  /** Whether a request changes the account. */
  readonly writes?: boolean | ((call: Call) => boolean);
  readonly answer: (account: Account, call: Call) => Answer | Promise<Answer>;
}

export const json = z.record(z.string(), z.unknown());

export function parseBody({ body }: Call): z.output<typeof json> {
  return json.parse(JSON.parse(body.toString("utf8")));
}
