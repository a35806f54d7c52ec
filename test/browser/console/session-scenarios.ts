/** Who may use the console, for how long, and what it hides. */
import type { Page } from "playwright-core";
import { findProblems } from "../watch.ts";
import { ConsolePage } from "./console-page.ts";
import { createTenant, type Scenario, withConsole } from "./console-place.ts";

/** Where a browser keeps things, as text, and the addresses that the tab has visited. */
async function readStores(page: Page) {
  const [local, session, databases, address] = await page.evaluate(async () => {
    const { localStorage, sessionStorage, indexedDB, location } = Object(globalThis);
    return [
      JSON.stringify(localStorage),
      JSON.stringify(sessionStorage),
      JSON.stringify(await indexedDB.databases()),
      String(location.href),
    ];
  });
  const cookies = JSON.stringify(await page.context().cookies());
  return { session: String(session), others: `${local}${databases}${cookies}${address}` };
}

const wrongToken: Scenario = async ({ browser, url }) => {
  const opened = await ConsolePage.open(browser, url);
  const field = opened.page.getByLabel("Token", { exact: true });
  await field.fill("idp_test_wrong");
  const [type, shown] = await field.evaluate((input) => [
    String(Object(input).type),
    String(Object(globalThis).getComputedStyle(input).webkitTextSecurity),
  ]);
  await opened.press("Sign in");
  await opened.page.getByText("The service does not accept this token.").waitFor();
  const { session } = await readStores(opened.page);
  await opened.close();
  return findProblems(
    [!session.includes("idp_test_wrong"), "the tab keeps a wrong token"],
    [type === "text", "a browser may offer to keep the token as a password"],
    [shown === "disc", "people beside the reader can read the token"],
  );
};

const tokenStaysInTheTab: Scenario = async (place) => {
  const { token } = await createTenant(place, "Token");
  return await withConsole(place, token, async (opened) => {
    await opened.goTo("/users", "Users");
    const kept = await readStores(opened.page);
    await opened.page.reload();
    await opened.heading("Users").waitFor();
    const other = await opened.page.context().newPage();
    await other.goto(`${place.url}/console#/users`);
    await other.getByLabel("Token", { exact: true }).waitFor();
    await opened.press("Sign out");
    await opened.page.getByLabel("Token", { exact: true }).waitFor();
    const left = await readStores(opened.page);
    return findProblems(
      [kept.session.includes(token), "a reload would lose the token"],
      [!kept.others.includes(token), "the token is elsewhere than in the tab"],
      [!left.session.includes(token), "the token outlives the session"],
    );
  });
};

const idleEnd: Scenario = async (place) => {
  const { token } = await createTenant(place, "Idle");
  const opened = await ConsolePage.open(place.browser, place.url);
  await opened.page.clock.install();
  await opened.page.reload();
  await opened.signIn(token);
  const minutes = async (count: number) => await opened.page.clock.fastForward(count * 60_000);
  await minutes(29);
  await opened.page.keyboard.press("Tab");
  await minutes(29);
  const isStillIn = await opened.heading("Overview").isVisible();
  await minutes(2);
  await opened.page.getByText("You were signed out after 30 minutes without a touch.").waitFor();
  const { session } = await readStores(opened.page);
  await opened.close();
  return findProblems(
    [isStillIn, "the session ended although the reader was there"],
    [!session.includes(token), "the tab keeps the token"],
  );
};

const hiddenActs: Scenario = async (place) => {
  const { idp } = await createTenant(place, "Hidden");
  await idp.users.provision("ada");
  const { secret } = await idp.tokens.create({ name: "reader", permissions: ["idp:read"] });
  return await withConsole(place, secret, async (opened) => {
    await opened.heading("Users").waitFor();
    const links = await opened.page.getByRole("navigation", { name: "Pages" }).getByRole("link");
    const shown = (await links.allInnerTexts()).join();
    const adds = await opened.page.getByRole("button", { name: "Add a user" }).count();
    await opened.goTo("/user?id=ada", "ada");
    const acts = opened.page.getByRole("button", { name: /Erase|Suspend|Set up|Create new|Add a/ });
    const count = await acts.count();
    await opened.goTo("/tokens");
    await opened.page.getByText("There is no such page.").waitFor();
    return findProblems(
      [shown === "Users", `the menu shows ${shown}`],
      [adds === 0 && count === 0, "the page offers what the token does not permit"],
    );
  });
};

const revokedToken: Scenario = async (place) => {
  const { idp } = await createTenant(place, "Revoked");
  const { id, secret } = await idp.tokens.create({ name: "short", permissions: ["tokens:write"] });
  return await withConsole(place, secret, async (opened) => {
    await opened.heading("Tokens").waitFor();
    await idp.tokens.revoke(id);
    await opened.page.reload();
    await opened.page.getByText("The service accepts your token no more.").waitFor();
    return [];
  });
};

export const sessionScenarios: ReadonlyMap<string, Scenario> = new Map([
  ["a wrong token is refused and not kept", wrongToken],
  ["the token stays in the tab", tokenStaysInTheTab],
  ["a session without a touch ends after 30 minutes", idleEnd],
  ["acts that the token does not permit are hidden", hiddenActs],
  ["a token that was revoked ends the session", revokedToken],
]);
