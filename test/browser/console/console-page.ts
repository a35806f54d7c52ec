/** The page at /console, used as a person does. */
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import { Watch } from "../watch.ts";

const maxWaitMs = 30_000;

export interface OpenOptions extends BrowserContextOptions {
  /** The address of the service, if not that of the place. */
  readonly url?: string;
}

export class ConsolePage {
  readonly page: Page;
  readonly watch: Watch;
  readonly #url: string;

  private constructor(page: Page, url: string) {
    this.page = page;
    this.#url = url;
    this.watch = new Watch(page, url, { expectsRefusals: true });
  }

  /** Opens the page in a browser of its own, in front of the form for the token. */
  static async open(browser: Browser, url: string, options: OpenOptions = {}) {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 900 },
      timezoneId: "Europe/Vienna",
      ...options,
    });
    context.setDefaultTimeout(maxWaitMs);
    const page = await context.newPage();
    const opened = new ConsolePage(page, options.url ?? url);
    await page.goto(`${opened.#url}/console`);
    return opened;
  }

  /** Opens the page, and signs in. */
  static async signedIn(browser: Browser, url: string, token: string, options: OpenOptions = {}) {
    const opened = await ConsolePage.open(browser, url, options);
    await opened.signIn(token);
    return opened;
  }

  async signIn(token: string): Promise<void> {
    await this.page.getByLabel("Token", { exact: true }).fill(token);
    await this.press("Sign in");
    await this.page.locator("main.content h1").waitFor();
  }

  /** Goes to a place of the console, such as `/users?status=locked`, and waits until it has loaded. */
  async goTo(place: string, heading?: string): Promise<void> {
    await this.page.goto(`${this.#url}/console#${place}`);
    if (heading !== undefined) await this.heading(heading).waitFor();
    await this.waitUntilLoaded();
  }

  /** Waits until no part of the page loads any more. */
  async waitUntilLoaded(): Promise<void> {
    await this.page.locator("main h1, main .empty, main .failure").first().waitFor();
    await this.page.locator(".loading").first().waitFor({ state: "detached" });
  }

  heading(name: string): Locator {
    return this.page.getByRole("heading", { level: 1, name });
  }

  get dialog(): Locator {
    return this.page.getByRole("dialog");
  }

  /** Presses a button of the page, or of the dialog that is open. */
  async press(name: string | RegExp, place: Locator | Page = this.page): Promise<void> {
    const exact = typeof name === "string";
    await place.getByRole("button", { name, exact }).first().click();
  }

  /** The part of the page with this heading. */
  section(name: string): Locator {
    return this.page.getByRole("region", { name, exact: true });
  }

  async waitForNotice(text: string): Promise<void> {
    await this.page.locator(".notice").filter({ hasText: text }).waitFor();
  }

  async close(): Promise<void> {
    await this.page.context().close();
  }
}
