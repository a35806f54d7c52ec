/** What is not about Edge IDP: sessions in memory under a random cookie, forms, and the page. */
import { randomUUID } from "node:crypto";
import type { SessionContext, VerifyOtpInput } from "@edge-idp/sdk";
import { getConnInfo } from "@hono/node-server/conninfo";
import type { Context } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { html } from "hono/html";

/** A session opens the pages of its step alone. Its `proof` goes to the service with the code or the passkey. */
export interface Session {
  readonly step: "login" | "code" | "account";
  readonly id: string;
  readonly name: string;
  readonly proof: VerifyOtpInput;
  /** What the user can be challenged with. */
  readonly factors: readonly string[];
  notice: unknown;
  /** Of the passkey that the page asks for. */
  challenge?: string;
}

export const anonymous: Session = {
  step: "login",
  id: "",
  name: "",
  proof: {},
  factors: [],
  notice: "",
};
const sessions = new Map<string, Session>();

export function findSession(c: Context): Session {
  return sessions.get(getCookie(c, "session") ?? "") ?? anonymous;
}

export function start(c: Context, session: Session) {
  const id = randomUUID();
  sessions.delete(getCookie(c, "session") ?? "");
  sessions.set(id, session);
  setTimeout(() => sessions.delete(id), 3_600_000).unref();
  setCookie(c, "session", id, { httpOnly: true, secure: true, sameSite: "Lax", maxAge: 3600 });
}

export function enter(c: Context, session: Session) {
  start(c, session);
  return c.redirect(`/${session.step}`, 303);
}

export async function readForm(c: Context): Promise<Partial<Record<string, string>>> {
  return Object.fromEntries(new URLSearchParams(await c.req.text()));
}

export function readContext(c: Context): SessionContext {
  const { CLIENT_ADDRESS_HEADER } = process.env;
  const header = CLIENT_ADDRESS_HEADER && c.req.header(CLIENT_ADDRESS_HEADER);
  const ip = header ? header.split(",").at(-1)?.trim() : getConnInfo(c).remote.address;
  return { ip: ip ?? "", ua: c.req.header("User-Agent") ?? "" };
}

export function renderPage(notice: unknown, message: unknown, content: unknown) {
  return html`<!doctype html><html lang=en><meta name=viewport content=width=device-width>
    <style>
      :root { color-scheme: light dark }
      body { font: 1.1em/2 system-ui; margin: auto; padding: 1em; max-width: 18em }
      input { box-sizing: border-box; width: 100% }
    </style>
    <title>Acme</title>${notice}<p role=alert>${message}</p>${content}`;
}
