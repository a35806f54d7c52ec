/** Users: enrolment, codes, locks, backup codes, passkeys, erasure. */
import { codeFor } from "../../support/authenticator.ts";
import { VirtualAuthenticator } from "../virtual-authenticator.ts";
import { findProblems } from "../watch.ts";
import { ConsolePage } from "./console-page.ts";
import { type ConsolePlace, createTenant, type Scenario, withConsole } from "./console-place.ts";
import { readQrCode } from "./qr-photo.ts";

/** A user's place in the console. */
export function placeOf(externalId: string): string {
  return `/user?${new URLSearchParams({ id: externalId })}`;
}

async function addUser(opened: ConsolePage, externalId: string): Promise<void> {
  await opened.goTo("/users", "Users");
  await opened.press("Add a user");
  await opened.dialog.getByLabel("External id").fill(externalId);
  await opened.press("Add a user", opened.dialog);
  await opened.heading(externalId).waitFor();
}

/** Scans the drawn code as a phone does. @returns the secret; undefined if it cannot be read */
async function enrol(opened: ConsolePage, { browser }: ConsolePlace): Promise<string | undefined> {
  await opened.press("Set up the app");
  await opened.dialog.getByLabel("Name of your product").fill("Acme & Söhne");
  await opened.dialog.getByLabel("Name of the user in the app").fill("ada@example.com");
  await opened.press("Create the secret", opened.dialog);
  const code = opened.dialog.getByRole("img", { name: "QR code for the authenticator app" });
  await code.waitFor();
  const text = await readQrCode(browser, code);
  return text === undefined ? undefined : (new URL(text).searchParams.get("secret") ?? undefined);
}

async function typeCode(opened: ConsolePage, code: string): Promise<void> {
  const section = opened.section("Verify a code");
  await section.getByLabel("Code", { exact: true }).fill(code);
  await opened.press("Check the code", section);
}

const enrolByScanning: Scenario = async (place) => {
  const { token, idp } = await createTenant(place, "Enrolment");
  return await withConsole(place, token, async (opened) => {
    await addUser(opened, "ada");
    const secret = await enrol(opened, place);
    if (secret === undefined) return ["the drawn QR code cannot be read"];
    const code = codeFor(secret, Date.now());
    await opened.dialog.getByLabel("Then type the code that the app shows").fill(code);
    await opened.press("Check the code", opened.dialog);
    await opened.dialog.getByText("The code is right.").waitFor();
    await opened.press("Done", opened.dialog);
    await opened.section("State").getByText("active", { exact: true }).waitFor();
    const { otp_status, last_verified_at } = await idp.users.get("ada");
    return findProblems([otp_status === "active" && last_verified_at !== null, "not enrolled"]);
  });
};

const lockAndUnlock: Scenario = async (place) => {
  const { token, idp } = await createTenant(place, "Locks");
  await idp.users.provision("ada");
  await idp.otp.configure("ada", { issuer_name: "Acme", account_name: "ada" });
  return await withConsole(place, token, async (opened) => {
    await opened.goTo(placeOf("ada"), "ada");
    const state = opened.section("State");
    for (let failures = 1; failures <= 5; failures += 1) {
      await typeCode(opened, "000000");
      const shown = state
        .locator("div", { hasText: "Failed codes in a row" })
        .getByText(`${failures}`);
      await shown.last().waitFor();
    }
    await state.getByText("Locked", { exact: true }).waitFor();
    const problem = await opened.section("Verify a code").getByRole("alert").innerText();
    await opened.press("Unlock");
    await state.getByText("Active", { exact: true }).waitFor();
    await opened.press("Suspend");
    await opened.press("Suspend", opened.dialog);
    await state.getByText("Suspended", { exact: true }).waitFor();
    await opened.press("Reactivate");
    await state.getByText("Active", { exact: true }).waitFor();
    return findProblems(
      [/locked/.test(problem) && /Request [0-9a-f]+/.test(problem), `the page says: ${problem}`],
      [(await idp.users.get("ada")).status === "active", "the user is not active"],
    );
  });
};

const backupCodes: Scenario = async (place) => {
  const { token, idp } = await createTenant(place, "Backup codes");
  await idp.users.provision("ada");
  return await withConsole(place, token, async (opened) => {
    await opened.goTo(placeOf("ada"), "ada");
    await opened.press("Create new codes");
    await opened.press("Create new codes", opened.dialog);
    const items = opened.dialog.getByRole("list", { name: "Backup codes" }).getByRole("listitem");
    await items.nth(9).waitFor();
    const codes = await items.allInnerTexts();
    await opened.press("Done", opened.dialog);
    await typeCode(opened, codes[0] ?? "");
    await opened.section("Verify a code").getByText("The code is right.").waitFor();
    await opened.section("Backup codes").getByText("9 codes are left.").waitFor();
    return findProblems([new Set(codes).size === 10, `these are not ten codes: ${codes}`]);
  });
};

const erase: Scenario = async (place) => {
  const { token, idp } = await createTenant(place, "Erasure");
  await idp.users.provision("ada");
  await idp.users.provision("bea");
  return await withConsole(place, token, async (opened) => {
    await opened.goTo(placeOf("ada"), "ada");
    await opened.press("Erase");
    const button = opened.dialog.getByRole("button", { name: "Erase", exact: true });
    const isOpen = await button.isEnabled();
    await opened.dialog.getByRole("textbox").fill("bea");
    const acceptsOther = await button.isEnabled();
    await opened.dialog.getByRole("textbox").fill("ada");
    await button.click();
    await opened.waitForNotice("The user is erased.");
    await opened.goTo(placeOf("ada"));
    await opened.page.getByText("There is no user with this id.").waitFor();
    const left = await idp.users.list().page();
    return findProblems(
      [!isOpen, "the button works before the name is typed"],
      [!acceptsOther, "the button works for another name"],
      [left.items.map((user) => user.external_id).join() === "bea", "another user is gone"],
    );
  });
};

const search: Scenario = async (place) => {
  const { token, idp } = await createTenant(place, "Search");
  for (const externalId of ["ada.berg", "bea.BERG", "chen.diaz"]) {
    await idp.users.provision(externalId);
  }
  return await withConsole(place, token, async (opened) => {
    await opened.goTo("/users", "Users");
    const links = opened.page.getByRole("table", { name: "Users" }).getByRole("link");
    await links.nth(2).waitFor();
    await opened.page.getByLabel("Search").fill("berg");
    await opened.page.keyboard.press("Enter");
    await links.nth(2).waitFor({ state: "detached" });
    const found = (await links.allInnerTexts()).toSorted().join();
    await links.filter({ hasText: "ada" }).click();
    await opened.heading("ada.berg").waitFor();
    await opened.page.goBack();
    await links.nth(1).waitFor();
    return findProblems([found === "ada.berg,bea.BERG", `it finds ${found}`]);
  });
};

const usePasskey: Scenario = async (place) => {
  const { token, idp } = await createTenant(place, "Passkeys");
  await idp.users.provision("ada");
  const url = place.url.replace("127.0.0.1", "localhost");
  await idp.settings.change({ passkeys: { rp_id: "localhost", origins: [url] } });
  const opened = await ConsolePage.signedIn(place.browser, url, token);
  try {
    const device = await VirtualAuthenticator.create(opened.page);
    await opened.goTo(placeOf("ada"), "ada");
    await opened.press("Add a passkey");
    await opened.dialog.getByLabel("Name of the user in the dialog of the browser").fill("ada");
    await opened.dialog.getByLabel("What the user calls the passkey").fill("Work laptop");
    await opened.press("Create the passkey", opened.dialog);
    await opened.waitForNotice("The passkey is registered.");
    const section = opened.section("Passkeys");
    await section.getByTitle("Work laptop").waitFor();
    await opened.press("Check a passkey", section);
    await opened.waitForNotice("The passkey is right.");
    const stored = await device.list();
    await opened.press("Remove Work laptop", section);
    await opened.press("Remove", opened.dialog);
    await section.getByText("The user has no passkey.").waitFor();
    const { passkeys } = await idp.passkeys.list("ada");
    return findProblems(
      [stored.length === 1, `the authenticator has ${stored.length} passkeys`],
      [passkeys.length === 0, "the passkey is still registered"],
      ...opened.watch.problems.map((problem) => [false, problem] as const),
    );
  } finally {
    await opened.close();
  }
};

export const userScenarios: ReadonlyMap<string, Scenario> = new Map([
  ["users are found by a part of their ids", search],
  ["a user is enrolled by scanning the QR code", enrolByScanning],
  ["a user is locked by wrong codes, unlocked, suspended and reactivated", lockAndUnlock],
  ["backup codes are shown once, and work", backupCodes],
  ["a user is erased with the name typed", erase],
  ["a passkey is registered, checked and removed", usePasskey],
]);
