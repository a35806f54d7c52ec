/** The session of the console: a token, which only this tab keeps, and what the token permits. */
import { EdgeIdp, type IdpError, type OwnToken } from "@edge-idp/sdk";

const storageKey = "edge-idp-session";
/** A session in which the reader does nothing ends after this time. */
export const maxIdleMs = 30 * 60 * 1000;

/** What the tab keeps. */
export interface Credentials {
  readonly token: string;
  /** The reader's id in the trail; empty if none was given. */
  readonly actingFor: string;
}

interface StoredSession extends Credentials {
  /** Unix ms. */
  readonly lastActiveAt: number;
}

export interface Session {
  readonly idp: EdgeIdp;
  /** Tells the data of two sessions apart. It is no secret. */
  readonly id: string;
  /** Undefined for the operator. */
  readonly tenant: OwnToken | undefined;
}

function isStored(value: unknown): value is StoredSession {
  return (
    typeof value === "object" &&
    value !== null &&
    "token" in value &&
    typeof value.token === "string" &&
    "actingFor" in value &&
    typeof value.actingFor === "string" &&
    "lastActiveAt" in value &&
    typeof value.lastActiveAt === "number"
  );
}

function readStored(): StoredSession | undefined {
  try {
    const value: unknown = JSON.parse(sessionStorage.getItem(storageKey) ?? "null");
    return isStored(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function keepCredentials(credentials: Credentials): void {
  const stored: StoredSession = { ...credentials, lastActiveAt: Date.now() };
  sessionStorage.setItem(storageKey, JSON.stringify(stored));
}

export function forgetCredentials(): void {
  sessionStorage.removeItem(storageKey);
}

/** The credentials of this tab; undefined if it has none. After the idle time, it removes them first. */
export function readCredentials(): Credentials | undefined {
  const stored = readStored();
  if (stored === undefined) return undefined;
  if (Date.now() - stored.lastActiveAt < maxIdleMs) return stored;
  forgetCredentials();
  return undefined;
}

/** Notes that the reader is there. */
export function noteActivity(): void {
  const stored = readCredentials();
  if (stored !== undefined) keepCredentials(stored);
}

function createClient({ token, actingFor }: Credentials): EdgeIdp {
  return new EdgeIdp({
    url: location.origin,
    token,
    maxRetries: 1,
    ...(actingFor === "" ? {} : { actingFor }),
  });
}

/** API tokens begin so; the operator token is any other text. */
const apiTokenPattern = /^idp_(live|test)_/;

/**
 * Asks the service what the token may do.
 * @throws IdpError `invalid_token`; TypeError for a text that is no token
 */
export async function openSession(credentials: Credentials): Promise<Session> {
  const idp = createClient(credentials);
  if (apiTokenPattern.test(credentials.token)) {
    const tenant = await idp.tokens.own();
    return { idp, id: tenant.id, tenant };
  }
  await idp.tenants.list({ limit: 1 }).page();
  return { idp, id: "operator", tenant: undefined };
}

/** Whether the error means that the token is valid no more. */
export function endsSession({ status }: IdpError): boolean {
  return status === 401;
}
