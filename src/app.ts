/** The application: its middleware and its routes. */
import { Hono } from "hono";
import { assessmentRoutes } from "./api/assessments.ts";
import { auditBundleRoutes } from "./api/audit-bundle.ts";
import { auditEventRoutes } from "./api/audit-events.ts";
import { auditProofRoutes } from "./api/audit-proofs.ts";
import { authenticatorRoutes } from "./api/authenticators.ts";
import { deviceRoutes } from "./api/devices.ts";
import { createDocumentRoutes } from "./api/docs.ts";
import { feedRoutes } from "./api/feeds.ts";
import { createHealthRoutes } from "./api/health.ts";
import { keyRoutes } from "./api/keys.ts";
import { otpRoutes } from "./api/otp.ts";
import { passkeyLoginRoutes } from "./api/passkey-login.ts";
import { passkeyRoutes } from "./api/passkeys.ts";
import { relocationRoutes } from "./api/relocation.ts";
import { requestRoutes } from "./api/requests.ts";
import { sentinelRoutes } from "./api/sentinel.ts";
import { serviceHealthRoutes } from "./api/service-health.ts";
import { sessionHistoryRoutes } from "./api/session-history.ts";
import { settingsRoutes } from "./api/settings.ts";
import { statisticsRoutes } from "./api/statistics.ts";
import { stepUpRoutes } from "./api/step-up-keys.ts";
import { streamRoutes } from "./api/streams.ts";
import { tenantDeletionRoutes } from "./api/tenant-deletion.ts";
import { tenantTokenRoutes } from "./api/tenant-tokens.ts";
import { tenantRoutes } from "./api/tenants.ts";
import { tokenRoutes } from "./api/tokens.ts";
import { usageRoutes } from "./api/usage.ts";
import { userTransferRoutes } from "./api/user-transfer.ts";
import { identityRoutes } from "./api/users.ts";
import { webhookRoutes } from "./api/webhooks.ts";
import { createId } from "./crypto/id.ts";
import { requireConfiguration } from "./http/configuration.ts";
import { onError, onNotFound, refuseOtherMethods } from "./http/error-response.ts";
import { requireValidEncoding } from "./http/percent-encoding.ts";
import type { AppEnv } from "./http/request-context.ts";

/** Responds even while the configuration is invalid: the process is alive. */
const livenessPath = "/healthz";

/** The operations of the API, in the order of the OpenAPI document. */
export const apiRoutes = [
  ...identityRoutes,
  ...userTransferRoutes,
  ...otpRoutes,
  ...authenticatorRoutes,
  ...passkeyRoutes,
  ...passkeyLoginRoutes,
  ...deviceRoutes,
  ...stepUpRoutes,
  ...sentinelRoutes,
  ...sessionHistoryRoutes,
  ...assessmentRoutes,
  ...feedRoutes,
  ...auditEventRoutes,
  ...auditProofRoutes,
  ...auditBundleRoutes,
  ...statisticsRoutes,
  ...webhookRoutes,
  ...streamRoutes,
  ...tenantRoutes,
  ...tenantDeletionRoutes,
  ...tenantTokenRoutes,
  ...usageRoutes,
  ...tokenRoutes,
  ...settingsRoutes,
  ...relocationRoutes,
  ...keyRoutes,
  ...requestRoutes,
  ...serviceHealthRoutes,
  ...createHealthRoutes(livenessPath),
];

export function createApp(): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.onError(onError);
  app.notFound(onNotFound);
  app.use(async (c, next) => {
    c.set("requestId", createId(Date.now()));
    await next();
  });
  app.use(requireConfiguration(livenessPath));
  app.use(requireValidEncoding);
  for (const route of [...apiRoutes, ...createDocumentRoutes(apiRoutes)]) route.mount(app);
  refuseOtherMethods(app);
  return app;
}
