/** The whole tutorial, and every other operation, through the SDK. */
import { manageTokens, operate } from "./administration.ts";
import { logIn } from "./login.ts";
import { usePasskeys } from "./passkeys.ts";
import type { Sdk } from "./sdk.ts";
import { stepUp } from "./step-up.ts";
import { useStreams } from "./streams.ts";
import { readTrail, replaceSecretAndErase } from "./trail.ts";
import { transferUsers } from "./transfer.ts";
import { verifyTrail } from "./verification.ts";
import { useWebhooks } from "./webhooks.ts";

export interface Place {
  readonly url: string;
  readonly operatorToken: string;
  readonly fetch?: typeof globalThis.fetch;
}

/** @throws Error that names the first step whose result is not the expected one */
export async function makeJourney(sdk: Sdk, place: Place): Promise<void> {
  const { operatorToken, ...service } = place;
  const withToken = (token: string) => new sdk.EdgeIdp({ ...service, token });
  const operator = withToken(operatorToken);
  const { tenant, token } = await operator.tenants.create({ name: "Journey", mode: "test" });
  const idp = withToken(token.secret);
  await logIn(sdk, idp);
  await usePasskeys(sdk, idp);
  await readTrail(sdk, idp);
  await verifyTrail(sdk, idp);
  await useStreams(sdk, idp);
  await stepUp(sdk, idp, place, tenant.id);
  await replaceSecretAndErase(sdk, idp);
  await useWebhooks(sdk, idp);
  await transferUsers(sdk, idp, withToken);
  await manageTokens(sdk, idp, withToken);
  await operate(sdk, operator, tenant);
}
