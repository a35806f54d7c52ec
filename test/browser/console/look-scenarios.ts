/** How every page looks: for a screen reader, in both themes, on a phone, with hostile names, and while things fail. */
import { gzipSync } from "node:zlib";
import axe from "axe-core";
import type { Page } from "playwright-core";
import { findProblems } from "../watch.ts";
import { ConsolePage } from "./console-page.ts";
import { type ConsolePlace, createTenant, type Scenario, withConsole } from "./console-place.ts";
import { createDemoTenant } from "./demo-data.ts";
import { findOverflow, phoneWidth } from "./phone.ts";

const maxFirstLoadKib = 250;

/** The places of a tenant, and of the operator. */
export const tenantPlaces = [
  ...["/overview", "/users", "/user?id=ada.adler", "/risk", "/risk/thresholds", "/trail"],
  ...["/trail/verify", "/tokens", "/settings", "/destinations"],
];
export const operatorPlaces = ["/tenants", "/keys", "/feeds", "/health"];

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
  }[];
}

/** What axe finds on the page as it is. */
async function findViolations(page: Page, where: string): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations }: AxeResult = await page.evaluate(
    async () => await Object(globalThis).axe.run(),
  );
  return violations.map(({ id, nodes: [first] }) => {
    return `${where}: ${id}: ${first?.html} ${first?.failureSummary}`;
  });
}

async function lookAt(
  { browser, url }: ConsolePlace,
  token: string,
  places: readonly string[],
): Promise<string[]> {
  const problems: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    const opened = await ConsolePage.open(browser, url, { colorScheme });
    problems.push(...(await findViolations(opened.page, `sign-in, ${colorScheme}`)));
    await opened.signIn(token);
    for (const place of places) {
      await opened.page.setViewportSize({ width: 1280, height: 900 });
      await opened.goTo(place);
      problems.push(...(await findViolations(opened.page, `${place}, ${colorScheme}`)));
      await opened.page.setViewportSize({ width: phoneWidth, height: 800 });
      problems.push(...(await findOverflow(opened.page, place)));
    }
    problems.push(...opened.watch.problems);
    await opened.close();
  }
  return problems;
}

const accessible: Scenario = async (place) => {
  const { token } = await createDemoTenant(place);
  return [
    ...(await lookAt(place, token, tenantPlaces)),
    ...(await lookAt(place, place.operatorToken, operatorPlaces)),
  ];
};

/** Each dialog, in both themes. */
const accessibleDialogs: Scenario = async (place) => {
  const { token, idp } = await createTenant(place, "Dialogs");
  await idp.users.provision("ada");
  await idp.sentinel.assess("ada", { ip: "192.0.2.3", ua: "Mozilla/5.0" });
  const dialogs = [
    ["/users", "Add a user"],
    ["/user?id=ada", "Set up the app"],
    ["/user?id=ada", "Erase"],
    ["/risk", "Explain"],
    ["/trail", /^Show/],
    ["/tokens", "Create a token"],
    ["/destinations", "Add a stream"],
  ] as const;
  const problems: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    const options = { colorScheme };
    const opened = await ConsolePage.signedIn(place.browser, place.url, token, options);
    for (const [where, button] of dialogs) {
      await opened.goTo(where);
      await opened.press(button);
      await opened.dialog.waitFor();
      problems.push(...(await findViolations(opened.page, `${where} ${button}, ${colorScheme}`)));
      await opened.page.keyboard.press("Escape");
      await opened.dialog.waitFor({ state: "detached" });
    }
    problems.push(...opened.watch.problems);
    await opened.close();
  }
  return problems;
};

/** The bytes that a browser loads until the first page is there, as a server with gzip sends them. */
const firstLoad: Scenario = async (place) => {
  const { token } = await createTenant(place, "Budget");
  return await withConsole(place, token, async (opened) => {
    await opened.waitUntilLoaded();
    const addresses: string[] = await opened.page.evaluate(() => {
      const { performance, location } = Object(globalThis);
      const resources: { name: string }[] = performance.getEntriesByType("resource");
      return [location.href, ...resources.map(({ name }) => name)];
    });
    const files = addresses.filter((address) => /\/console(\/|#)/.test(address));
    const sizes = files.map(async (address) => {
      const body = await (await fetch(address)).arrayBuffer();
      return gzipSync(body).length;
    });
    const bytes = (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0);
    const kib = Math.round(bytes / 1024);
    return findProblems(
      [kib < maxFirstLoadKib, `the first load is ${kib} KiB, more than ${maxFirstLoadKib}`],
      [kib > 50, `the first load is only ${kib} KiB: ${files}`],
    );
  });
};

const headers: Scenario = async ({ url }) => {
  const answer = await fetch(`${url}/console`);
  const policy = answer.headers.get("Content-Security-Policy") ?? "";
  const directives = policy.split("; ");
  const needed = [
    ...["default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'"],
    ...["frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"],
    ...["require-trusted-types-for 'script'", "trusted-types edge-idp-console"],
  ];
  const script = /src="(\/console\/assets\/[^"]+)"/.exec(await answer.text())?.[1] ?? "";
  const loaded = await fetch(`${url}${script}`);
  const unknown = await fetch(`${url}/console/nothing`);
  return findProblems(
    [!/unsafe|https?:|\*/.test(policy), `the policy is ${policy}`],
    ...needed.map((one) => [directives.includes(one), `the policy lacks ${one}`] as const),
    [/immutable/.test(loaded.headers.get("Cache-Control") ?? ""), "its files are not kept"],
    [unknown.status === 404, `an unknown path answers ${unknown.status}`],
  );
};

const showsFailures: Scenario = async (place) => {
  const { token } = await createTenant(place, "Failures");
  return await withConsole(place, token, async (opened) => {
    await opened.goTo("/users", "Users");
    await opened.page.getByText("No user matches.").waitFor();
    const body = { error: "A store failed.", code: "not_found", request_id: "f00d" };
    await opened.page.route("**/v1/idp/users?**", async (route) => {
      await route.fulfill({ status: 404, json: body });
    });
    await opened.page.getByLabel("Status").selectOption("locked");
    const failure = opened.page.getByRole("alert");
    await failure.getByText("A store failed.").waitFor();
    await failure.getByText("Request f00d").waitFor();
    await opened.page.unroute("**/v1/idp/users?**");
    await opened.press("Try again");
    await opened.page.getByText("No user matches.").waitFor();
    return [];
  });
};

const keyboard: Scenario = async (place) => {
  const { token, idp } = await createTenant(place, "Keyboard");
  await idp.users.provision("ada");
  return await withConsole(place, token, async (opened) => {
    const { page } = opened;
    await opened.goTo("/users", "Users");
    await page.locator("body").focus();
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    const isInContent = await page.locator("main.content").evaluate((main) => {
      return main === Object(globalThis).document.activeElement;
    });
    await page.getByRole("button", { name: "Add a user" }).focus();
    await page.keyboard.press("Enter");
    await opened.dialog.waitFor();
    const isTrapped = await opened.dialog.evaluate((dialog) => {
      return dialog.contains(Object(globalThis).document.activeElement);
    });
    await page.keyboard.press("Escape");
    await opened.dialog.waitFor({ state: "detached" });
    return findProblems(
      [isInContent, "the first stop does not lead to the content"],
      [isTrapped, "the focus is not in the dialog"],
    );
  });
};

const utcOnHover: Scenario = async (place) => {
  const { token, idp } = await createTenant(place, "Times");
  await idp.users.provision("ada", { testClock: "2026-07-01T22:30:00Z" });
  return await withConsole(place, token, async (opened) => {
    await opened.goTo("/users", "Users");
    const time = opened.page.locator("td time").first();
    const [shown, hover] = [await time.innerText(), await time.getAttribute("title")];
    return findProblems(
      [shown.includes("2 Jul 2026, 00:30:00"), `it shows ${shown}`],
      [hover === "1 Jul 2026, 22:30:00 UTC", `on hover: ${hover}`],
    );
  });
};

export const lookScenarios: ReadonlyMap<string, Scenario> = new Map([
  ["it is served under a strict policy", headers],
  ["its first load is small", firstLoad],
  ["axe finds nothing on any page, and a phone shows all", accessible],
  ["axe finds nothing in any dialog", accessibleDialogs],
  ["a failure has the id of the request, and can be tried again", showsFailures],
  ["the keyboard suffices", keyboard],
  ["times are in the reader's zone, and in UTC on hover", utcOnHover],
]);
