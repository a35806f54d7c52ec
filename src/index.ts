/** The Worker. */
import { createApp } from "./app.ts";
import { tidyUp } from "./tidy-up.ts";

export { IdentityGuard } from "./guard/identity-guard.ts";

const app = createApp();

export default {
  fetch: app.fetch,
  async scheduled(controller, env) {
    await tidyUp(env, controller.scheduledTime);
  },
} satisfies ExportedHandler<Env>;
