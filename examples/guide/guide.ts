/** The login of docs/integrate.md, with the SDK. */
import { execFileSync } from "node:child_process";
import { EdgeIdp, IdpError, type SessionContext } from "@edge-idp/sdk";

const { IDP_URL: url = "", BACKEND_TOKEN = "", ADMIN_TOKEN = "" } = process.env;
const idp = new EdgeIdp({ url, token: BACKEND_TOKEN });
const adminIdp = new EdgeIdp({ url, token: ADMIN_TOKEN });

/** Call it when an account is created. It may be called again. */
async function provision(userId: string): Promise<void> {
  try {
    await idp.users.provision(userId);
  } catch (error) {
    if (!(error instanceof IdpError && error.code === "user_exists")) throw error;
  }
}

/** The page that sets up an authenticator app. It shows the QR code, and the secret to type. */
async function openEnrolmentPage(userId: string, accountName: string) {
  const { qrcode_svg: qrCode, new_otp_secret: secret } = await idp.otp.configure(userId, {
    issuer_name: "Acme",
    account_name: accountName,
    qr: "svg",
  });
  return { qrCode, secret };
}

/** The user has typed the first code of the app. The page shows the backup codes once. */
async function confirmEnrolment(userId: string, code: string): Promise<string[]> {
  await idp.otp.verify(userId, code, { purpose: "confirm" });
  return await idp.backupCodes.regenerate(userId);
}

/** What the login page does next. */
type LoginStep =
  | { readonly step: "signed in" }
  | { readonly step: "ask for a code"; readonly assessmentId: string; readonly message?: string }
  | { readonly step: "refused"; readonly message: string };

function refuse(message: string): LoginStep {
  return { step: "refused", message };
}

function describeLock(until: string): string {
  return `Too many wrong codes. Try again after ${until}.`;
}

/** The password was right. */
async function beginLogin(userId: string, session: SessionContext): Promise<LoginStep> {
  const assessment = await idp.sentinel.assess(userId, session);
  const { recommendation, factors, user, assessment_id: assessmentId } = assessment;
  if (user.status === "suspended") return refuse("This account is suspended.");
  if (recommendation === "deny") return refuse("We cannot sign you in from here.");
  if (recommendation === "allow") return { step: "signed in" };
  if (factors.some((one) => one !== "passkey")) return { step: "ask for a code", assessmentId };
  if (user.locked_until !== null) return refuse(describeLock(user.locked_until));
  return refuse("We have sent you a mail. Open its link to sign in.");
}

/** The user has typed a code, of the app or a backup code. */
async function finishLogin(userId: string, code: string, assessmentId: string): Promise<LoginStep> {
  try {
    await idp.otp.verify(userId, code, { assessment_id: assessmentId });
    return { step: "signed in" };
  } catch (error) {
    return describeFailure(error, assessmentId);
  }
}

function describeFailure(error: unknown, assessmentId: string): LoginStep {
  if (!(error instanceof IdpError)) throw error;
  const { code, attemptsRemaining, lockedUntil, issues = [] } = error;
  const askAgain = (message: string): LoginStep => {
    return { step: "ask for a code", assessmentId, message };
  };
  if (lockedUntil !== undefined) return refuse(describeLock(lockedUntil));
  if (code === "invalid_code") return askAgain(`Wrong code. Tries left: ${attemptsRemaining}.`);
  if (code === "code_already_used") return askAgain("This code was used. Wait for the next one.");
  if (code === "otp_not_configured") return askAgain("Type one of your backup codes.");
  if (code === "otp_disabled") return refuse("Ask the support to set up your app again.");
  if (code === "user_suspended") return refuse("This account is suspended.");
  // The text has the form of no code. Nothing was counted.
  if (issues.some(({ path }) => path === "otp.code")) return askAgain("Type all six digits.");
  throw error;
}

/** The unlock button of the admin page. `adminId` is your own id of the administrator. */
async function unlock(userId: string, adminId: string): Promise<string> {
  const profile = await adminIdp.actingFor(adminId).users.unlock(userId);
  return profile.otp_status === "disabled" ? "The app must be set up again." : "Unlocked.";
}

function codeAt(time: number, secret: string): string {
  const seconds = `@${Math.floor(time / 1000)}`;
  return execFileSync("oathtool", ["--totp", "-b", "-N", seconds, secret], {
    encoding: "utf8",
  }).trim();
}

function show(title: string, result: LoginStep | string): void {
  const text =
    typeof result === "string"
      ? result
      : `${result.step}${"message" in result ? `: ${result.message}` : ""}`;
  console.log(`${title}: ${text}`);
}

const userId = `guide-${crypto.randomUUID()}`;
const browser = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/** A login that Sentinel challenges, with the code that the user types. */
async function login(code: string): Promise<LoginStep> {
  const begun = await beginLogin(userId, { ip: "192.0.2.2", ua: browser });
  return begun.step === "ask for a code"
    ? await finishLogin(userId, code, begun.assessmentId)
    : begun;
}

await provision(userId);
const withoutFactor = await beginLogin(userId, { ip: "192.0.2.2", ua: browser });
show("Challenged without a factor", withoutFactor);

const { secret } = await openEnrolmentPage(userId, "alexander@acme.example");
const firstCode = codeAt(Date.now(), secret);
const [firstBackupCode = "", secondBackupCode = ""] = await confirmEnrolment(userId, firstCode);

for (const ip of ["192.0.2.1", "192.0.2.2", "192.0.2.3"]) {
  show(`From ${ip}`, await beginLogin(userId, { ip, ua: browser }));
}
show("Half a code", await login("123"));
show("The code that enrolled", await login(firstCode));
show("The next code", await login(codeAt(Date.now() + 30_000, secret)));
show("A backup code", await login(firstBackupCode));

async function failUntilLocked(): Promise<void> {
  for (let count = 0; count < 5; count += 1) show("A wrong code", await login("000000"));
}

await failUntilLocked();
show("The right code, too late", await login(secondBackupCode));
show("The administrator", await unlock(userId, "ORG_ADMIN_17"));
show("The right code", await login(secondBackupCode));

await failUntilLocked();
const { locked_until: lockedUntil } = await adminIdp.users.get(userId);
const testClock = lockedUntil ?? "";
const laterCode = codeAt(Date.parse(testClock), secret);
const { status } = await idp.otp.verify(userId, laterCode, {}, { testClock });
show("When the lock has ended", status);
