/** What each scenario of the console gets. */
import { EdgeIdp } from "@edge-idp/sdk";
import type { Browser } from "playwright-core";
import { ConsolePage } from "./console-page.ts";

export interface ConsolePlace {
  readonly browser: Browser;
  readonly url: string;
  readonly operatorToken: string;
  readonly operator: EdgeIdp;
}

export interface TestTenant {
  readonly id: string;
  readonly token: string;
  readonly idp: EdgeIdp;
}

/** @returns problems */
export type Scenario = (place: ConsolePlace) => Promise<string[]>;

/** Creates a test tenant, with a client whose token is its first one. */
export async function createTenant({ url, operator }: ConsolePlace, name: string) {
  const { tenant, token } = await operator.tenants.create({ name, mode: "test" });
  const idp = new EdgeIdp({ url, token: token.secret });
  return { id: tenant.id, token: token.secret, idp } satisfies TestTenant;
}

/** Opens the console for a tenant, and closes it after the work. @returns problems, also those that the page shows */
export async function withConsole(
  { browser, url }: ConsolePlace,
  token: string,
  work: (opened: ConsolePage) => Promise<string[]>,
): Promise<string[]> {
  const opened = await ConsolePage.signedIn(browser, url, token);
  try {
    return [...(await work(opened)), ...opened.watch.problems];
  } finally {
    await opened.close();
  }
}
