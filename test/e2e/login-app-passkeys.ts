/** The passkeys of examples/login, with an authenticator in software. test/browser uses them in a browser. */
import { PasskeyAuthenticator } from "../support/passkey-authenticator.ts";
import type { Browser, Page } from "./browser.ts";

export interface ExpectedPage {
  readonly path: string;
  /** Default: 200. */
  readonly status?: number;
  readonly texts?: readonly (string | RegExp)[];
  /** Texts that the page must not have. */
  readonly missing?: readonly (string | RegExp)[];
}

interface LoginApp {
  readonly site: string;
  readonly expect: (title: string, page: Page, expected: ExpectedPage) => void;
  readonly createBrowser: (address: "allowed" | "denied") => Browser;
  /** Enters name and password of the user. */
  readonly logIn: (browser: Browser) => Promise<Page>;
}

const account = { path: "/account", texts: ["You are logged in"] };

/** @param browser is in the account of a user who has just been verified */
export async function checkPasskeys(browser: Browser, app: LoginApp): Promise<void> {
  const { site, expect, createBrowser, logIn } = app;
  const device = new PasskeyAuthenticator({ algorithm: -7 });
  const readOptions = async (from: Browser, step: string) =>
    JSON.parse((await from.submit(`/${step}/options`, {})).text);
  const prove = async (from: Browser, step: string): Promise<string> =>
    JSON.stringify(await device.get(await readOptions(from, step), { origin: site }));
  const use = async (from: Browser, step: string): Promise<Page> =>
    await from.submit(`/${step}/passkey`, { credential: await prove(from, step) });

  const created = await device.create(await readOptions(browser, "account"), { origin: site });
  const added = await browser.submit("/account/passkey", { credential: JSON.stringify(created) });
  expect("a passkey is added", added, { ...account, texts: ["Passkey 1", created.id] });
  const again = await browser.submit("/account/passkey", { credential: JSON.stringify(created) });
  expect("once", again, { path: "/account/passkey", status: 403, texts: ["Your passkey"] });

  const nameless = await use(createBrowser("allowed"), "login");
  expect("a passkey logs in without a name", nameless, account);
  const refused = { path: "/login/passkey", status: 403 };
  const risky = await use(createBrowser("denied"), "login");
  expect("a denied session is refused", risky, { ...refused, texts: ["too risky"] });
  const [victim, thief] = [createBrowser("allowed"), createBrowser("allowed")];
  const stolen = await prove(victim, "login");
  await readOptions(thief, "login");
  const replayed = await thief.submit("/login/passkey", { credential: stolen });
  const explained = { ...refused, texts: ["not accepted (challenge)"] };
  expect("an answer is worth nothing in another browser", replayed, explained);

  const challenged = createBrowser("allowed");
  const code = await logIn(challenged);
  expect("the code can be replaced", code, { path: "/code", texts: ["Use a passkey"] });
  expect("by a passkey", await use(challenged, "code"), account);

  const [, passkey = ""] = /name=passkey value="([^"]*)"/.exec(added.text) ?? [];
  const removed = await browser.submit("/account/removal", { passkey });
  const forgotten = { texts: [`data-forgotten="${created.id}"`], missing: ["Passkey 1"] };
  expect("a passkey is removed", removed, { path: "/account", ...forgotten });
  const unknown = await use(createBrowser("allowed"), "login");
  const texts = ["This passkey was removed", `data-forgotten="${created.id}"`];
  expect("and lets nobody in", unknown, { ...refused, texts });
}
