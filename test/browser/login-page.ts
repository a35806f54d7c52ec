/** The pages of examples/login, used as a person does. */
import type { Page } from "playwright-core";
import { codeFor } from "../support/authenticator.ts";

const password = "correct horse battery staple";

/** Runs before the scripts of each page. It notes each use of a passkey, and hides suggestions if the tab says so. */
function prepareBrowser(): void {
  const { PublicKeyCredential, navigator, sessionStorage } = Object(globalThis);
  const get = navigator.credentials.get.bind(navigator.credentials);
  navigator.credentials.get = (options: { mediation?: string }) => {
    sessionStorage.setItem("mediation", options.mediation ?? "none");
    return get(options);
  };
  if (sessionStorage.getItem("suggestions") !== "none") return;
  PublicKeyCredential.isConditionalMediationAvailable = async () => false;
}

export class LoginPage {
  readonly page: Page;
  readonly #site: string;
  readonly #name: string;

  private constructor(page: Page, site: string, name: string) {
    this.page = page;
    this.#site = site;
    this.#name = name;
  }

  static async create(page: Page, site: string, name: string): Promise<LoginPage> {
    await page.addInitScript(prepareBrowser);
    return new LoginPage(page, site, name);
  }

  /** Opens the login. A browser that suggests passkeys takes the first at once, because there is nobody to pick one. */
  async open(suggestions: "shown" | "none" = "none"): Promise<void> {
    await this.openScript(suggestions);
    await this.page.goto(`${this.#site}/login`);
  }

  /** Opens a page of the app that runs no script. */
  async openScript(suggestions: "shown" | "none"): Promise<void> {
    await this.page.goto(`${this.#site}/login/passkeys.js`);
    await this.page.evaluate(
      (value) => Object(globalThis).sessionStorage.setItem("suggestions", value),
      suggestions,
    );
    await this.page.reload();
  }

  /** Signs up with an authenticator app, which ends in the account. */
  async signUp(): Promise<void> {
    await this.open();
    await this.#fillPassword();
    await this.page.getByRole("button", { name: "Sign up" }).click();
    const secret = await this.page.locator("code").innerText();
    await this.page.getByLabel("Code").fill(codeFor(secret, Date.now()));
    await this.page.getByRole("button", { name: "Continue" }).click();
    await this.waitForAccount();
  }

  /** Opens the page that asks for the second factor. */
  async enterPassword(): Promise<void> {
    await this.open();
    await this.#fillPassword();
    await this.page.getByRole("button", { name: "Log in" }).click();
    await this.page.waitForURL(/\/code$/);
  }

  /** How the page asked for the passkey that was used last. */
  async readMediation(): Promise<unknown> {
    return await this.page.evaluate(() => Object(globalThis).sessionStorage.getItem("mediation"));
  }

  async logOut(): Promise<void> {
    await this.page.getByRole("button", { name: "Log out" }).click();
    await this.page.waitForURL(/\/login$/);
  }

  async addPasskey(): Promise<void> {
    await this.page.getByRole("button", { name: "Add a passkey" }).click();
  }

  async usePasskey(): Promise<void> {
    await this.page.getByRole("button", { name: "Use a passkey" }).click();
  }

  /** Waits until the account lists so many passkeys. */
  async waitForPasskeys(count: number): Promise<void> {
    await this.waitForAccount();
    const buttons = this.page.getByRole("button", { name: "Remove" });
    if (count > 0) await buttons.nth(count - 1).waitFor();
    await buttons.nth(count).waitFor({ state: "detached" });
  }

  async removeFirstPasskey(): Promise<void> {
    await this.page.getByRole("button", { name: "Remove" }).first().click();
  }

  async waitForAccount(): Promise<void> {
    await this.page.getByText("You are logged in.").waitFor();
  }

  async waitForMessage(text: string | RegExp): Promise<void> {
    await this.page.getByRole("alert").filter({ hasText: text }).waitFor();
  }

  async #fillPassword(): Promise<void> {
    await this.page.getByLabel("Name").fill(this.#name);
    await this.page.getByLabel("Password").fill(password);
  }
}
