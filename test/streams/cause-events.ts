/** Requests that leave events of many actions. */
import type { EdgeIdp } from "@edge-idp/sdk";

const session = { ip: "192.0.2.1", ua: "EnterpriseAgent/1.0" };

/** An error of the service has left its event. */
async function tryTo(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!(error instanceof Error) || error.name !== "IdpError") throw error;
  });
}

export async function causeEvents(idp: EdgeIdp, name: string): Promise<void> {
  const support = idp.actingFor("agent-7");
  await idp.users.provision(name);
  await tryTo(idp.users.provision(name));
  await idp.otp.configure(name, { issuer_name: "Acme", account_name: name });
  const [backupCode = ""] = await idp.backupCodes.regenerate(name);
  for (let n = 0; n < 6; n += 1) await tryTo(idp.otp.verify(name, "000000", { context: session }));
  await support.users.unlock(name);
  await idp.otp.verify(name, backupCode);
  const { assessment_id } = await idp.sentinel.assess(name, session);
  await idp.sentinel.feedback(assessment_id, "fraud");
  await support.users.suspend(name);
  await support.users.reactivate(name);
  await idp.settings.change({ lockout: { lock_seconds: 600 } });
  const { id } = await idp.tokens.create({ name, permissions: ["idp:read"] });
  await idp.tokens.revoke(id);
  await tryTo(idp.users.get("nobody"));
  await idp.otp.remove(name);
}
