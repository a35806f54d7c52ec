/** The application: the order of middleware, and the routes of every feature. */
import { Hono } from "hono";
import { assessmentRoutes } from "./api/assessments.ts";
import { auditRoutes } from "./api/audit-events.ts";
import { treeRoutes } from "./api/audit-proofs.ts";
import { documentRoutes } from "./api/docs.ts";
import { feedRoutes } from "./api/feeds.ts";
import { healthRoutes } from "./api/health.ts";
import { keyRoutes } from "./api/keys.ts";
import { otpRoutes } from "./api/otp.ts";
import { relocationRoutes } from "./api/relocation.ts";
import { sentinelRoutes } from "./api/sentinel.ts";
import { settingsRoutes } from "./api/settings.ts";
import { tenantRoutes } from "./api/tenants.ts";
import { tokenRoutes } from "./api/tokens.ts";
import { identityRoutes } from "./api/users.ts";
import { createId } from "./crypto/id.ts";
import { type Config, configOf } from "./env.ts";
import { AppError } from "./errors.ts";
import { reportRefusal } from "./guard/refusal-log/report.ts";
import { notFound, onError, refuseOtherMethods } from "./http/errors.ts";
import type { AppEnv } from "./http/exchange.ts";
import { hasMatchingKeys, findKeyProblems } from "./keys/key-check.ts";
import { log } from "./log.ts";
import { resolveToken } from "./tenancy/resolve-token.ts";

/** Answers even when the configuration is broken: the process is alive. */
const livenessPath = "/healthz";

/** The operations of the API, in the order in which they are documented. */
export const apiRoutes = [
  ...identityRoutes,
  ...otpRoutes,
  ...sentinelRoutes,
  ...assessmentRoutes,
  ...feedRoutes,
  ...auditRoutes,
  ...treeRoutes,
  ...tenantRoutes,
  ...tokenRoutes,
  ...settingsRoutes,
  ...relocationRoutes,
  ...keyRoutes,
  ...healthRoutes(livenessPath),
];

function notConfigured(): AppError {
  return new AppError("unavailable", {
    sentence: "The service is not configured; its operator finds the reason in the log.",
  });
}

/** Undefined where it is known that they do. @throws AppError `unavailable` where data needs another key */
function keysFit(env: Env, config: Config): Promise<void> | undefined {
  if (hasMatchingKeys(config)) return undefined;
  const checked = findKeyProblems(env, config, Date.now()).then((problems) => {
    if (problems.length > 0) throw notConfigured();
  });
  // Whoever does not get to wait for it has another error to tell.
  checked.catch(() => {});
  return checked;
}

export function createApp(): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.onError(onError);
  app.notFound(notFound);
  app.use(async (c, next) => {
    c.set("requestId", createId(Date.now()));
    const configured = configOf(c.env);
    if (c.req.path !== livenessPath) {
      if (!configured.ok) {
        log("error", "configuration_invalid", { problems: configured.problems });
        throw notConfigured();
      }
      // Goes on beside the check of the token; the route waits for it before it does anything.
      c.set("keysFit", keysFit(c.env, configured.config));
    }
    if (configured.ok) c.set("config", configured.config);
    await next();
  });
  const services = { resolveToken, reportRefusal };
  for (const route of [...apiRoutes, ...documentRoutes(apiRoutes)]) route.mount(app, services);
  refuseOtherMethods(app);
  return app;
}
