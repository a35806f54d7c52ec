/** The rules of the delivery gate. */
import { describe, expect, it } from "vitest";
import {
  Admissions,
  type DeliveryOutcome,
  maxConcurrentDeliveries,
} from "../../../src/guard/delivery/admissions.ts";

const start = 1_000_000;

function guardsOf(tenantId: string, count: number) {
  return Array.from({ length: count }, (_, n) => ({ id: `${tenantId} ${n}`, tenantId }));
}

/** Admissions of which every one is taken by a guard of tenant `a`. */
function createFullGate() {
  const admissions = new Admissions();
  const admitted = guardsOf("a", maxConcurrentDeliveries);
  for (const guard of admitted) expect(admissions.enter(guard, start)).toBe(0);
  return { admissions, admitted };
}

describe("The delivery gate", () => {
  it("admits eight deliveries at once, and gives the others different times", () => {
    const { admissions } = createFullGate();
    const waits = guardsOf("b", 4).map((guard) => admissions.enter(guard, start));
    expect(waits).toEqual([10, 20, 30, 40]);
    expect(admissions.enter({ id: "later", tenantId: "b" }, start + 1_000)).toBe(10);
  });

  it.each<DeliveryOutcome>(["delivered", "failed", "moving"])(
    "admits another one after a delivery that was %s",
    (outcome) => {
      const { admissions, admitted } = createFullGate();
      const [guard] = admitted;
      if (guard !== undefined) admissions.leave(guard, outcome, start);
      const [first, second] = guardsOf("b", 2).map((other) => admissions.enter(other, start));
      expect([first, second]).toEqual([0, 10]);
    },
  );

  it("admits an object again that was interrupted, in its own place", () => {
    const { admissions, admitted } = createFullGate();
    const [guard] = admitted;
    expect(guard && admissions.enter(guard, start + 1)).toBe(0);
    expect(admissions.enter({ id: "other", tenantId: "b" }, start + 1)).toBe(10);
  });

  it("ends the admission of an object that was lost after a minute", () => {
    const { admissions } = createFullGate();
    const other = { id: "other", tenantId: "b" };
    expect(admissions.enter(other, start + 59_999)).toBeGreaterThan(0);
    expect(admissions.enter(other, start + 60_000)).toBe(0);
  });

  it("lets one guard of a moving tenant try every ten seconds, and other tenants at once", () => {
    const admissions = new Admissions();
    const [first, ...others] = guardsOf("moving", 4);
    if (first === undefined) throw new Error("There is no guard");
    expect(admissions.enter(first, start)).toBe(0);
    admissions.leave(first, "moving", start);
    const waits = others.map((guard) => admissions.enter(guard, start + 1_000));
    expect(waits).toEqual([9_010, 9_020, 9_030]);
    expect(admissions.enter({ id: "x", tenantId: "other" }, start + 1_000)).toBe(0);
    const admitted = others.map((guard, n) => admissions.enter(guard, start + 10_010 + n * 10));
    expect(admitted).toEqual([0, 10_000, 10_000]);
  });

  it("admits all guards of a tenant again after one of them has delivered", () => {
    const admissions = new Admissions();
    const [first, second, third] = guardsOf("moving", 3);
    if (first === undefined || second === undefined || third === undefined) return;
    admissions.enter(first, start);
    admissions.leave(first, "moving", start);
    expect(admissions.enter(second, start + 10_000)).toBe(0);
    expect(admissions.enter(third, start + 10_001)).toBeGreaterThan(0);
    admissions.leave(second, "delivered", start + 10_002);
    expect(admissions.enter(third, start + 10_003)).toBe(0);
  });
});
