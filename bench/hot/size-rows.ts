/** The rows that compare tenants of different sizes. */
import type { Series } from "./measure.ts";
import type { Stage } from "./stage.ts";
import type { Prepare } from "./subject.ts";
import type { BenchTenants } from "./tenant.ts";

/**
 * A tenant of one size is alone with its requests. With bursts of this length it stays below five hundred requests in
 * ten seconds, above which the isolate asks the rate limiter.
 */
const maxAlone = 25;

/** One operation at each size, smallest first. */
export interface SizeRow {
  readonly name: string;
  /** The requests without delivery, which runs during the next burst. */
  readonly request: readonly Series[];
  /** With delivery; absent if none follows. */
  readonly whole?: readonly Series[];
  /** Whether it makes the tenants larger and must come last. */
  readonly grows: boolean;
}

/** One user alone, one request after the other, so that only the size differs. */
export function createSizeRows({ sizes }: Stage): SizeRow[] {
  const alone = (
    name: string,
    prepareOf: (tenant: BenchTenants) => Prepare,
    { follows = false, grows = false } = {},
  ): SizeRow => {
    const lines = (rests: boolean) =>
      sizes.map(({ ours, tenant }): Series => {
        return {
          subject: ours,
          prepare: prepareOf(tenant),
          concurrency: 1,
          maxRequests: maxAlone,
          hasDelivery: follows,
          waitsForDelivery: rests,
        };
      });
    return { name, grows, request: lines(false), ...(follows ? { whole: lines(true) } : {}) };
  };
  return [
    alone("verify, right code", (tenant) => tenant.right("one"), { follows: true }),
    alone("profile", (tenant) => tenant.profile("one")),
    alone("discover", (tenant) => tenant.discover("one"), { follows: true }),
    alone("provision", (tenant) => tenant.provision(), { grows: true }),
  ];
}
