/** Finds the tenant of a token or of a request, for the operator. */
import { EdgeIdp, IdpError } from "@edge-idp/sdk";
import { Failure } from "../failure.ts";
import type { Service } from "../service.ts";
import type { FoundTenant } from "./read-token.ts";

function operatorOf({ url, token }: Service): EdgeIdp {
  return new EdgeIdp({ url, token });
}

/** Undefined if the service does not know the tenant. */
async function findTenant(operator: EdgeIdp, tenantId: string) {
  return await operator.tenants.get(tenantId).catch((error: unknown) => {
    if (error instanceof IdpError && error.code === "not_found") return undefined;
    throw error;
  });
}

async function describeTenant(operator: EdgeIdp, tenantId: string): Promise<string> {
  const tenant = await findTenant(operator, tenantId);
  if (tenant === undefined) {
    return `Tenant  ${tenantId}, which this service does not have: it was deleted, or the token is of another service`;
  }
  const { id, name, mode, status } = tenant;
  return `Tenant  ${id} (${name}; ${mode}, ${status})`;
}

/** What the token may still do. It is sent to the service whose token it is, and to nobody else. */
async function describeToken(url: string, secret: string, tenantId: string): Promise<string> {
  try {
    const { id, permissions, expires_at } = await new EdgeIdp({ url, token: secret }).tokens.own();
    const end = expires_at === null ? "never expires" : `expires at ${expires_at}`;
    return [
      `Token   ${id}, which works: ${permissions.join(", ")}; it ${end}`,
      `Revoke  npx edge-idp tenants tokens revoke ${tenantId} ${id}`,
    ].join("\n");
  } catch (error) {
    if (!(error instanceof IdpError)) throw error;
    if (error.code === "invalid_token")
      return "Token   does not work: it was revoked, has expired, or never existed";
    if (error.code === "tenant_suspended")
      return "Token   does not work while the tenant is suspended; revoke it all the same";
    throw error;
  }
}

/** @param secret the whole token; undefined if only its beginning is known */
export async function describeTokenOwner(
  service: Service,
  { tenantId, mode }: FoundTenant,
  secret: string | undefined,
): Promise<string> {
  const tenant = await describeTenant(operatorOf(service), tenantId);
  const token =
    secret === undefined
      ? `Token   of a ${mode} tenant; the whole token says which one it is: GET /v1/tenants/${tenantId}/tokens lists them`
      : await describeToken(service.url, secret, tenantId);
  return `${tenant}\n${token}`;
}

/** @throws Failure if the request has left no event */
export async function describeRequest(service: Service, requestId: string): Promise<string> {
  const operator = operatorOf(service);
  try {
    const { begun_at, events } = await operator.tenants.findRequest(requestId);
    const ids = [...new Set(events.map(({ tenant_id }) => tenant_id))];
    const tenants = await Promise.all(ids.map((id) => describeTenant(operator, id)));
    const shown = events.map(
      ({ id, action, outcome, reason }) =>
        `Event   ${id} ${action} ${outcome}${reason === null ? "" : ` (${reason})`}`,
    );
    return [...tenants, `Begun   ${begun_at}`, ...shown].join("\n");
  } catch (error) {
    if (!(error instanceof IdpError) || error.code !== "not_found") throw error;
    throw new Failure(
      "No event has this request id. It may only have read, be of a test clock, or its guard may not have delivered yet: look for the id in the log, whose request_failed names the tenant.",
    );
  }
}
