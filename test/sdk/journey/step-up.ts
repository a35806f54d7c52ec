/** A step-up token, verified as another service does. */
import { expectEqual, expectError } from "./expect.ts";
import type { EdgeIdp, Sdk } from "./sdk.ts";

const externalId = "ORG_USR_STEP_UP";
const audience = "https://api.example.com";

export async function stepUp(
  sdk: Sdk,
  idp: EdgeIdp,
  { url, fetch }: { readonly url: string; readonly fetch?: typeof globalThis.fetch },
  tenant: string,
): Promise<void> {
  await idp.users.provision(externalId);
  const [code = ""] = await idp.backupCodes.regenerate(externalId);
  const { token = "" } = await idp.otp.verify(externalId, code, { token: { audience } });

  const checks = { issuer: url, audience, tenant };
  const claims = await sdk.verifyStepUpToken(token, { ...checks, fetch });
  expectEqual("subject", [claims.sub, claims.acr], [externalId, "urn:edge-idp:aal1"]);
  const jwks = await idp.stepUp.keys();
  expectEqual("offline", await sdk.verifyStepUpToken(token, { ...checks, jwks }), claims);

  const other = sdk.verifyStepUpToken(token, { ...checks, jwks, audience: "another" });
  const reason = await other.then(
    () => "none",
    (error: unknown) => (error instanceof sdk.StepUpTokenError ? error.reason : String(error)),
  );
  expectEqual("another audience", reason, "audience");
  await idp.users.erase(externalId);
  await expectError(sdk, "user_not_found", idp.users.get(externalId));
}
