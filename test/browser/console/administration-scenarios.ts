/** Tokens and settings of a tenant, and what the operator does. */
import { EdgeIdp } from "@edge-idp/sdk";
import { findProblems } from "../watch.ts";
import { createTenant, type Scenario, withConsole } from "./console-place.ts";

const manageTokens: Scenario = async (place) => {
  const { token, idp } = await createTenant(place, "Tokens");
  return await withConsole(place, token, async (opened) => {
    await opened.goTo("/tokens", "Tokens");
    await opened.press("Create a token");
    await opened.dialog.getByLabel("Name").fill("backend");
    await opened.dialog.getByLabel("idp:read").check();
    await opened.press("Create a token", opened.dialog);
    const secret = opened.dialog.locator(".secret code");
    await secret.waitFor();
    const created = new EdgeIdp({ url: place.url, token: await secret.innerText() });
    const { permissions } = await created.tokens.own();
    await opened.press("Done", opened.dialog);
    await opened.press("Replace backend");
    await opened.dialog.getByLabel("Overlap in seconds").fill("0");
    await opened.press("Replace", opened.dialog);
    await opened.dialog.getByText("The token is shown once.").waitFor();
    await opened.press("Done", opened.dialog);
    await opened.press("Revoke backend");
    await opened.press("Revoke", opened.dialog);
    await opened.waitForNotice("The token is revoked.");
    const left = await idp.tokens.list().page();
    return findProblems(
      [permissions.join() === "idp:read", `the token may ${permissions}`],
      [left.items.length === 2, `${left.items.length} tokens are left`],
    );
  });
};

const changeSettings: Scenario = async (place) => {
  const { token, idp } = await createTenant(place, "Settings");
  return await withConsole(place, token, async (opened) => {
    await opened.goTo("/settings", "Settings");
    const lock = opened.page.getByLabel("Lock seconds", { exact: true });
    await lock.fill("many");
    await opened.page.getByText("This is no number.").waitFor();
    await lock.fill("60");
    await opened.page.getByLabel("Enrolment").selectOption("confirm");
    await opened.page.getByText("2 changes").waitFor();
    await opened.press("Review the changes");
    const rows = await opened.dialog.getByRole("row").allInnerTexts();
    await opened.press("Save", opened.dialog);
    await opened.waitForNotice("The settings are saved.");
    const { lockout, otp } = (await idp.settings.get()).settings;
    await lock.fill("99999999");
    await opened.press("Review the changes");
    await opened.press("Save", opened.dialog);
    const refusal = await opened.dialog.getByRole("alert").innerText();
    return findProblems(
      [/lock seconds\s+900\s+60/.test(rows[1] ?? ""), `the difference is ${rows}`],
      [lockout.lock_seconds === 60 && otp.enrolment === "confirm", "the settings are others"],
      [/settings\.lockout\.lock_seconds/.test(refusal), `the refusal says ${refusal}`],
    );
  });
};

const manageTenants: Scenario = async (place) => {
  const { operator, operatorToken, url } = place;
  return await withConsole(place, operatorToken, async (opened) => {
    await opened.goTo("/tenants", "Tenants");
    await opened.press("Create a tenant");
    await opened.dialog.getByLabel("Name").fill("Fresh tenant");
    await opened.dialog.getByLabel("Mode").selectOption("test");
    await opened.press("Create a tenant", opened.dialog);
    const secret = opened.dialog.locator(".secret code");
    await secret.waitFor();
    const { tenant_id } = await new EdgeIdp({ url, token: await secret.innerText() }).tokens.own();
    await opened.press("Done", opened.dialog);
    await opened.goTo(`/tenant?id=${tenant_id}`, "Fresh tenant");
    await opened.section("Usage").getByText("Audit events").waitFor();
    await opened.press("New token");
    await opened.dialog.getByLabel("Name").fill("second");
    await opened.dialog.getByLabel("audit:read").check();
    await opened.press("Create a token", opened.dialog);
    await opened.dialog.getByText("The token is shown once.").waitFor();
    await opened.press("Done", opened.dialog);
    await opened.press("Suspend");
    await opened.dialog.getByRole("textbox").fill("Fresh tenant");
    await opened.press("Suspend", opened.dialog);
    await opened.waitForNotice("The tenant is suspended.");
    const { status } = await operator.tenants.get(tenant_id);
    await opened.press("Delete");
    await opened.dialog.getByRole("textbox").fill("Fresh tenant");
    await opened.press("Delete", opened.dialog);
    const refusal = await opened.dialog.getByRole("alert").innerText();
    return findProblems(
      [status === "suspended", `the tenant is ${status}`],
      [/tenant_active/.test(refusal), `the deletion says ${refusal}`],
    );
  });
};

const runService: Scenario = async (place) => {
  return await withConsole(place, place.operatorToken, async (opened) => {
    await opened.goTo("/keys", "Keys");
    await opened.press("Start or continue");
    await opened.page.getByText(/Every record is sealed under version \d+/).waitFor();
    await opened.goTo("/feeds", "Feeds");
    await opened.page.getByText(/Missing or too old: geography/).waitFor();
    await opened.goTo("/health", "Health");
    const answers = await opened.section("Health").locator(".badge").allInnerTexts();
    return findProblems([answers.join() === "yes,yes", `the service says ${answers}`]);
  });
};

export const administrationScenarios: ReadonlyMap<string, Scenario> = new Map([
  ["a token is created, replaced and revoked", manageTokens],
  ["settings are changed after a look at the difference", changeSettings],
  ["a tenant is created, used and suspended", manageTenants],
  ["the operator re-encrypts, and sees feeds and health", runService],
]);
