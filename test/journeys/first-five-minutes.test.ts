import { describe, expect, it } from "vitest";
import { Tenant, User } from "../support/client.ts";

describe("The first five minutes of a backend developer", () => {
  it("lead from provisioning to the audit trail", async () => {
    const tenant = await Tenant.create("live");
    const user = await User.provision(tenant, "ORG_USR_9921_AFG");
    const configured = await user.configure();
    expect(configured.body.user.is_setup_complete).toBe(true);

    const verified = await user.verify(user.code(Date.now()));
    expect(verified.status).toBe(200);
    expect(verified.body).toEqual({
      status: "success",
      enrolment_confirmed: false,
      id: "ORG_USR_9921_AFG",
      message: "OTP verified successfully.",
      method: "totp",
    });

    const [backupCode] = await user.backupCodes();
    expect((await user.verify(backupCode)).body).toMatchObject({
      method: "backup_code",
      backup_codes_remaining: 9,
    });
    expect(await user.profile()).toMatchObject({
      status: "active",
      has_otp: true,
      backup_codes_remaining: 9,
      failed_attempts: 0,
    });

    const discovered = await tenant.send("POST", "/v1/sentinel/discover", {
      sentinel: { id: user.id, context: { ip: "1.1.1.1", ua: "EnterpriseAgent/1.0" } },
    });
    expect(discovered.status).toBe(200);
    expect(discovered.body).toMatchObject({
      status: "authorized",
      risk_score: 0.05,
      recommendation: "allow",
      reasons: [],
    });

    const actions = (await user.events()).map(({ action, outcome }) => `${action} ${outcome}`);
    expect(actions.toReversed()).toEqual([
      "user.provisioned success",
      "otp.configured success",
      "otp.verified success",
      "backup_codes.generated success",
      "otp.verified success",
      "session.assessed success",
    ]);
  });
});
