/** What no page may do, and how checks state what they expect. */
import type { Page } from "playwright-core";

/** A condition, and what is wrong if it does not hold. */
export type Expectation = readonly [holds: boolean, problem: string];

export function findProblems(...expectations: readonly Expectation[]): string[] {
  return expectations.flatMap(([holds, problem]) => (holds ? [] : [problem]));
}

/** The browser itself notes each answer that is no success, also one that the page expects. */
const refusedAnswer = /^Failed to load resource: the server responded with a status of [45]\d\d/;

/** Collects what no page may do, from its first request on. */
export class Watch {
  readonly #problems = new Set<string>();
  readonly #origin: string;
  /** Whether the page makes requests that the service refuses. */
  readonly #expectsRefusals: boolean;

  constructor(page: Page, origin: string, { expectsRefusals = false } = {}) {
    this.#origin = origin;
    this.#expectsRefusals = expectsRefusals;
    page.on("request", (request) => this.#noteHost(request.url()));
    page.on("pageerror", (error) => this.#problems.add(`error: ${error}`));
    // A refusal by the Content-Security-Policy is an error of the console too.
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.#noteMessage(message.text());
    });
  }

  get problems(): string[] {
    return [...this.#problems];
  }

  #noteMessage(text: string): void {
    if (!this.#expectsRefusals || !refusedAnswer.test(text)) this.#problems.add(text);
  }

  #noteHost(url: string): void {
    const { origin, protocol } = new URL(url);
    const isOwn = origin === this.#origin || protocol === "data:" || protocol === "blob:";
    if (!isOwn) this.#problems.add(`request to ${url}`);
  }
}
