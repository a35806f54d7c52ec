/** The Worker. */
import { createApp } from "./app.ts";
import { onDeliveries } from "./guard/delivery/queue.ts";
import { onSchedule } from "./scheduled.ts";

export { IdentityGuard } from "./guard/identity-guard.ts";
export { PrefixWatch } from "./sentinel/activity/prefix-watch.ts";
export { RefusalLog } from "./guard/refusal-log/refusal-log.ts";
export { TokenRegister } from "./tenancy/token-register.ts";

const app = createApp();

export default {
  fetch: app.fetch,
  async queue({ messages }, env) {
    await onDeliveries(env, messages, Date.now());
  },
  async scheduled(controller, env) {
    await onSchedule(env, controller.cron, controller.scheduledTime);
  },
} satisfies ExportedHandler<Env>;
