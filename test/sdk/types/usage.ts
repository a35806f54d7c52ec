/** A use of each kind of type, compiled as in a project of its own: strict, and with the declarations checked. */
import { EdgeIdp, IdpError, type Otp, type Profile, type VerifyOtpResult } from "@edge-idp/sdk";
import { type Verdict, verifyBundle, verifyInclusion, verifyTrail } from "@edge-idp/sdk/audit";
import { type StepUpClaims, StepUpTokenError, verifyStepUpToken } from "@edge-idp/sdk/tokens";
import { verifyWebhook, WebhookError, type WebhookMessage } from "@edge-idp/sdk/webhooks";

const idp = new EdgeIdp({ url: "https://idp.example.com", token: "idp_live_…", fetch });

/** The parts of the client have names, which the declarations of a project need. */
export const parts = { ...idp, tenantTokens: idp.tenants.tokens("1") };
export const otp: Otp = idp.otp;

export async function logIn(externalId: string, code: string): Promise<VerifyOtpResult | string> {
  const assessment = await idp.sentinel.assess(externalId, { ip: "1.1.1.1", ua: null });
  switch (assessment.recommendation) {
    case "allow":
    case "challenge":
      break;
    case "deny":
      return assessment.reasons.map(({ detail }) => detail).join(" ");
    default:
      // Every recommendation is dealt with.
      assessment.recommendation satisfies never;
  }
  try {
    const { assessment_id } = assessment;
    return await idp.otp.verify(externalId, code, { assessment_id }, { timeoutMs: 2_000 });
  } catch (error) {
    if (!(error instanceof IdpError)) throw error;
    if (error.code === "user_locked") return `You are locked until ${error.lockedUntil}.`;
    if (error.code === "a code of a later version") return error.message;
    const remaining: number | undefined = error.attemptsRemaining;
    return `Wrong; ${remaining} attempts remain.`;
  }
}

export async function findLocked(signal: AbortSignal): Promise<Profile[]> {
  const locked: Profile[] = [];
  for await (const user of idp.users.list({ status: "locked", limit: 100 }, { signal })) {
    locked.push(await idp.users.get(user.external_id, { signal }));
  }
  return locked;
}

export async function saveTrail(write: (bytes: Uint8Array) => void): Promise<void> {
  const reader = idp.audit.exportBytes({ from: 0 }).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) write(part.value);
}

export async function verify(older: string): Promise<Verdict> {
  const checkpoint = JSON.stringify(await idp.audit.checkpoint());
  const keys = await idp.audit.keys();
  for await (const event of idp.audit.events({ limit: 100 })) {
    const { ok } = await verifyInclusion({ event, proof: await idp.audit.proof(event.id), keys });
    if (!ok) throw new Error(event.id);
    const bundle = await idp.audit.bundle(event.id, { leaf_index: event.leaf_index });
    const { trustsBundle, problems } = await verifyBundle({ bundle, keys });
    if (trustsBundle || problems.length > 0) throw new Error(bundle.event.id);
  }
  return await verifyTrail({ read: () => idp.audit.exportBytes(), checkpoint, older });
}

export async function administrate(): Promise<void> {
  const admin = idp.actingFor("ORG_ADMIN_17");
  await admin.users.unlock("ORG_USR_9921_AFG", { testClock: new Date() });
  await admin.settings.change({ otp: { enrolment: "confirm" } });
  // @ts-expect-error There is no such setting.
  await admin.settings.change({ otp: { enrollment: "confirm" } });
  // @ts-expect-error A user has no such status.
  idp.users.list({ status: "gone" });
}

export async function admit(token: string, nonce: string): Promise<StepUpClaims | string> {
  const checks = { issuer: "https://idp.example.com", audience: "orders", tenant: "1", nonce };
  try {
    return await verifyStepUpToken(token, { ...checks, acr: "urn:edge-idp:aal2", fetch });
  } catch (error) {
    return error instanceof StepUpTokenError ? error.reason : String(error);
  }
}

export async function receive(request: Request, secret: string): Promise<WebhookMessage | string> {
  try {
    return await verifyWebhook(request.headers, await request.text(), secret);
  } catch (error) {
    if (error instanceof WebhookError) return error.reason;
    throw error;
  }
}
