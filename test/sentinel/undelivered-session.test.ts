import { afterEach, beforeEach, expect, it } from "vitest";
import { Tenant, User } from "../support/client.ts";
import { holdDeliveries } from "../support/held-deliveries.ts";

let freeDeliveries: () => void;

beforeEach(async () => {
  freeDeliveries = await holdDeliveries();
});
afterEach(() => freeDeliveries());

it("A verdict finds a session that the history has already dropped and that is not in D1 yet", async () => {
  const user = await User.provision(await Tenant.create("test"));
  const { assessment_id: first } = await user.assess();
  // More than fifty sessions without a verdict push the first one out.
  for (let n = 0; n < 51; n += 1) await user.assess();
  const { status } = await user.tenant.send("POST", "/v1/sentinel/feedback", {
    feedback: { assessment_id: first, outcome: "fraud" },
  });
  expect(status).toBe(204);
});
