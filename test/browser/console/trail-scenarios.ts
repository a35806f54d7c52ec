/** The trail: filters in the address, a live tail, one event with its proof, and the whole trail verified. */
import { readFile } from "node:fs/promises";
import type { AuditEventBundle } from "@edge-idp/sdk";
import { verifyBundle } from "@edge-idp/sdk/audit";
import { createTrail } from "../../support/made-trail.ts";
import { findProblems } from "../watch.ts";
import type { ConsolePage } from "./console-page.ts";
import { createTenant, type Scenario, type TestTenant, withConsole } from "./console-place.ts";

const longTrailEvents = 100_000;
const maxLongWaitMs = 120_000;

async function addUsers({ idp }: TestTenant, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await idp.users.provision(`user-${index}`);
}

/** @returns what the page says */
async function verify(opened: ConsolePage): Promise<string> {
  await opened.press("Verify now");
  const verdict = opened.page.locator("[data-verdict]");
  await verdict.waitFor();
  const problems = await opened.page.locator(".problems").allInnerTexts();
  return [await verdict.innerText(), ...problems].join("\n");
}

const verifyTrail: Scenario = async (place) => {
  const tenant = await createTenant(place, "Trail");
  await addUsers(tenant, 20);
  const older = JSON.stringify(await tenant.idp.audit.checkpoint());
  await tenant.idp.users.erase("user-3");
  return await withConsole(place, tenant.token, async (opened) => {
    await opened.goTo("/trail/verify", "Verify the trail");
    const whole = await verify(opened);
    await opened.page.locator(".drop").evaluate((element, text) => {
      const { DataTransfer, DragEvent, File } = Object(globalThis);
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([text], "older.json", { type: "application/json" }));
      element.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
    }, older);
    await opened.page.getByText("Older checkpoint: older.json").waitFor();
    const withOlder = await verify(opened);
    const forged = older.replace(/"root_hash":"./, '"root_hash":"x');
    await opened.page.getByLabel("An older checkpoint (optional)").setInputFiles({
      name: "forged.json",
      mimeType: "application/json",
      buffer: Buffer.from(forged),
    });
    await opened.page.getByText("Older checkpoint: forged.json").waitFor();
    const withForged = await verify(opened);
    return findProblems(
      [/The trail is whole: \d+ events verified/.test(whole), whole],
      [/Its first 22 events are those of the older checkpoint/.test(withOlder), withOlder],
      [/older checkpoint/.test(withForged) && !/is whole/.test(withForged), withForged],
    );
  });
};

const alteredExport: Scenario = async (place) => {
  const tenant = await createTenant(place, "Altered trail");
  await addUsers(tenant, 5);
  return await withConsole(place, tenant.token, async (opened) => {
    // Somebody on the way changes one byte of one event.
    await opened.page.context().route("**/v1/audit/export**", async (route) => {
      const answer = await route.fetch();
      const body = (await answer.text()).replace('"user-3"', '"user-8"');
      await route.fulfill({ response: answer, body });
    });
    await opened.goTo("/trail/verify", "Verify the trail");
    const said = await verify(opened);
    return findProblems([/not what was signed/.test(said) && /leaf \d+/.test(said), said]);
  });
};

/** The service would need hours for so many requests, so the trail is made here and answered in its place. */
const longTrail: Scenario = async (place) => {
  const tenant = await createTenant(place, "Long trail");
  const { checkpoint, saved } = await createTrail(longTrailEvents);
  return await withConsole(place, tenant.token, async (opened) => {
    const context = opened.page.context();
    await context.route("**/v1/audit/checkpoint", async (route) => {
      await route.fulfill({ json: { checkpoint, sealed_within_seconds: 90 } });
    });
    await context.route("**/v1/audit/export**", async (route) => {
      await route.fulfill({
        contentType: "application/x-ndjson",
        body: Buffer.from(saved.exported),
      });
    });
    await opened.goTo("/trail/verify", "Verify the trail");
    await opened.press("Verify now");
    await opened.page.getByRole("progressbar").waitFor();
    const verdict = opened.page.locator("[data-verdict]");
    await verdict.waitFor({ timeout: maxLongWaitMs });
    const said = await verdict.innerText();
    const expected = `${longTrailEvents.toLocaleString("en")} events verified`;
    return findProblems([said.includes(expected), said]);
  });
};

const filterAndFollow: Scenario = async (place) => {
  const tenant = await createTenant(place, "Filters");
  await addUsers(tenant, 3);
  return await withConsole(place, tenant.token, async (opened) => {
    await opened.goTo("/trail", "Trail");
    await opened.page.getByLabel("Event", { exact: true }).selectOption("user.provisioned");
    const rows = opened.page.getByRole("table", { name: "Trail" }).getByRole("row");
    await rows.nth(3).waitFor();
    await rows.nth(4).waitFor({ state: "detached" });
    const address = opened.page.url();
    await opened.page.getByLabel("User", { exact: true }).fill("user-1");
    await opened.page.keyboard.press("Enter");
    await rows.nth(2).waitFor({ state: "detached" });
    await opened.page.goBack();
    await rows.nth(3).waitFor();
    const isBack = opened.page.url() === address;
    await opened.page.reload();
    await rows.nth(3).waitFor();
    await opened.page.getByLabel("Follow live").check();
    await tenant.idp.users.provision("late");
    await opened.page.getByRole("link", { name: "late" }).waitFor();
    await opened.press(/^Show/);
    await opened.press("Prove that it is in the tree", opened.dialog);
    await opened.dialog.getByText(/The event is in the tree of \d+ leaves/).waitFor();
    const saving = opened.page.waitForEvent("download");
    await opened.press("Save the event with its proof", opened.dialog);
    const file = await (await saving).path();
    const bundle: AuditEventBundle = JSON.parse(await readFile(file, "utf8"));
    const isSaved = (await verifyBundle({ bundle })).ok && bundle.event.leaf_index > 0;
    // The address of the event finds it where the list does not show it.
    const shared = opened.page.url().replace("event=user.provisioned", "event=user.erased");
    await opened.page.keyboard.press("Escape");
    await opened.dialog.waitFor({ state: "detached" });
    await opened.page.goto(shared);
    await opened.dialog.getByText("late", { exact: true }).first().waitFor();
    return findProblems(
      [isBack, "the back button does not bring the filters back"],
      [isSaved, "the file that was saved proves no event"],
    );
  });
};

export const trailScenarios: ReadonlyMap<string, Scenario> = new Map([
  ["the trail is verified, against an older checkpoint too", verifyTrail],
  ["one byte that changes on its way breaks the trail", alteredExport],
  ["a trail of 100,000 events is verified", longTrail],
  ["the trail is filtered, followed, and one event proved", filterAndFollow],
]);
