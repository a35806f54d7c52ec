/**
 * Configuration, parsed once per isolate. While a secret is missing, too short or a placeholder, a variable is
 * not valid, or a database is missing in the sequence, the service responds with 503, and its log names it.
 */
import { z } from "zod";
import { toHex } from "./crypto/bytes.ts";
import { sha256Of } from "./crypto/digest.ts";
import { type Keyring, parseKey, parseKeyring } from "./crypto/keyring.ts";
import { log } from "./log.ts";

export interface Config {
  /** SHA-256 of the operator token. */
  readonly operatorTokenDigest: Uint8Array;
  readonly sealingKeys: Keyring;
  readonly backupCodeKeys: Keyring;
  /** Seeds of the Ed25519 keys that sign tree heads. The keys of event stamps are derived from them. */
  readonly auditSigningKeys: Keyring;
  /** Seeds of the Ed25519 keys that sign step-up tokens; undefined if none are configured. */
  readonly tokenSigningKeys: Keyring | undefined;
  /** The address at which clients reach the service, an origin without a slash; undefined if it is not configured. */
  readonly publicUrl: string | undefined;
  /** HMAC key of the digests that stand for addresses and agents of sessions. */
  readonly addressHashKey: Uint8Array<ArrayBuffer>;
  /** The size at which D1 refuses further writes. */
  readonly maxDatabaseBytes: number;
}

export type ConfigResult =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly string[] };

const minOperatorTokenLength = 32;
const minDistinctCharacters = 10;
const placeholder = /change.?me|placeholder|example|your.?(token|secret)|insert|replace|<|>/i;

function parseWith<T extends object>(parse: (text: string) => T | string) {
  return z.string("is missing").transform((text, context): T => {
    const result = text === "" ? "is missing" : parse(text);
    if (typeof result !== "string") return result;
    context.addIssue({ code: "custom", message: result });
    return z.NEVER;
  });
}

/** Like `parseWith`, for a variable that may be missing or empty. */
function parseOptionalWith<T extends object | string>(
  parse: (text: string) => { readonly parsed: T } | string,
) {
  return z
    .string()
    .default("")
    .transform((text, context): T | undefined => {
      if (text === "") return undefined;
      const result = parse(text);
      if (typeof result !== "string") return result.parsed;
      context.addIssue({ code: "custom", message: result });
      return z.NEVER;
    });
}

function parseOptionalKeyring(text: string): { readonly parsed: Keyring } | string {
  const ring = parseKeyring(text);
  return typeof ring === "string" ? ring : { parsed: ring };
}

const localHosts = ["localhost", "127.0.0.1", "[::1]"];

/** Whether the service can have the address: an origin with TLS, or one of this machine. */
export function isPublicUrl(text: string): boolean {
  const { protocol, hostname, origin } = URL.parse(text) ?? {};
  const isLocal = protocol === "http:" && localHosts.includes(hostname ?? "");
  return (protocol === "https:" || isLocal) && origin === text;
}

/** Step-up tokens name it as their issuer, which verifiers compare to the letter. */
function parsePublicUrl(text: string): { readonly parsed: string } | string {
  return isPublicUrl(text)
    ? { parsed: text }
    : "is not of the form https://host[:port], without a path or a slash at the end";
}

function parseOperatorToken(text: string): Uint8Array | string {
  if (text.length < minOperatorTokenLength) {
    return `is shorter than ${minOperatorTokenLength} characters`;
  }
  if (placeholder.test(text) || new Set(text).size < minDistinctCharacters) {
    return "is a placeholder, not random";
  }
  return sha256Of(text);
}

/**
 * The limit of one database on Workers Paid; on Workers Free it is 500 MB.
 * https://developers.cloudflare.com/d1/platform/limits/
 */
const defaultMaxDatabaseMb = "10000";
const bytesPerMb = 1_000_000;

const keyringSecrets = [
  ...(["SEALING_KEYS", "BACKUP_CODE_KEYS", "AUDIT_SIGNING_KEYS", "TOKEN_SIGNING_KEYS"] as const),
];

const variables = z
  .object({
    OPERATOR_TOKEN: parseWith(parseOperatorToken),
    SEALING_KEYS: parseWith(parseKeyring),
    BACKUP_CODE_KEYS: parseWith(parseKeyring),
    AUDIT_SIGNING_KEYS: parseWith(parseKeyring),
    ADDRESS_HASH_KEY: parseWith(parseKey),
    TOKEN_SIGNING_KEYS: parseOptionalWith(parseOptionalKeyring),
    PUBLIC_URL: parseOptionalWith(parsePublicUrl),
    MAX_DATABASE_MB: z
      .string()
      .regex(/^[1-9]\d{0,5}$/, "is not a whole number of megabytes")
      .default(defaultMaxDatabaseMb)
      .transform((text) => Number(text) * bytesPerMb),
  })
  .check(({ value, issues }) => {
    const holders = new Map<string, string>();
    const claim = (name: string, key: Uint8Array) => {
      const holder = holders.get(toHex(key));
      holders.set(toHex(key), holder ?? name);
      if (holder === undefined) return;
      const message = `shares a key with ${holder}; each version and secret needs its own`;
      issues.push({ code: "custom", input: undefined, path: [name], message });
    };
    for (const name of keyringSecrets) {
      for (const key of value[name]?.keys.values() ?? []) claim(name, key);
    }
    claim("ADDRESS_HASH_KEY", value.ADDRESS_HASH_KEY);
  });

const cache = new WeakMap<object, ConfigResult>();
const databaseName = /^DB_([1-9][0-9]*)$/;

/** Databases are numbered without a gap. After a gap, work on all databases would miss some of them. */
function findDatabaseProblems(env: Env): string[] {
  const bound = Object.entries(env).flatMap(([name, binding]) => {
    const number = databaseName.exec(name)?.[1];
    return number === undefined || binding === undefined ? [] : [Number(number)];
  });
  const missing = bound.map((_, index) => index + 1).find((number) => !bound.includes(number));
  return missing === undefined
    ? []
    : [`DB_${missing} is not bound, although DB_${Math.max(...bound)} is`];
}

function parse(env: Env): ConfigResult {
  const result = variables.safeParse(env);
  const issues = result.success ? [] : result.error.issues;
  const problems = [
    ...issues.map(({ path, message }) => `${path.join(".")} ${message}`),
    ...findDatabaseProblems(env),
  ];
  if (!result.success || problems.length > 0) return { ok: false, problems };
  const { data } = result;
  return {
    ok: true,
    config: {
      operatorTokenDigest: data.OPERATOR_TOKEN,
      sealingKeys: data.SEALING_KEYS,
      backupCodeKeys: data.BACKUP_CODE_KEYS,
      auditSigningKeys: data.AUDIT_SIGNING_KEYS,
      addressHashKey: data.ADDRESS_HASH_KEY,
      tokenSigningKeys: data.TOKEN_SIGNING_KEYS,
      publicUrl: data.PUBLIC_URL,
      maxDatabaseBytes: data.MAX_DATABASE_MB,
    },
  };
}

/** Thrown when work needs a valid configuration and there is none. */
class ConfigError extends Error {
  constructor(problems: readonly string[]) {
    super(problems.join("; "));
    this.name = "ConfigError";
  }
}

/** Whether the configuration is valid. Logs its problems. */
export function isConfigured(env: Env): boolean {
  const configured = configOf(env);
  if (!configured.ok) log("error", "configuration_invalid", { problems: configured.problems });
  return configured.ok;
}

/** @throws ConfigError */
export function requireConfig(env: Env): Config {
  const configured = configOf(env);
  if (!configured.ok) throw new ConfigError(configured.problems);
  return configured.config;
}

/** The configuration of an environment, or its problems. Each environment is parsed once. */
export function configOf(env: Env): ConfigResult {
  let result = cache.get(env);
  if (result === undefined) {
    result = parse(env);
    cache.set(env, result);
  }
  return result;
}
