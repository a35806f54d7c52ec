/** Uses examples/login as people do, with the addresses that have a fixed result in a test tenant. */
import { execFileSync } from "node:child_process";
import { Browser, type Page } from "./browser.ts";
import { checkPasskeys, type ExpectedPage } from "./login-app-passkeys.ts";
import { LoginAppProcess } from "./login-app-process.ts";
import type { Report } from "./report.ts";

const [allowed, challenged, denied] = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
const password = "correct horse battery staple";
const maxFailedAttempts = 5;

function hasText(page: Page, text: string | RegExp): boolean {
  return typeof text === "string" ? page.text.includes(text) : text.test(page.text);
}

/** One sentence for each difference between a page and what it should be, and the page. */
function findProblems(page: Page, { path, status = 200, texts = [], missing = [] }: ExpectedPage) {
  const problems = [
    ...(page.path === path ? [] : [`The path is ${page.path} and not ${path}.`]),
    ...(page.status === status ? [] : [`The status is ${page.status} and not ${status}.`]),
    ...texts.filter((text) => !hasText(page, text)).map((text) => `${text} is missing.`),
    ...missing.filter((text) => hasText(page, text)).map((text) => `${text} is there.`),
  ];
  return problems.length === 0 ? [] : [...problems, page.text];
}

/** @param secondsFromNow 30 gives the next code of the app */
function readAuthenticator(secret: string, secondsFromNow = 0): string {
  const seconds = `@${Math.floor(Date.now() / 1000) + secondsFromNow}`;
  const args = ["--totp", "-b", "-N", seconds, secret];
  return execFileSync("oathtool", args, { encoding: "utf8" }).trim();
}

/** A code that the app does not show around now. */
function findWrongCode(secret: string): string {
  const right = [-30, 0, 30, 60].map((seconds) => readAuthenticator(secret, seconds));
  return (
    ["000000", "000001", "000002", "000003", "000004"].find((code) => !right.includes(code)) ?? ""
  );
}

export class LoginAppCheck {
  readonly #report: Report;
  readonly #app: LoginAppProcess;
  /** Sessions that wait for a code when the service stops. */
  readonly #waiting: Browser;
  /** A user in the account when the service stops. */
  readonly #insider: Browser;

  private constructor(report: Report, app: LoginAppProcess) {
    this.#report = report;
    this.#app = app;
    this.#waiting = this.#createBrowser(allowed);
    this.#insider = this.#createBrowser(allowed);
  }

  /** Starts the app, which needs `npm run dev`. The check stands in for the proxy before it. */
  static async create(project: string, report: Report): Promise<LoginAppCheck> {
    const environment = { CLIENT_ADDRESS_HEADER: "X-Forwarded-For" };
    return new LoginAppCheck(report, await LoginAppProcess.create(project, environment));
  }

  async close(): Promise<void> {
    await this.#app.close();
  }

  async checkLogins(): Promise<void> {
    const problems = await this.#app.waitUntilReady();
    this.#report.add("the login app: npm start -w examples/login", problems);
    if (problems.length > 0) return;
    const { secret, firstCode, backupCodes } = await this.#checkEnrolment();
    await this.#checkSecondFactor(secret, firstCode, backupCodes);
    await this.#checkRisk(backupCodes);
    await this.#checkPasskeys(backupCodes);
    await this.#checkPasswords();
    await this.#checkLock(secret);
  }

  /** The service has stopped: nobody gets in. */
  async checkOutage(): Promise<void> {
    const unavailable = { status: 503, texts: ["We cannot log you in now"] };
    const login = await this.#logIn(this.#createBrowser(allowed), "ada");
    this.#expect("without the service a password lets nobody in", login, {
      path: "/login",
      ...unavailable,
    });
    const code = await this.#waiting.submit("/code", { code: "000000" });
    this.#expect("without the service a code lets nobody in", code, {
      path: "/code",
      ...unavailable,
    });
    const account = await this.#waiting.open("/account");
    this.#expect("the session still waits for its code", account, { path: "/code" });
    const list = await this.#insider.open("/account");
    const texts = ["You are logged in", "We cannot list your passkeys now."];
    this.#expect("a user in the account stays there", list, { path: "/account", texts });
  }

  async #checkEnrolment() {
    const browser = this.#createBrowser(allowed);
    const enrolment = await this.#logIn(browser, "ada", { isNew: "yes" });
    this.#expect("a new user gets a QR code", enrolment, {
      path: "/code",
      texts: ["<svg", "<code>"],
    });
    const [, secret = ""] = /<code>([A-Z2-7]{32})<\/code>/.exec(enrolment.text) ?? [];

    const wrong = await browser.submit("/code", { code: findWrongCode(secret) });
    this.#expect("a wrong first code keeps the QR code", wrong, {
      path: "/code",
      status: 403,
      texts: ["<svg", "You have 4 attempts left."],
    });
    const cookieBefore = browser.cookie;
    const firstCode = readAuthenticator(secret);
    const account = await browser.submit("/code", { code: firstCode });
    const backupCodes = account.text.match(/\b[A-Z]{4}-\d{4}\b/g) ?? [];
    this.#expect("the first code turns the app on and gives ten backup codes", account, {
      path: "/account",
      texts: ["You are logged in", /(?:[A-Z]{4}-\d{4}\n){9}[A-Z]{4}-\d{4}/],
    });
    const cookie = browser.cookie;
    this.#report.add(
      "the login app: each step has a session of its own",
      cookie === cookieBefore ? ["The cookie of the session is the same as before."] : [],
    );
    this.#expect("the backup codes are shown once", await browser.open("/account"), {
      path: "/account",
      missing: backupCodes,
    });
    this.#expect("the user logs out", await browser.submit("/account/end", {}), { path: "/login" });
    const thief = this.#createBrowser(allowed);
    thief.cookie = cookie;
    this.#expect("after that the old cookie opens nothing", await thief.open("/account"), {
      path: "/login",
    });
    return { secret, firstCode, backupCodes };
  }

  async #checkSecondFactor(secret: string, firstCode: string, backupCodes: readonly string[]) {
    const browser = this.#createBrowser(allowed);
    this.#expect("the password alone leads to the code", await this.#logIn(browser, "ada"), {
      path: "/code",
      missing: ["<svg", "unusual"],
    });
    this.#expect("and to no other page", await browser.open("/account"), { path: "/code" });
    this.#expect("half a code is no attempt", await browser.submit("/code", { code: "123" }), {
      path: "/code",
      status: 403,
      texts: ["Type the whole code"],
    });
    const used = await browser.submit("/code", { code: firstCode });
    this.#expect("the code that enrolled is spent", used, {
      path: "/code",
      status: 403,
      texts: ["used already"],
    });
    const next = await browser.submit("/code", { code: readAuthenticator(secret, 30) });
    this.#expect("the next code lets the user in", next, { path: "/account" });
    const code = backupCodes[0] ?? "";
    const backup = await this.#logInWithCode("ada", code);
    this.#expect("a backup code lets the user in", backup, { path: "/account" });
    const again = await this.#logInWithCode("ada", code);
    this.#expect("a backup code works once", again, { path: "/code", status: 403 });
  }

  async #checkRisk(backupCodes: readonly string[]) {
    const browser = this.#createBrowser(challenged);
    this.#expect("a challenged session is told so", await this.#logIn(browser, "ada"), {
      path: "/code",
      texts: ["This login is unusual"],
    });
    const code = await browser.submit("/code", { code: backupCodes[1] ?? "" });
    this.#expect("and lets the user in with a code", code, { path: "/account" });
    const refused = { path: "/login", status: 403, texts: ["too risky"], missing: ["<svg"] };
    const login = await this.#logIn(this.#createBrowser(denied), "ada");
    this.#expect("a denied session is refused", login, refused);
    const newcomer = await this.#logIn(this.#createBrowser(challenged), "grace", { isNew: "yes" });
    this.#expect("a challenged user without a factor cannot enrol", newcomer, refused);
  }

  async #checkPasskeys(backupCodes: readonly string[]) {
    await this.#logIn(this.#insider, "ada");
    await this.#insider.submit("/code", { code: backupCodes[2] ?? "" });
    await checkPasskeys(this.#insider, {
      site: this.#app.site,
      expect: (title, page, expected) => this.#expect(title, page, expected),
      createBrowser: (address) => this.#createBrowser(address === "allowed" ? allowed : denied),
      logIn: (other) => this.#logIn(other, "ada"),
    });
  }

  async #checkPasswords() {
    const refused = { path: "/login", status: 403, texts: ["Name and password do not match"] };
    const browser = this.#createBrowser(allowed);
    const wrong = await browser.submit("/login", { name: "ada", password: "wrong password" });
    this.#expect("a wrong password is refused", wrong, refused);
    this.#expect("an unknown name as well", await this.#logIn(browser, "nobody"), refused);
    const taken = await this.#logIn(browser, "ada", { isNew: "yes" });
    this.#expect("a name that is taken cannot sign up", taken, {
      ...refused,
      texts: ["This name is taken"],
    });
    const fields = { name: "ada", password };
    const forged = await browser.submit("/login", fields, "https://attacker.example");
    this.#expect("a form on another site does nothing", forged, { path: "/login", status: 503 });
    this.#expect("without a session nobody sees the account", await browser.open("/account"), {
      path: "/login",
    });
  }

  async #checkLock(secret: string) {
    await this.#logIn(this.#waiting, "ada");
    const browser = this.#createBrowser(allowed);
    await this.#logIn(browser, "ada");
    const lock = /You are locked until \d{4}-\d\d-\d\dT/;
    for (let left = maxFailedAttempts - 1; left >= 0; left -= 1) {
      const page = await browser.submit("/code", { code: findWrongCode(secret) });
      const text = left === 0 ? lock : `You have ${left} attempts left`;
      const title = `wrong code ${maxFailedAttempts - left} of ${maxFailedAttempts} tells what follows`;
      this.#expect(title, page, { path: "/code", status: 403, texts: [text] });
    }
    const login = await this.#logIn(this.#createBrowser(allowed), "ada");
    this.#expect("the login page tells a locked user until when", login, {
      path: "/login",
      status: 403,
      texts: [lock],
    });
  }

  /** The first address is the one that the client claims to have. The app must not use it. */
  #createBrowser(address: string): Browser {
    return new Browser(this.#app.site, { "X-Forwarded-For": `192.0.2.99, ${address}` });
  }

  #logIn(browser: Browser, name: string, more: Readonly<Record<string, string>> = {}) {
    return browser.submit("/login", { name, password, ...more });
  }

  async #logInWithCode(name: string, code: string): Promise<Page> {
    const browser = this.#createBrowser(allowed);
    await this.#logIn(browser, name);
    return browser.submit("/code", { code });
  }

  #expect(title: string, page: Page, expected: ExpectedPage): void {
    this.#report.add(`the login app: ${title}`, findProblems(page, expected));
  }
}
