/** The options by which an operator's command finds the service and its secrets. */
import { join } from "node:path";
import { Failure } from "../../packages/cli/src/failure.ts";
import { findDemoUrl } from "./operator-api.ts";

export const serviceHelp = `  --file FILE   the file of secrets that the service was deployed with (default .dev.vars)
  --url URL     the service; required with --file (default: that of "npm run dev")
`;

/** For `parseArgs`. */
export const serviceOptions = {
  file: { type: "string" },
  url: { type: "string" },
} as const;

export interface ServiceOptions {
  readonly file: string;
  /** Undefined: nobody named the service of this file. */
  readonly url: string | undefined;
  /** The options as they were given, with a space before each, for the command that a message proposes. */
  readonly given: string;
}

/** Quotes what a shell would otherwise split or expand. */
function quote(text: string): string {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

export function resolveService(values: { file?: string; url?: string }): ServiceOptions {
  const given = (["file", "url"] as const).flatMap((name) =>
    values[name] === undefined ? [] : [` --${name} ${quote(values[name])}`],
  );
  const url = values.url ?? (values.file === undefined ? findDemoUrl() : undefined);
  return {
    file: values.file ?? join(import.meta.dirname, "..", "..", ".dev.vars"),
    url,
    given: given.join(""),
  };
}

/**
 * The address of the service.
 * @throws Failure if the file is not that of the local service and no address was given, because the file's operator
 * token would then go to the local service
 */
export function requireUrl({ url, file }: ServiceOptions): string {
  if (url !== undefined) return url;
  throw new Failure(`${file} needs --url: the address of the service that it was deployed to.`);
}
