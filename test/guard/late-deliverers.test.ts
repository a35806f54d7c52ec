import { expect, it } from "vitest";
import { LateDeliverers } from "../../src/guard/delivery/late-deliverers.ts";

const minuteMs = 60_000;
const deliverer = (id: string, failingSince: number | null = null) => ({
  id,
  tenantId: "t",
  failingSince,
});

it("Late deliverers are counted, each once, with the time of the first failure", () => {
  const late = new LateDeliverers();
  late.see(deliverer("a", 500), 1_000);
  late.see(deliverer("b", 300), 1_000);
  late.see(deliverer("a", 500), 2_000);
  expect(late.report(2_000)).toEqual({ count: 2, since: 300 });
  late.remove(deliverer("b"));
  expect(late.report(2_000)).toEqual({ count: 1, since: 500 });
});

it("A deliverer that does not know since when it fails is counted without a time", () => {
  const late = new LateDeliverers();
  late.see(deliverer("a"), 0);
  expect(late.report(0)).toEqual({ count: 1, since: null });
});

it("A deliverer that has not come back for half an hour is not counted", () => {
  const late = new LateDeliverers();
  late.see(deliverer("a", 0), 0);
  late.see(deliverer("b", 0), 20 * minuteMs);
  expect(late.report(31 * minuteMs)).toEqual({ count: 1, since: 0 });
});

it("At most ten thousand are counted, and those that are known stay", () => {
  const late = new LateDeliverers();
  for (let n = 0; n < 10_001; n += 1) late.see(deliverer(String(n), n), n);
  late.see(deliverer("0", 0), 20_000);
  expect(late.report(20_000)).toEqual({ count: 10_000, since: 0 });
});
