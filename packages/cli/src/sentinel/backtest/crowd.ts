/** Counts the users tried from an address and its block within ten minutes, as the prefix watch does (pure). */
import type { Crowd } from "../../../../../src/sentinel/evidence.ts";

const windowMs = 10 * 60 * 1000;

interface Attempt {
  readonly at: number;
  readonly address: string;
  readonly user: string;
}

export class CrowdCounter {
  readonly #byPrefix = new Map<string, Attempt[]>();
  #sweptAt = Number.NEGATIVE_INFINITY;

  /** Counts the attempt, and those before it. Attempts come in the order of time. */
  count(prefix: string, attempt: Attempt): Crowd {
    this.#sweep(attempt.at);
    const earlier = (this.#byPrefix.get(prefix) ?? []).filter(
      ({ at }) => at > attempt.at - windowMs,
    );
    const attempts = [...earlier, attempt];
    this.#byPrefix.set(prefix, attempts);
    const usersOf = (some: readonly Attempt[]) => new Set(some.map(({ user }) => user)).size;
    return {
      fromAddress: usersOf(attempts.filter(({ address }) => address === attempt.address)),
      fromPrefix: usersOf(attempts),
    };
  }

  /** Forgets blocks without recent attempts. */
  #sweep(at: number): void {
    if (at - this.#sweptAt < windowMs) return;
    this.#sweptAt = at;
    for (const [prefix, attempts] of this.#byPrefix) {
      if ((attempts.at(-1)?.at ?? 0) <= at - windowMs) this.#byPrefix.delete(prefix);
    }
  }
}
