/** The Worker: its handlers and its Durable Object classes. */
import { createApp } from "./app.ts";
import { isConfigured } from "./env.ts";
import { requestRecord } from "./guard/client.ts";
import { consumeDeliveries } from "./guard/delivery/consumer.ts";
import { onSchedule } from "./scheduled.ts";

export { PersonalKeys } from "./audit/personal-keys/personal-keys.ts";
export { DestinationFollower } from "./destinations/follower.ts";
export { DeliveryGate } from "./guard/delivery/delivery-gate.ts";
export { IdentityGuard } from "./guard/identity-guard.ts";
export { RefusalLog } from "./guard/refusal-log/refusal-log.ts";
export { PrefixWatch } from "./sentinel/activity/prefix-watch.ts";
export { TenantWatch } from "./sentinel/activity/tenant-watch.ts";
export { ExportRegister } from "./tenancy/export-register.ts";
export { TokenRegister } from "./tenancy/token-register.ts";

const app = createApp();

export default {
  fetch: app.fetch,
  async queue(batch, env) {
    if (!isConfigured(env)) return batch.retryAll();
    await consumeDeliveries(env, batch, (owner) => requestRecord(env, owner), Date.now());
  },
  async scheduled(controller, env) {
    await onSchedule(env, controller.cron, controller.scheduledTime);
  },
} satisfies ExportedHandler<Env>;
