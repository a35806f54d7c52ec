/** The page at /docs in a browser: what it shows, what it sends, and what it must not contain. */
import type { Locator, Page, Response } from "playwright-core";
import { LocalService } from "../e2e/local-service.ts";
import { copyProject } from "../e2e/project-copy.ts";
import { type BrowserPlace, root } from "./browser.ts";
import { findProblems, Watch } from "./watch.ts";

const externalId = "ORG_USR_9921_AFG";

/** What Scalar offers the author of a page, and what would send its content to another host. */
const offers = /\bAI\b|agent|MCP|generate|open api client|deploy|share|developer tools/i;

async function listNames(elements: Locator): Promise<string[]> {
  return (await elements.allTextContents()).map((text) => text.trim());
}

/** One operation on the page. */
class ShownOperation {
  readonly section: Locator;
  readonly #page: Page;

  constructor(page: Page, name: string) {
    this.#page = page;
    this.section = page.locator(`section[id$="/${name}"]`);
  }

  /** The code of the sample that is shown. */
  async readSample(): Promise<string> {
    return await this.section.locator("pre").first().innerText();
  }

  /** Opens the menu of clients. @returns their names */
  async openClients(): Promise<string[]> {
    await this.section.getByRole("button", { name: /TypeScript SDK|Curl/ }).click();
    await this.#page.getByRole("option").first().waitFor();
    return await listNames(this.#page.getByRole("option"));
  }

  /** Sends the request of the operation with its examples and this token. */
  async tryOut(token: string): Promise<Response> {
    await this.section.getByRole("button", { name: /Test Request/ }).click();
    const client = this.#page.getByRole("dialog");
    await client.getByPlaceholder("Token").fill(token);
    const answer = this.#page.waitForResponse(/\/v1\//);
    await client.getByRole("button", { name: /^Send/ }).first().click();
    return await answer;
  }
}

async function checkHeaders(opened: Response | null, url: string): Promise<string[]> {
  const headers = opened?.headers() ?? {};
  const policy = headers["content-security-policy"] ?? "";
  const scripts = policy.split("; ").find((one) => one.startsWith("script-src"));
  const unknownFile = await fetch(`${url}/docs/nowhere`);
  const wrongMethod = await fetch(`${url}/v1/idp/users`, { method: "PUT" });
  const otherMethod = await fetch(`${url}/docs`, { method: "POST" });
  return findProblems(
    [policy.startsWith("default-src 'none'"), `policy: ${policy}`],
    [scripts === "script-src 'self'", `scripts: ${scripts}`],
    [policy.includes("frame-ancestors 'none'"), "another site may frame the page"],
    [headers["x-content-type-options"] === "nosniff", "nosniff is missing"],
    [headers["referrer-policy"] === "no-referrer", "the referrer policy is missing"],
    [unknownFile.status === 404, `an unknown file: ${unknownFile.status}`],
    [(await unknownFile.text()).includes("request_id"), "the Worker did not answer for the file"],
    [wrongMethod.status === 405, `a wrong method of the API: ${wrongMethod.status}`],
    [otherMethod.status === 405, `POST to the page: ${otherMethod.status}`],
  );
}

async function checkSamples(shown: ShownOperation, url: string): Promise<string[]> {
  const sdk = await shown.readSample();
  const clients = await shown.openClients();
  await shown.section.page().getByRole("option", { name: "Curl" }).click();
  await shown.section.getByText("curl").first().waitFor();
  const curl = await shown.readSample();
  return findProblems(
    [clients.join() === "TypeScript SDK,Curl", `clients: ${clients.join()}`],
    [sdk.includes("idp.otp.verify(") && sdk.includes(url), `the sample with the SDK:\n${sdk}`],
    [curl.includes(`${url}/v1/idp/otp/verify`), `the address of the sample for curl:\n${curl}`],
    [/Authorization: Bearer \w+/.test(curl), "the sample for curl has no token"],
    [curl.includes('"code": "552192"'), "the sample for curl has no body"],
    [!curl.includes("Idempotency-Key"), "the sample for curl repeats one Idempotency-Key"],
  );
}

async function checkSearch(page: Page): Promise<string[]> {
  await page.keyboard.press("Control+k");
  await page.getByRole("dialog").locator("input").fill("backup codes");
  const found = page.getByRole("dialog").getByText("/v1/idp/user/backup-codes").first();
  await found.waitFor();
  await page.keyboard.press("Escape");
  return [];
}

/** Everything that the page keeps in the browser, as text. */
async function readStores(page: Page): Promise<string> {
  const stores = await page.evaluate(async () => {
    const { localStorage, sessionStorage, indexedDB } = Object(globalThis);
    return JSON.stringify([localStorage, sessionStorage, await indexedDB.databases()]);
  });
  return stores + JSON.stringify(await page.context().cookies());
}

async function checkTryOut(page: Page, service: LocalService): Promise<string[]> {
  const { url, demoToken: token } = service;
  await page.goto(`${url}/docs#getUser`);
  await page.reload();
  const answer = await new ShownOperation(page, "getUser").tryOut(token);
  const sent = answer.request();
  const text = await answer.text();
  await page.getByRole("dialog").getByText(externalId).last().waitFor();
  const stores = await readStores(page);
  await page.reload();
  await page.getByPlaceholder("Token").first().waitFor();
  const kept = await page.getByPlaceholder("Token").first().inputValue();
  return findProblems(
    [sent.url() === `${url}/v1/idp/user?externalUserId=${externalId}`, `sent to ${sent.url()}`],
    [sent.headers().authorization === `Bearer ${token}`, "the token was not sent"],
    [answer.status() === 200, `answered ${answer.status()}: ${text}`],
    [!stores.includes(token), `the browser keeps the token: ${stores}`],
    [stores.includes("[]"), `the browser keeps a database: ${stores}`],
    [kept === "", "the token outlives the page"],
  );
}

async function checkOffers(page: Page): Promise<string[]> {
  const names = await listNames(page.locator("button, a, [role=button], [role=menuitem]"));
  const found = names.filter((name) => offers.test(name));
  return found.map((name) => `it offers: ${name}`);
}

async function checkDarkness(page: Page): Promise<string[]> {
  const readColor = () =>
    page.evaluate(() => {
      const { document, getComputedStyle } = Object(globalThis);
      return String(getComputedStyle(document.body).backgroundColor);
    });
  const light = await readColor();
  await page.emulateMedia({ colorScheme: "dark" });
  await page.reload();
  await page.getByPlaceholder("Token").first().waitFor();
  const dark = await readColor();
  return findProblems([light !== dark, `it is ${light} in both schemes`]);
}

/** Provisions the user whom the examples name. */
async function provisionUser({ url, demoToken }: LocalService): Promise<void> {
  const answer = await fetch(`${url}/v1/idp/users`, {
    method: "POST",
    headers: { Authorization: `Bearer ${demoToken}`, "Content-Type": "application/json" },
    body: JSON.stringify({ user: { external_id: externalId } }),
  });
  if (answer.status !== 201) throw new Error(`No user: ${await answer.text()}`);
}

export async function checkReference({ browser, report, closing }: BrowserPlace): Promise<void> {
  const copy = copyProject(root);
  closing.push(async () => copy.remove());
  const service = await LocalService.create(copy);
  closing.push(() => service.close());
  await service.waitUntilReady();
  await provisionUser(service);
  const { url } = service;

  const page = await browser.newPage({ viewport: { width: 1440, height: 1000 } });
  const watch = new Watch(page, url);
  const opened = await page.goto(`${url}/docs#verifyOtp`);
  const verify = new ShownOperation(page, "verifyOtp");
  await verify.section.getByRole("heading", { name: "Verify a TOTP or backup code" }).waitFor();

  report.add("/docs is served with its headers", await checkHeaders(opened, url));
  report.add("/docs shows a sample with the SDK and one for curl", await checkSamples(verify, url));
  report.add("/docs finds backup codes", await checkSearch(page));
  report.add(
    "/docs sends a request with the visitor's token, and forgets it",
    await checkTryOut(page, service),
  );
  report.add("/docs has no AI and no cloud", await checkOffers(page));
  report.add("/docs is light or dark as the visitor's system is", await checkDarkness(page));
  report.add("/docs asks no other host and breaks no policy", watch.problems);
}
