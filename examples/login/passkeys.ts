/** Passkeys: a login without a name, a login in place of the code, and the user's list. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { EdgeIdp, IdpError } from "@edge-idp/sdk";
import { type Context, Hono } from "hono";
import { html } from "hono/html";
import {
  anonymous,
  enter,
  findSession,
  readContext,
  readForm,
  type Session,
  start,
} from "./web.ts";

const scripts: Readonly<Record<string, string>> = {
  "passkeys.js": readFileSync(join(import.meta.dirname, "passkeys.js"), "utf8"),
  "browser.js": readFileSync(fileURLToPath(import.meta.resolve("@edge-idp/sdk/browser")), "utf8"),
};

async function showList(idp: EdgeIdp, id: string) {
  try {
    const { passkeys } = await idp.passkeys.list(id);
    return passkeys.map(
      (one) => html`<form method=post action=/account/removal>${one.name}
        <button name=passkey value="${one.id} ${one.credential_id}">Remove</button></form>`,
    );
  } catch {
    return "We cannot list your passkeys now.";
  }
}

/** What the page shows below its form. */
export async function showPasskeys(idp: EdgeIdp, { step, id, factors }: Session) {
  if (step === "code" && !factors.includes("passkey")) return "";
  const isAccount = step === "account";
  return html`${isAccount && (await showList(idp, id))}
    <form name=passkey method=post action=/${step}/passkey data-step=${step}>
    <input type=hidden name=credential>
    <button>${isAccount ? "Add" : "Use"} a passkey</button></form>
    <script type=module src=/${step}/passkeys.js></script>`;
}

/** Marks the passkey that the script tells the browser to forget. */
const forget = (credentialId = "") => html`<i data-forgotten="${credentialId}"></i>`;

/** A sentence for the user; empty for other errors. */
export function explainPasskey({ code, reason, credentialId }: Partial<IdpError>) {
  if (code === "passkey_unknown")
    return html`This passkey was removed. Log in with your password.${forget(credentialId)}`;
  const words: Record<string, string> = {
    invalid_passkey: `Your passkey was not accepted (${reason}). Try again.`,
    passkey_exists: "You have this passkey already.",
    too_many: "You have ten passkeys. Remove one first.",
    verification_required: "Log in again, and then add a passkey.",
    otp_not_configured: "You have no app for codes. Use your passkey.",
  };
  return words[code ?? ""] ?? "";
}

/** @param admit signs in a user who has proved a passkey without giving a name or a password */
export function createPasskeys(
  idp: EdgeIdp,
  admit: (c: Context, id: string) => Response | Promise<Response>,
): Hono {
  const app = new Hono();
  for (const [name, text] of Object.entries(scripts)) {
    app.get(`/:step/${name}`, (c) => c.body(text, 200, { "Content-Type": "text/javascript" }));
  }
  app.post("/:step/options", async (c) => {
    const session = findSession(c);
    const { step, id, name } = session;
    const { public_key } =
      step === "account"
        ? await idp.passkeys.createRegistrationOptions(id, { user_name: name })
        : await idp.passkeys.createAuthenticationOptions(step === "code" ? { id } : {});
    const { challenge } = public_key;
    // The challenge of a visitor needs a session, too.
    if (step === "login") start(c, { ...anonymous, challenge });
    else session.challenge = challenge;
    return c.json(public_key);
  });
  app.post("/account/passkey", async (c) => {
    const { id, challenge = "" } = findSession(c);
    const { credential = "" } = await readForm(c);
    await idp.passkeys.register(id, { challenge, credential: JSON.parse(credential) });
    return c.redirect("/account", 303);
  });
  app.post("/account/removal", async (c) => {
    const session = findSession(c);
    const [passkey = "", credentialId] = ((await readForm(c)).passkey ?? "").split(" ");
    await idp.passkeys.remove(session.id, passkey);
    session.notice = forget(credentialId);
    return c.redirect("/account", 303);
  });
  app.post("/login/passkey", async (c) => {
    const { challenge = "" } = findSession(c);
    const { credential = "" } = await readForm(c);
    const answer = { challenge, credential: JSON.parse(credential), context: readContext(c) };
    const { id } = await idp.passkeys.verify(answer);
    return admit(c, id);
  });
  app.post("/code/passkey", async (c) => {
    const { id, name, challenge = "", proof } = findSession(c);
    const { credential = "" } = await readForm(c);
    const { assessment_id = "", context = readContext(c) } = proof;
    const answer = { challenge, credential: JSON.parse(credential), context };
    await idp.passkeys.verify({ ...answer, id, assessment_id });
    return enter(c, { ...anonymous, step: "account", id, name });
  });
  return app;
}
