/**
 * What guards do after an outage of D1, as a discrete-event model of the service's own rules: they are imported,
 * so that the model cannot differ from them. D1, the network and the platform are modelled.
 *
 * D1 runs one batch at a time, in the order of arrival, and refuses what has waited for ten seconds. Guards have
 * failed during an outage; then D1 works again, and API requests look tokens up in it all the time.
 */
import { deliveryTimeoutMs, requestTimeoutMs } from "../../src/db/client.ts";
import { Admissions } from "../../src/guard/delivery/admissions.ts";
import { shareWithoutGate } from "../../src/guard/delivery/delivery-alarm.ts";
import { computeRetryDelay } from "../../src/retry-delay.ts";
import { Random } from "../sentinel/random.ts";
import { EventQueue } from "./event-queue.ts";

/** The queue of D1: https://developers.cloudflare.com/d1/platform/limits/ does not say how long it is. */
const maxWaitMs = 10_000;
const outageMs = 60_000;
/** Assumed: how long the outage lasts, and a round trip from a guard to D1, and one to the gate. */
const databaseTripMs = 50;
const gateTripMs = 20;
const lookupsPerSecond = 10;
const lookupMs = 1;
/** One object handles about a thousand requests a second; more are refused. */
const maxGateCallsPerSecond = 1_000;
const maxHours = 4;

export interface Scenario {
  readonly guards: number;
  readonly batchMs: number;
  /** The gate is evicted this often, and loses what it knows; 0: never. */
  readonly gateLifetimeMs: number;
  /** Whether the tenant moves during the outage: D1 answers, and refuses. */
  readonly isMove: boolean;
}

interface Asked {
  readonly at: number;
  readonly serviceMs: number;
  readonly answer: (isCarriedOut: boolean) => void;
}

/** D1: carries out one request at a time. */
class ModelDatabase {
  readonly #events: EventQueue;
  readonly #waiting: Asked[] = [];
  #head = 0;
  #isBusy = false;
  requests = 0;

  constructor(events: EventQueue) {
    this.#events = events;
  }

  ask(serviceMs: number, answer: Asked["answer"]): void {
    this.requests += 1;
    this.#waiting.push({ at: this.#events.now, serviceMs, answer });
    if (!this.#isBusy) this.#next();
  }

  #next(): void {
    for (let one = this.#waiting[this.#head]; one !== undefined; one = this.#waiting[this.#head]) {
      this.#head += 1;
      if (this.#events.now - one.at <= maxWaitMs) {
        this.#isBusy = true;
        const { answer } = one;
        this.#events.schedule(one.serviceMs, () => {
          answer(true);
          this.#next();
        });
        return;
      }
      one.answer(false);
    }
    this.#isBusy = false;
  }
}

/** The gate, with the number of calls that one object can take. */
class ModelGate {
  readonly #events: EventQueue;
  #admissions = new Admissions();
  #second = 0;
  #calls = 0;
  maxCallsPerSecond = 0;

  constructor(events: EventQueue, lifetimeMs: number) {
    this.#events = events;
    const evict = () => {
      this.#admissions = new Admissions();
      events.schedule(lifetimeMs, evict);
    };
    if (lifetimeMs > 0) events.schedule(lifetimeMs, evict);
  }

  /** @returns undefined if the gate is overloaded */
  call<T>(work: (admissions: Admissions, now: number) => T): T | undefined {
    const second = Math.floor(this.#events.now / 1000);
    this.#calls = second === this.#second ? this.#calls + 1 : 1;
    this.#second = second;
    this.maxCallsPerSecond = Math.max(this.maxCallsPerSecond, this.#calls);
    return this.#calls > maxGateCallsPerSecond
      ? undefined
      : work(this.#admissions, this.#events.now);
  }
}

export function runScenario({ guards, batchMs, gateLifetimeMs, isMove }: Scenario) {
  const events = new EventQueue();
  const random = new Random("outage");
  const database = new ModelDatabase(events);
  const gate = new ModelGate(events, gateLifetimeMs);
  let delivered = 0;
  let triesInOutage = 0;
  const lookups = { answered: 0, failed: 0 };

  /** Tries to deliver once, as `fileDelivery` does. */
  const tryDelivery = (done: (outcome: "delivered" | "failed" | "moving") => void) => {
    const isOut = events.now < outageMs;
    if (isOut) triesInOutage += 1;
    if (isOut) {
      events.schedule(databaseTripMs, () => done(isMove ? "moving" : "failed"));
      return;
    }
    let isSettled = false;
    const settle = (isCarriedOut: boolean) => {
      if (isSettled) return;
      isSettled = true;
      done(isCarriedOut ? "delivered" : "failed");
    };
    events.schedule(deliveryTimeoutMs, () => settle(false));
    events.schedule(databaseTripMs / 2, () =>
      database.ask(batchMs, (isCarriedOut) =>
        events.schedule(databaseTripMs / 2, () => settle(isCarriedOut)),
      ),
    );
  };

  /** The retry alarm of one guard (`DeliveryAlarm`). */
  const startGuard = (id: string) => {
    const deliverer = { id, tenantId: isMove ? "moving" : id };
    let failures = 0;
    const attempt = (mustLeave: boolean) =>
      tryDelivery((outcome) => {
        if (mustLeave) {
          events.schedule(gateTripMs / 2, () =>
            gate.call((admissions, now) => admissions.leave(deliverer, outcome, now)),
          );
        }
        if (outcome === "delivered") delivered += 1;
        else {
          failures += 1;
          events.schedule(computeRetryDelay(failures, random.next()), onAlarm);
        }
      });
    const onAlarm = () => {
      events.schedule(gateTripMs, () => {
        const waitMs = gate.call((admissions, now) => admissions.enter(deliverer, now));
        if (waitMs === 0) attempt(true);
        else if (waitMs !== undefined) events.schedule(waitMs, onAlarm);
        else if (random.next() < shareWithoutGate) attempt(false);
        else {
          failures += 1;
          events.schedule(computeRetryDelay(failures, random.next()), onAlarm);
        }
      });
    };
    attempt(false);
  };

  for (let n = 0; n < guards; n += 1) {
    events.schedule(random.next() * outageMs, () => startGuard(`guard ${n}`));
  }
  const lookUp = () => {
    const at = events.now;
    database.ask(lookupMs, (isCarriedOut) => {
      const isInTime = isCarriedOut && events.now - at + databaseTripMs <= requestTimeoutMs;
      if (isInTime) lookups.answered += 1;
      else lookups.failed += 1;
    });
    events.schedule(1000 / lookupsPerSecond, lookUp);
  };
  events.schedule(outageMs, lookUp);
  events.run(() => delivered < guards && events.now < maxHours * 3_600_000);
  const deliveries = database.requests - lookups.answered - lookups.failed;
  return {
    /** Tries to deliver, a second, while the outage lasted; without the first of each guard. */
    retriesPerSecond: (triesInOutage - guards) / (outageMs / 1000),
    /** From the end of the outage. */
    drainedAfterSeconds: delivered === guards ? (events.now - outageMs) / 1000 : undefined,
    undelivered: guards - delivered,
    batchesPerDelivery: deliveries / guards,
    lookupsFailed: lookups.failed / Math.max(1, lookups.failed + lookups.answered),
    maxGateCallsPerSecond: gate.maxCallsPerSecond,
  };
}
