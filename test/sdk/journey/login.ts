/** The tutorial up to the login, and what goes wrong on the way. */
import { Authenticator, addSeconds } from "./authenticator.ts";
import { collect, expectEqual, expectError } from "./expect.ts";
import type { EdgeIdp, Sdk } from "./sdk.ts";

export const alexander = "ORG_USR_9921_AFG";
const agent = "EnterpriseAgent/1.0";

/** Provisions the user, lets it log in with each factor, and locks it. Further users are in the list only. */
export async function logIn(sdk: Sdk, idp: EdgeIdp): Promise<void> {
  const user = await idp.users.provision(alexander);
  expectEqual("provisioned", [user.external_id, user.status], [alexander, "active"]);
  await expectError(sdk, "user_exists", idp.users.provision(alexander));

  const setup = await idp.otp.configure(alexander, {
    issuer_name: "Acme Enterprise",
    account_name: "alexander@enterprise.com",
    qr: "svg",
  });
  expectEqual("configured", [setup.external_id, setup.is_setup_complete], [alexander, true]);
  expectEqual("QR code", setup.qrcode_svg?.startsWith("<svg"), true);
  const app = new Authenticator(setup.qrcode_payload);
  await verifyCodes(sdk, idp, app);
  await assessSessions(sdk, idp, app);
  await knowDevice(sdk, idp, app);
  await lockAndUnlock(sdk, idp, app);
  await listUsers(idp);
}

async function verifyCodes(sdk: Sdk, idp: EdgeIdp, app: Authenticator): Promise<void> {
  const now = new Date();
  const wrong = app.wrongCodeAt(now);
  const refused = await expectError(sdk, "invalid_code", idp.otp.verify(alexander, wrong));
  expectEqual("wrong code", [refused.status, refused.attemptsRemaining], [422, 4]);
  const malformed = await expectError(sdk, "invalid_request", idp.otp.verify(alexander, "12345"));
  expectEqual("malformed code", malformed.issues?.[0]?.path, "otp.code");

  const code = app.codeAt(now);
  const options = { testClock: now };
  const verified = await idp.otp.verify(alexander, code, {}, options);
  expectEqual("verified", [verified.status, verified.method], ["success", "totp"]);
  await expectError(sdk, "code_already_used", idp.otp.verify(alexander, code, {}, options));

  const codes = await idp.backupCodes.regenerate(alexander);
  expectEqual("backup codes", codes.length, 10);
  const [backupCode = ""] = codes;
  const spent = await idp.otp.verify(alexander, backupCode.toLowerCase().replace("-", " – "));
  expectEqual("backup code", [spent.method, spent.backup_codes_remaining], ["backup_code", 9]);

  const profile = await idp.users.get(alexander);
  expectEqual("profile", [profile.has_otp, profile.backup_codes_remaining], [true, 9]);
}

async function assessSessions(sdk: Sdk, idp: EdgeIdp, app: Authenticator): Promise<void> {
  const context = { ip: "1.1.1.1", ua: agent };
  const assessment = await idp.sentinel.assess(alexander, context);
  expectEqual("assessment", assessment.recommendation, "allow");
  expectEqual("factors", assessment.factors, ["totp", "backup_code"]);
  const testClock = addSeconds(new Date(), 60);
  const { assessment_id } = assessment;
  await idp.otp.verify(alexander, app.codeAt(testClock), { assessment_id, context }, { testClock });
  await idp.sentinel.feedback(assessment_id, "legitimate");

  const changed = await idp.settings.change({ sentinel: { deny: ["203.0.113.0/24"] } });
  expectEqual("settings", changed.settings.sentinel.deny, ["203.0.113.0/24"]);
  expectEqual("settings", await idp.settings.get(), changed);
  const denied = await idp.sentinel.assess(alexander, { ip: "203.0.113.7", ua: agent });
  expectEqual("denial", denied.recommendation, "deny");
  expectEqual("reason", denied.reasons[0]?.signal, "tenant_deny_list");
  await expectError(sdk, "user_not_found", idp.sentinel.assess("nobody", context));

  const time = addSeconds(new Date(), -3 * 24 * 60 * 60).toISOString();
  const [imported, unknown] = await idp.sentinel.importHistory([
    { external_id: alexander, time, context },
    { external_id: "nobody", time, context },
  ]);
  expectEqual("import", imported, { external_id: alexander, outcome: "imported" });
  expectEqual("import of an unknown user", unknown?.code, "user_not_found");
  expectEqual("kinds", Object.keys(assessment.kinds ?? {}).includes("phisher"), true);

  expectEqual("feeds", Array.isArray((await idp.sentinel.feeds()).feeds), true);
}

/** Remembers a device, logs in on it, and removes it. */
async function knowDevice(sdk: Sdk, idp: EdgeIdp, app: Authenticator): Promise<void> {
  const [first, second] = [addSeconds(new Date(), 120), addSeconds(new Date(), 180)];
  const remember_device = { days: 30, name: "Journey" };
  const at = (testClock: Date) => ({ testClock });
  const { device: remembered } = await idp.otp.verify(
    ...([alexander, app.codeAt(first), { remember_device }, at(first)] as const),
  );
  expectEqual("new device", remembered?.status, "new");
  const device_token = remembered?.token ?? "";
  const { device: known } = await idp.otp.verify(
    ...([alexander, app.codeAt(second), { device_token }, at(second)] as const),
  );
  expectEqual("known device", [known?.status, known?.id], ["known", remembered?.id]);
  const context = { ip: "1.1.1.1", ua: agent, device_token };
  const assessment = await idp.sentinel.assess(alexander, context, at(second));
  expectEqual("known session", assessment.device?.status, "known");
  const [listed] = await idp.devices.list(alexander);
  expectEqual("device", [listed?.id, listed?.name], [remembered?.id, "Journey"]);
  await idp.devices.remove(alexander, listed?.id ?? "");
  await expectError(sdk, "device_not_found", idp.devices.remove(alexander, listed?.id ?? ""));
  await idp.devices.removeAll(alexander);
  expectEqual("devices", await idp.devices.list(alexander), []);
}

/** Locks at a later time than that of the codes before, and unlocks for an administrator. */
async function lockAndUnlock(sdk: Sdk, idp: EdgeIdp, app: Authenticator): Promise<void> {
  const testClock = addSeconds(new Date(), 240);
  const wrong = app.wrongCodeAt(testClock);
  const guess = () => idp.otp.verify(alexander, wrong, {}, { testClock });
  for (const remaining of [4, 3, 2, 1, 0]) {
    const refused = await expectError(sdk, "invalid_code", guess());
    expectEqual("attempts remaining", refused.attemptsRemaining, remaining);
  }
  const locked = await expectError(sdk, "user_locked", guess());
  expectEqual("lock", locked.lockedUntil, addSeconds(testClock, 900).toISOString());
  expectEqual("lock in seconds", locked.retryAfterSeconds, 900);

  const admin = idp.actingFor("ORG_ADMIN_17");
  const unlocked = await admin.users.unlock(alexander, { testClock });
  expectEqual("unlocked", [unlocked.is_locked, unlocked.failed_attempts], [false, 0]);
  expectEqual("suspended", (await admin.users.suspend(alexander)).status, "suspended");
  const denied = await idp.sentinel.assess(alexander, { ip: "1.1.1.1", ua: agent });
  expectEqual("suspended", [denied.recommendation, denied.user.status], ["deny", "suspended"]);
  expectEqual("reactivated", (await admin.users.reactivate(alexander)).status, "active");
}

async function listUsers(idp: EdgeIdp): Promise<void> {
  const others = ["ä/ö ü+?&#", "100%", ".."];
  for (const externalId of others) await idp.users.provision(externalId);
  const listed = await collect(idp.users.list({ limit: 2 }));
  const names = listed.map(({ external_id }) => external_id);
  expectEqual("list", names.toSorted(), [alexander, ...others].toSorted());
  const first = await idp.users.list({ limit: 3 }).page();
  expectEqual("first page", [first.items.length, first.has_more], [3, true]);
  const last = await idp.users.list({ limit: 3 }).page({ after: first.next_after ?? "" });
  expectEqual("last page", [last.items.length, last.next_after], [1, null]);
  for (const externalId of others) {
    expectEqual("profile", (await idp.users.get(externalId)).external_id, externalId);
  }
}
