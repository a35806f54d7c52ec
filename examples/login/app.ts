/** A login with a password, a check of the risk and a second factor. It keeps users in memory. */
import { randomUUID, scrypt, timingSafeEqual } from "node:crypto";
import { promisify } from "node:util";
import { EdgeIdp, IdpError, type VerifyOtpInput } from "@edge-idp/sdk";
import { serve } from "@hono/node-server";
import { getConnInfo } from "@hono/node-server/conninfo";
import { type Context, Hono } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { csrf } from "hono/csrf";
import { html, raw } from "hono/html";

const { IDP_URL = "", IDP_TOKEN = "", PORT = "3000", CLIENT_ADDRESS_HEADER } = process.env;
const idp = new EdgeIdp({ url: IDP_URL, token: IDP_TOKEN });
const hashPassword = promisify<string, string, number, Buffer>(scrypt);
const users = new Map<string, { id: string; hash: Buffer }>();
/** A session opens the pages of its step alone. Its `proof` goes to the service with the code. */
type Session = { step: keyof typeof forms; id: string; proof: VerifyOtpInput; notice: unknown };
const anonymous: Session = { step: "login", id: "", proof: {}, notice: "" };
const sessions = new Map<string, Session>();
const findSession = (c: Context) => sessions.get(getCookie(c, "session") ?? "") ?? anonymous;
const readForm = async (c: Context) => Object.fromEntries(new URLSearchParams(await c.req.text()));
const explainLock = (until: string) => `Too many wrong codes. You are locked until ${until}.`;
const forms = {
  login: html`<label>Name <input name="name" pattern="[^:]+" required autofocus></label>
    <label>Password <input name="password" type="password" minlength="8" required></label>
    <button>Log in</button> <button name="isNew" value="yes">Sign up</button>`,
  code: html`<label>Code <input name="code" autocomplete="one-time-code" autofocus></label>
    <button>Continue</button> <button formaction="/code/end">Cancel</button>`,
  account: html`<p>You are logged in.</p><button formaction="/account/end">Log out</button>`,
};
function show(c: Context, message = "", status: 200 | 403 | 503 = 200) {
  const { step, notice } = findSession(c);
  if (step === "account") findSession(c).notice = ""; // Backup codes are shown once.
  const page = html`<!doctype html><html lang=en><meta name=viewport content=width=device-width>
    <style>body { font: 1.1em/2 system-ui; margin: auto; width: 18em } input { width: 95% }</style>
    <title>Acme</title>${notice}<p role=alert>${message}<form method=post>${forms[step]}</form>`;
  return c.html(page, status, { "Cache-Control": "no-store" });
}
function enter(c: Context, session: Session) {
  const id = randomUUID();
  sessions.delete(getCookie(c, "session") ?? "");
  sessions.set(id, session);
  setTimeout(() => sessions.delete(id), 3_600_000).unref();
  setCookie(c, "session", id, { httpOnly: true, secure: true, sameSite: "Lax", maxAge: 3600 });
  return c.redirect(`/${session.step}`, 303);
}

const app = new Hono().use(csrf(), async (c, next) => {
  const path = `/${findSession(c).step}`;
  return c.req.path.startsWith(path) ? next() : c.redirect(path, 303);
});
app.get("*", (c) => show(c));
app.post("/login", async (c) => {
  const { name = "", password = "", isNew } = await readForm(c);
  const id = users.get(name)?.id ?? randomUUID();
  const hash = await hashPassword(password, id, 32); // It takes as long for an unknown name.
  if (isNew) await idp.users.provision(id);
  if (isNew && !users.has(name)) users.set(name, { id, hash });
  const expected = users.get(name)?.hash ?? Buffer.alloc(32);
  if (!timingSafeEqual(hash, expected)) return show(c, "Name and password do not match.", 403);
  const header = CLIENT_ADDRESS_HEADER && c.req.header(CLIENT_ADDRESS_HEADER);
  const ip = header ? header.split(",").at(-1)?.trim() : getConnInfo(c).remote.address;
  const context = { ip: ip ?? "", ua: c.req.header("User-Agent") ?? "" };
  const { recommendation, assessment_id, user } = await idp.sentinel.assess(id, context);
  const notice = recommendation === "challenge" ? "This login is unusual. Is it you?" : "";
  const hasOtp = user.otp_status !== "none" && user.otp_status !== "pending";
  if (user.locked_until) return show(c, explainLock(user.locked_until), 403);
  // A session that should be challenged must not set up the factor to challenge it with.
  const isRefused = recommendation === "deny" || (notice && !hasOtp);
  if (isRefused) return show(c, "This login is too risky. Our support can help you.", 403);
  if (hasOtp) return enter(c, { step: "code", id, notice, proof: { assessment_id, context } });
  const otp = await idp.otp.configure(id, { issuer_name: "Acme", account_name: name, qr: "svg" });
  const qr = html`${raw(otp.qrcode_svg)}<p>Scan it, or enter <code>${otp.new_otp_secret}</code>`;
  return enter(c, { step: "code", id, notice: qr, proof: { purpose: "confirm", context } });
});
app.post("/code", async (c) => {
  const { id, proof } = findSession(c);
  const { code = "" } = await readForm(c);
  const { enrolment_confirmed } = await idp.otp.verify(id, code, proof);
  const codes = enrolment_confirmed ? await idp.backupCodes.regenerate(id) : [];
  const notice = codes.length > 0 && html`Keep your backup codes:<pre>${codes.join("\n")}</pre>`;
  return enter(c, { ...anonymous, step: "account", id, notice });
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
  const message = known.lockedUntil ? explainLock(known.lockedUntil) : words[known.code ?? ""];
  if (!message) console.error(error);
  return show(c, message || "We cannot log you in now. Our support can help.", message ? 403 : 503);
});
await idp.settings.change({ otp: { enrolment: "confirm" } });
serve({ fetch: app.fetch, hostname: "127.0.0.1", port: Number(PORT) }, console.log);
