/** The configuration of the isolate, checked for every request. */
import { type Config, configOf, isConfigured } from "../env.ts";
import { AppError } from "../errors.ts";
import { findKeyProblems, hasMatchingKeys } from "../keys/key-check.ts";
import type { Step } from "./request-context.ts";

function createNotConfigured(causeName: "configuration_invalid" | "keys_do_not_fit"): AppError {
  return new AppError("unavailable", {
    message: "The service is not configured; its log states the reason.",
    causeName,
  });
}

/**
 * Checks that the keys fit the stored data. Undefined if an earlier request has shown that they do.
 * @throws AppError `unavailable` if the data needs another key
 */
function checkKeys(env: Env, config: Config): Promise<void> | undefined {
  if (hasMatchingKeys(config)) return undefined;
  const checked = findKeyProblems(env, config, Date.now()).then((problems) => {
    if (problems.length > 0) throw createNotConfigured("keys_do_not_fit");
  });
  // A request that fails before it awaits the check must not leave an unhandled rejection.
  checked.catch(() => {});
  return checked;
}

/**
 * Refuses every request while the configuration is invalid, except for liveness: the process is alive.
 * The check of the keys continues beside authentication; `awaitKeyCheck` waits for it.
 */
export function requireConfiguration(livenessPath: string): Step {
  return async (c, next) => {
    const configured = configOf(c.env);
    if (c.req.path !== livenessPath) {
      if (!isConfigured(c.env) || !configured.ok) {
        throw createNotConfigured("configuration_invalid");
      }
      const keyCheck = checkKeys(c.env, configured.config);
      if (keyCheck !== undefined) c.set("keyCheck", keyCheck);
    }
    if (configured.ok) c.set("config", configured.config);
    await next();
  };
}

/** @throws AppError `unavailable` */
export const awaitKeyCheck: Step = async (c, next) => {
  await c.get("keyCheck");
  await next();
};
