/** One valid request to every route that has no scenario of its own. */
import { env } from "cloudflare:workers";
import { apiRoutes } from "../../src/app.ts";
import { send } from "../support/client.ts";
import { giveAttempt } from "../support/receiver.ts";
import { requestTo } from "../support/requests.ts";
import { createStream } from "../support/stream-receiver.ts";
import { sql } from "../support/trail.ts";
import { createUser, deliverAll, type Ready, type Scenario } from "./scenario.ts";

/** Prepares a tenant with a second token and one user, whose session was assessed once. */
async function prepare({ method, name, path, access }: Route): Promise<Ready> {
  const user = await createUser();
  const { tenant } = user;
  const { assessment_id } = await user.assess();
  await tenant.tokenWith(["idp:read"]);
  await deliverAll(user);
  const { body } = await tenant.send("GET", "/v1/tokens");
  // The tests' clock stands still, so the order of the tokens is random.
  const narrow = body.tokens.find((token: { name: string }) => token.name === "narrow");
  const events = await tenant.send("GET", "/v1/audit/events");
  await tenant.send("GET", "/v1/audit/checkpoint");
  const isAboutWebhook = path.startsWith("/v1/webhooks/:id");
  const attempt = isAboutWebhook ? await giveAttempt(tenant) : undefined;
  const stream = path.startsWith("/v1/audit/streams/:id")
    ? await createStream(tenant, { url: "https://siem.example.com" })
    : undefined;
  // A creation invalidates what is known of the token.
  if (stream !== undefined) await send("GET", "/v1/audit/streams", { token: tenant.token });
  const about = {
    tenantId: tenant.id,
    externalId: user.externalId,
    id: user.id,
    tokenId: narrow.id,
    eventId: attempt?.eventId ?? events.body.events[0].id,
    assessmentId: assessment_id,
    passkeyId: "",
    authenticatorId: "",
    deviceId: "",
    webhookId: attempt?.webhookId ?? "",
    streamId: stream?.id ?? "",
  };
  if (name === "deleteTenant") {
    await sql("UPDATE tenants SET status = 'suspended', suspended_at = 0 WHERE id = ?", tenant.id);
  }
  const request = access.kind === "public" ? { path } : requestTo(name, about);
  const ofTenant = access.kind === "idp:export" ? await tenant.allowExport() : tenant.token;
  // The settings have changed, and what is known of the token is read again.
  if (ofTenant !== tenant.token) await send("GET", "/v1/token", { token: ofTenant });
  const token = access.kind === "operator" ? env.OPERATOR_TOKEN : ofTenant;
  const call = { token, body: "body" in request ? request.body : undefined };
  const act = () => send(method.toUpperCase(), request.path, call);
  // The first request erases identities at the same time, so its number of round trips varies; the next one waits.
  if (name === "deleteTenant") await act();
  return { act };
}

type Route = (typeof apiRoutes)[number]["definition"];

function statusOf({ responses: answers }: Route): number {
  const [status] = Object.keys(answers);
  return Number(status);
}

export function createScenariosWithout(covered: readonly Scenario[]): Scenario[] {
  const names = new Set(covered.map(({ operation }) => operation));
  return apiRoutes
    .map(({ definition }) => definition)
    .filter(({ name }) => !names.has(name))
    .map((definition) => ({
      operation: definition.name,
      state: "warm",
      status: statusOf(definition),
      prepare: () => prepare(definition),
    }));
}
