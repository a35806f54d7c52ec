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
import { type Place, scenarios } from "./passkey-scenarios.ts";

/** A user with an authenticator app, who is in the account, in a browser of their own. */
async function createUser(browser: Browser, site: string, name: string): Promise<LoginPage> {
  const context = await browser.newContext();
  context.setDefaultTimeout(10_000);
  const user = await LoginPage.create(await context.newPage(), site, name);
  await user.signUp();
  return user;
}

/** @returns problems; an error is one */
async function runScenario(
  scenario: (place: Place) => Promise<string[]>,
  browser: Browser,
  place: { readonly site: string; readonly name: string; readonly idp: EdgeIdp },
): Promise<string[]> {
  const user = await createUser(browser, place.site, place.name);
  const errors: string[] = [];
  user.page.on("pageerror", (error) => errors.push(`error: ${error}`));
  try {
    return [...(await scenario({ user, idp: place.idp })), ...errors];
  } catch (error) {
    return [String(error), await user.page.locator("body").innerText(), ...errors];
  } finally {
    await user.page.context().close();
  }
}

export async function checkPasskeys({ browser, report, closing }: BrowserPlace): Promise<void> {
  const copy = copyProject(root);
  closing.push(async () => copy.remove());
  const service = await LocalService.create(copy);
  closing.push(() => service.close());
  await service.waitUntilReady();
  const app = await LoginAppProcess.create(copy.project);
  closing.push(() => app.close());
  report.add("the login app starts", await app.waitUntilReady());

  const idp = new EdgeIdp({ url: service.url, token: service.demoToken });
  for (const [index, [title, scenario]] of scenarios.entries()) {
    const place = { site: app.site, name: `user-${index}`, idp };
    report.add(`passkeys in Chromium: ${title}`, await runScenario(scenario, browser, place));
  }
}
