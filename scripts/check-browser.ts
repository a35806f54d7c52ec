/**
 * `npm run check:browser`: opens pages in Chromium and checks what they do. The checks are in test/browser. They need
 * the built packages and a `chromium` that the machine has.
 */
import {
  type BrowserCheck,
  type BrowserPlace,
  browserName,
  startBrowser,
} from "../test/browser/browser.ts";
import { checkConsole } from "../test/browser/console.ts";
import { checkPasskeys } from "../test/browser/passkeys.ts";
import { checkReference } from "../test/browser/reference.ts";
import { checkTrailVerifier } from "../test/browser/verify-trail.ts";
import { runBounded } from "../test/e2e/bounded-check.ts";
import { Report } from "../test/e2e/report.ts";
import { hasTools } from "../test/e2e/tools.ts";
import { runScript } from "./support/run-script.ts";

const timeLimitMs = 900_000;

const checks: readonly BrowserCheck[] = [
  checkReference,
  checkTrailVerifier,
  checkPasskeys,
  checkConsole,
];

class Check {
  readonly #report: Report;
  readonly #closing: BrowserPlace["closing"] = [];

  constructor(report: Report) {
    this.#report = report;
  }

  async run(): Promise<void> {
    if (!hasTools(this.#report, "the pages in a browser", [browserName])) return;
    const browser = await startBrowser();
    this.#closing.push(() => browser.close());
    for (const check of checks) {
      await check({ browser, report: this.#report, closing: this.#closing });
    }
  }

  async close(): Promise<void> {
    for (const end of this.#closing.toReversed()) await end();
  }
}

async function main(): Promise<number> {
  const report = new Report();
  await runBounded(report, new Check(report), timeLimitMs);
  return report.finish();
}

await runScript(main);
process.exit();
