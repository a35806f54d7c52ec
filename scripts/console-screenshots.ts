/**
 * `npm run screenshots`: takes the pictures of the console in docs/console, for docs/console.md, at 1,280 and 390 px. It
 * needs the built packages and a `chromium` that the machine has, and takes some minutes.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { EdgeIdp } from "@edge-idp/sdk";
import { type BrowserPlace, startBrowser } from "../test/browser/browser.ts";
import { ConsolePage } from "../test/browser/console/console-page.ts";
import { LocalService } from "../test/e2e/local-service.ts";
import { copyProject } from "../test/e2e/project-copy.ts";
import { fillDemoTenant } from "./support/demo-fill.ts";
import { runScript } from "./support/run-script.ts";

const root = join(import.meta.dirname, "..");
const folder = join(root, "docs", "console");
const size = { users: 200, seed: 1 };
const screens = [
  { suffix: "", width: 1280, height: 860 },
  { suffix: "-phone", width: 390, height: 844 },
] as const;

interface Shot {
  readonly name: string;
  readonly place: string;
  /** What the reader does before the picture is taken. */
  readonly act?: (opened: ConsolePage) => Promise<unknown>;
}

const tenantShots: readonly Shot[] = [
  { name: "overview", place: "/overview?period=month" },
  { name: "users", place: "/users" },
  { name: "user", place: "/user?id=bea.adler" },
  {
    name: "enrol",
    place: "/user?id=jana.berg",
    act: async (opened) => {
      await opened.press(/Set up the app|Add another app/);
      await opened.dialog.getByLabel("Name of your product").fill("Acme");
      await opened.dialog.getByLabel("Name of the user in the app").fill("jana.berg@example.com");
      await opened.press("Create the secret", opened.dialog);
      await opened.dialog.getByRole("img").waitFor();
    },
  },
  { name: "risk", place: "/risk" },
  {
    name: "explain",
    place: "/risk?recommendation=deny",
    act: async (opened) => {
      await opened.press("Explain");
      await opened.dialog.waitFor();
    },
  },
  {
    name: "thresholds",
    place: "/risk/thresholds",
    act: async (opened) => {
      await opened.page.getByText("No recommendation would change.").waitFor();
      await opened.page.getByLabel("Challenge from").fill("0.3");
      await opened.page.getByText(/recommendations? would change\.$/).waitFor();
      await opened.page.getByRole("table").nth(1).waitFor();
    },
  },
  { name: "trail", place: "/trail" },
  {
    name: "verify",
    place: "/trail/verify",
    act: async (opened) => {
      await opened.press("Verify now");
      await opened.page.locator("[data-verdict]").waitFor();
    },
  },
  { name: "tokens", place: "/tokens" },
  {
    name: "destinations",
    place: "/destinations",
    act: async (opened) => {
      await opened.page.getByRole("table").nth(1).waitFor();
    },
  },
  {
    name: "settings",
    place: "/settings",
    act: async (opened) => {
      await opened.page.getByLabel("Lock seconds", { exact: true }).fill("600");
      await opened.press("Review the changes");
      await opened.dialog.waitFor();
    },
  },
];
/** Nothing is sent to the receivers: they are made for the picture, and disabled at once. */
async function addDestinations(idp: EdgeIdp): Promise<void> {
  const webhook = await idp.webhooks.create({
    url: "https://hooks.example.com/edge-idp",
    events: ["user.*", "otp.*"],
  });
  await idp.webhooks.change(webhook.id, { status: "disabled" });
  const stream = await idp.streams.create({
    type: "splunk_hec",
    format: "ocsf",
    url: "https://splunk.example.com:8443",
    token: "12345678-1234-1234-1234-1234567890ab",
  });
  await idp.streams.change(stream.id, { status: "disabled" });
}

const operatorShots: readonly Shot[] = [
  { name: "tenants", place: "/tenants" },
  {
    name: "tenant",
    place: "/tenants",
    act: async (opened) => {
      await opened.page.getByRole("link", { name: "Demo data" }).click();
      await opened.section("Usage").getByText("Audit events").waitFor();
      await opened.section("Tokens").getByRole("table").waitFor();
    },
  },
  { name: "keys", place: "/keys" },
  { name: "feeds", place: "/feeds" },
  { name: "health", place: "/health" },
];

async function takeShots(opened: ConsolePage, shots: readonly Shot[], suffix: string) {
  for (const { name, place, act } of shots) {
    await opened.goTo(place);
    await act?.(opened);
    await opened.waitUntilLoaded();
    await opened.page.screenshot({ path: join(folder, `${name}${suffix}.png`) });
    await opened.page.goto("about:blank");
  }
}

async function takeAll(closing: BrowserPlace["closing"]): Promise<void> {
  const browser = await startBrowser();
  closing.push(() => browser.close());
  const copy = copyProject(root);
  closing.push(async () => copy.remove());
  const service = await LocalService.create(copy);
  closing.push(() => service.close());
  await service.waitUntilReady();
  const { url, operatorToken } = service;
  const operator = new EdgeIdp({ url, token: operatorToken });
  const { token } = await operator.tenants.create({ name: "Demo data", mode: "test" });
  const print = (text: string) => void process.stdout.write(`${text}\n`);
  await fillDemoTenant(new EdgeIdp({ url, token: token.secret }), size, print);

  await addDestinations(new EdgeIdp({ url, token: token.secret }));

  mkdirSync(folder, { recursive: true });
  for (const { suffix, width, height } of screens) {
    const viewport = { width, height };
    const opened = await ConsolePage.open(browser, url, { viewport });
    await opened.page.screenshot({ path: join(folder, `sign-in${suffix}.png`) });
    await opened.signIn(token.secret);
    await takeShots(opened, tenantShots, suffix);
    await opened.close();
    const other = await ConsolePage.signedIn(browser, url, operatorToken, { viewport });
    await takeShots(other, operatorShots, suffix);
    await other.close();
  }
}

async function main(): Promise<number> {
  const closing: BrowserPlace["closing"] = [];
  try {
    await takeAll(closing);
  } finally {
    for (const end of closing.toReversed()) await end();
  }
  return 0;
}

await runScript(main);
process.exit();
