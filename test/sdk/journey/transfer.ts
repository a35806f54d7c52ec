/** Users come from another system, and leave with their secrets. */
import { Authenticator } from "./authenticator.ts";
import { collect, expectEqual, expectError } from "./expect.ts";
import type { EdgeIdp, Sdk } from "./sdk.ts";

const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
const uri = `otpauth://totp/Other:imported?secret=${secret}&issuer=Other`;
const backupCode = "7KQ2-XM4P-0RTZ";

/** Imports a user, who logs in, and exports it. @param withToken a client with another token */
export async function transferUsers(
  sdk: Sdk,
  idp: EdgeIdp,
  withToken: (secret: string) => EdgeIdp,
): Promise<void> {
  const row = { external_id: "imported", authenticators: [{ uri }], backup_codes: [backupCode] };
  const rows = [row, { external_id: "failed", authenticators: [{ secret: "none" }] }];
  const outcomesOf = (results: readonly { outcome: string; code?: string }[]) =>
    results.map(({ outcome, code }) => code ?? outcome);
  const dry = await idp.users.import(rows, { dry_run: true });
  expectEqual("dry run", outcomesOf(dry), ["created", "invalid_secret"]);
  await expectError(sdk, "user_not_found", idp.users.get("imported"));
  expectEqual("import", outcomesOf(await idp.users.import(rows)), ["created", "invalid_secret"]);
  const again = await idp.users.import(rows, { on_existing: "add" });
  expectEqual("again", outcomesOf(again), ["already_imported", "invalid_secret"]);
  const now = new Date();
  const code = new Authenticator(uri).codeAt(now);
  const verified = await idp.otp.verify("imported", code, {}, { testClock: now });
  expectEqual("imported secret", verified.method, "totp");
  const spent = await idp.otp.verify("imported", backupCode);
  expectEqual("imported code", [spent.method, spent.backup_codes_remaining], ["backup_code", 0]);

  const permissions = ["idp:export"] as const;
  const token = await idp.tokens.create({ name: "export", permissions: [...permissions] });
  const exporting = withToken(token.secret);
  const list = exporting.users.export({ limit: 2 });
  await expectError(sdk, "export_not_allowed", list.page());
  await idp.settings.change({ export: { secrets: true } });
  // The export follows within seconds, and the list of a user's events is complete.
  const events = await collect(idp.audit.events({ externalUserId: "imported" }));
  expectEqual("event", events.at(-1)?.action, "otp.imported");
  const exported = await collect(list);
  const found = exported.find(({ external_id }) => external_id === "imported");
  expectEqual("exported", found?.authenticators[0]?.secret, secret);
  await idp.settings.change({ export: { secrets: false } });
  await idp.tokens.revoke(token.id);
  await idp.users.erase("imported");
}
