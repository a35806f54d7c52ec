/** A login with a password, a check of the risk and a second factor. It keeps users in memory. */
import { randomUUID, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { EdgeIdp, IdpError } from "@edge-idp/sdk";
import { serve } from "@hono/node-server";
import { type Context, Hono } from "hono";
import { csrf } from "hono/csrf";
import { html, raw } from "hono/html";
import { createPasskeys, explainPasskey, showPasskeys } from "./passkeys.ts";
import { anonymous, enter, findSession, readContext, readForm, renderPage } from "./web.ts";

const { IDP_URL = "", IDP_TOKEN = "", PORT = "3000" } = process.env;
const { ORIGIN = `http://localhost:${PORT}` } = process.env;
const idp = new EdgeIdp({ url: IDP_URL, token: IDP_TOKEN });
const hashPassword = promisify<string, string, number, Buffer>(scrypt);
const users = new Map<string, { id: string; hash: Buffer }>();
const unavailable = "We cannot log you in now. Our support can help.";
const explainLock = (until: string) => `Too many wrong codes. You are locked until ${until}.`;
const forms = {
  login: html`<label>Name <input name="name" pattern="[^:]+" required autofocus
      autocomplete="username webauthn"></label>
    <label>Password <input name="password" type="password" minlength="8" required></label>
    <button>Log in</button> <button name="isNew" value="yes">Sign up</button>`,
  code: html`<label>Code <input name="code" autocomplete="one-time-code" autofocus></label>
    <button>Continue</button> <button formaction="/code/end">Cancel</button>`,
  account: html`<p>You are logged in.</p><button formaction="/account/end">Log out</button>`,
};
function show(c: Context, message: unknown = "", status: 200 | 403 | 503 = 200) {
  const session = findSession(c);
  const form = html`<form method=post action=/${session.step}>${forms[session.step]}</form>`;
  const page = renderPage(session.notice, message, html`${form}${showPasskeys(idp, session)}`);
  if (session.step === "account") session.notice = ""; // Backup codes are shown once.
  return c.html(page, status, { "Cache-Control": "no-store" });
}
const refuse = (c: Context) => show(c, "This login is too risky. Our support can help you.", 403);

const app = new Hono().use(csrf(), async (c, next) => {
  const path = `/${findSession(c).step}`;
  return c.req.path.startsWith(path) ? next() : c.redirect(path, 303);
});
async function admit(c: Context, id: string) {
  const { recommendation, assessment_id } = await idp.sentinel.assess(id, readContext(c));
  if (recommendation === "deny") return refuse(c);
  // A passkey is the proof that a challenged session needs.
  await idp.sentinel.feedback(assessment_id, "legitimate");
  const [name = ""] = [...users].find(([, user]) => user.id === id) ?? [];
  return enter(c, { ...anonymous, step: "account", id, name });
}
app.route("/", createPasskeys(idp, admit));
app.get("*", (c) => show(c));
app.post("/login", async (c) => {
  const { name = "", password = "", isNew } = await readForm(c);
  const id = users.get(name)?.id ?? randomUUID();
  const hash = await hashPassword(password, id, 32); // It takes as long for an unknown name.
  if (isNew) await idp.users.provision(id);
  if (isNew && !users.has(name)) users.set(name, { id, hash });
  const expected = users.get(name)?.hash ?? Buffer.alloc(32);
  if (!timingSafeEqual(hash, expected)) return show(c, "Name and password do not match.", 403);
  const context = readContext(c);
  const { recommendation, assessment_id, user, factors } = await idp.sentinel.assess(id, context);
  const notice = recommendation === "challenge" ? "This login is unusual. Is it you?" : "";
  const isEnrolled = !["none", "pending"].includes(user.otp_status) || factors.includes("passkey");
  if (user.locked_until) return show(c, explainLock(user.locked_until), 403);
  // A session that should be challenged must not set up the factor to challenge it with.
  if (recommendation === "deny" || (notice && !isEnrolled)) return refuse(c);
  const session = { ...anonymous, step: "code", id, name, factors } as const;
  if (isEnrolled) return enter(c, { ...session, notice, proof: { assessment_id, context } });
  const otp = await idp.otp.configure(id, { issuer_name: "Acme", account_name: name, qr: "svg" });
  const qr = html`${raw(otp.qrcode_svg)}<p>Scan it, or enter <code>${otp.new_otp_secret}</code>`;
  return enter(c, { ...session, notice: qr, proof: { purpose: "confirm", context } });
});
app.post("/code", async (c) => {
  const { id, name, proof } = findSession(c);
  const { code = "" } = await readForm(c);
  const { enrolment_confirmed } = await idp.otp.verify(id, code, proof);
  const codes = enrolment_confirmed ? await idp.backupCodes.regenerate(id) : [];
  const notice = codes.length > 0 && html`Keep your backup codes:<pre>${codes.join("\n")}</pre>`;
  return enter(c, { ...anonymous, step: "account", id, name, notice });
});
app.post("/:step/end", (c) => enter(c, anonymous));
app.onError((error, c) => {
  const known: Partial<IdpError> = error instanceof IdpError ? error : {};
  const words: Record<string, string> = {
    invalid_code: `This code is wrong. You have ${known.attemptsRemaining} attempts left.`,
    code_already_used: "This code was used already. Wait for the next one.",
    invalid_request: known.issues?.[0]?.path === "otp.code" ? "Type the whole code." : "",
    no_pending_enrolment: "The QR code is too old. Cancel, and log in again for a new one.",
    user_exists: "This name is taken.",
  };
  const sentence = words[known.code ?? ""] || explainPasskey(known);
  const message = known.lockedUntil ? explainLock(known.lockedUntil) : sentence;
  if (!message) console.error(error);
  const [text, status] = message ? ([message, 403] as const) : ([unavailable, 503] as const);
  return c.req.path.endsWith("/options") ? c.text(`${text}`, status) : show(c, text, status);
});
const passkeys = { rp_id: new URL(ORIGIN).hostname, rp_name: "Acme", origins: [ORIGIN] };
await idp.settings.change({ otp: { enrolment: "confirm" }, passkeys });
const site = { fetch: app.fetch, hostname: "127.0.0.1", port: Number(PORT) };
serve(site, () => console.log(`The app runs at ${ORIGIN}`));
