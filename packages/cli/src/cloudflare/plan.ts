/** The Workers plan of an account, and what it means for the service. */
import { z } from "zod";
import { type CloudflareApi, CloudflareError } from "./api.ts";

export type Plan = "paid" | "free";

const subscriptionSchema = z.object({
  rate_plan: z.object({ id: z.string().nullish(), public_name: z.string().nullish() }).nullish(),
});

/** The names of Workers plans begin so; a plan of a reseller may have more behind it. */
const paidPlan = /^workers[_-](?:paid|enterprise|standard)/i;

/** Undefined if the login may not read subscriptions, as that of `wrangler login`. */
export async function findPlan(api: CloudflareApi, accountId: string): Promise<Plan | undefined> {
  try {
    const subscriptions = await api.list(
      `/accounts/${accountId}/subscriptions`,
      subscriptionSchema,
    );
    const isPaid = subscriptions.some(({ rate_plan: plan }) => paidPlan.test(plan?.id ?? ""));
    return isPaid ? "paid" : "free";
  } catch (error) {
    if (error instanceof CloudflareError && [401, 403].includes(error.status)) return undefined;
    throw error;
  }
}

export function describePlan(plan: Plan | undefined): string {
  switch (plan) {
    case "paid":
      return "Workers Paid: databases of up to 10 GB, and a restore to any minute of the last 30 days";
    case "free":
      return "Workers Free, for trials: 100,000 requests a day, 10 ms of processor time for each, databases of up to 500 MB, a restore within 7 days, and no queue";
    case undefined:
      return "not readable with this login, so it counts as Workers Paid; --plan free says otherwise";
  }
}
