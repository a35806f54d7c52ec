/**
 * Passkeys in Chromium: its own authenticators, the pages of examples/login with `@edge-idp/sdk/browser`, and the real
 * service. Nobody clicks a suggestion: an authenticator that needs no person takes it at once.
 */
import { EdgeIdp } from "@edge-idp/sdk";
import type { Browser } from "playwright-core";
import { LocalService } from "../e2e/local-service.ts";
import { LoginAppProcess } from "../e2e/login-app-process.ts";
import { copyProject } from "../e2e/project-copy.ts";
import { type BrowserPlace, root } from "./browser.ts";
import { LoginPage } from "./login-page.ts";
import type { Scenario } from "./passkey-place.ts";
import { scenarios } from "./passkey-scenarios.ts";

const maxWaitMs = 20_000;
/** An address that is always allowed in a test tenant: many new users from one address are a risk. */
const address = { "X-Forwarded-For": "192.0.2.1" };

interface Visit {
  readonly site: string;
  readonly name: string;
  readonly idp: EdgeIdp;
}

/** Signs a new user up, in a browser of their own. @returns problems; an error is one */
async function runScenario(
  scenario: Scenario,
  browser: Browser,
  { site, name, idp }: Visit,
): Promise<string[]> {
  const context = await browser.newContext({ extraHTTPHeaders: address });
  context.setDefaultTimeout(maxWaitMs);
  const page = await context.newPage();
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(`error: ${error}`));
  try {
    const user = await LoginPage.create(page, site, name);
    await user.signUp();
    return [...(await scenario({ user, idp })), ...errors];
  } catch (error) {
    return [String(error), page.url(), await page.locator("body").innerText(), ...errors];
  } finally {
    await context.close();
  }
}

export async function checkPasskeys({ browser, report, closing }: BrowserPlace): Promise<void> {
  const copy = copyProject(root);
  closing.push(async () => copy.remove());
  const service = await LocalService.create(copy);
  closing.push(() => service.close());
  await service.waitUntilReady();
  const app = await LoginAppProcess.create(copy.project, {
    CLIENT_ADDRESS_HEADER: "X-Forwarded-For",
  });
  closing.push(() => app.close());
  report.add("the login app starts", await app.waitUntilReady());

  const idp = new EdgeIdp({ url: service.url, token: service.demoToken });
  for (const [index, [title, scenario]] of scenarios.entries()) {
    const visit = { site: app.site, name: `user-${index}`, idp };
    report.add(`passkeys in Chromium: ${title}`, await runScenario(scenario, browser, visit));
  }
}
