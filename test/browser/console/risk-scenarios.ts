/** Risk: an explained score, feedback, and thresholds that are tried out before they are saved. */
import { findProblems } from "../watch.ts";
import { createTenant, type Scenario, type TestTenant, withConsole } from "./console-place.ts";

/** In a test tenant these addresses have a fixed result. */
const addresses = { allow: "192.0.2.1", challenge: "192.0.2.2", deny: "192.0.2.3" };

async function assessSessions({ idp }: TestTenant): Promise<void> {
  await idp.users.provision("ada");
  for (const ip of Object.values(addresses)) {
    await idp.sentinel.assess("ada", { ip, ua: "Mozilla/5.0" });
  }
  for (let count = 0; count < 3; count += 1) {
    await idp.sentinel.assess("ada", { ip: "203.0.113.9", ua: "python-requests/2.32.3" });
  }
}

const explainAndJudge: Scenario = async (place) => {
  const tenant = await createTenant(place, "Risk");
  await assessSessions(tenant);
  return await withConsole(place, tenant.token, async (opened) => {
    await opened.goTo("/risk?recommendation=deny", "Risk");
    await opened.press("Explain");
    const table = opened.dialog.getByRole("table", { name: "From the prior to the score" });
    await table.getByText("Prior: 5 % of sessions are fraud").waitFor();
    const rows = await table.getByRole("row").allInnerTexts();
    await opened.dialog.getByText("Every number of the score").click();
    const contributions = opened.dialog.getByRole("table", { name: "What each contribution is" });
    await contributions.getByText("A rule").waitFor();
    const steps = opened.dialog.getByRole("table", { name: "Steps to the score" });
    const numbers = await steps.getByRole("row").allInnerTexts();
    await opened.press("It was fraud", opened.dialog);
    await opened.waitForNotice("The verdict is recorded.");
    await opened.dialog.getByText("Fraud", { exact: true }).waitFor();
    await opened.press("Open the user", opened.dialog);
    await opened.heading("ada").waitFor();
    const judged = await tenant.idp.sentinel.assessments({ outcome: "fraud" }).page();
    return findProblems(
      [/0\.9500/.test(rows.at(-1) ?? ""), `the last row is ${rows.at(-1)}`],
      [
        numbers.some((row) => /risk_score.*1 \/ \(1 \+ exp\(-sum\)\).*0\.95/s.test(row)),
        `the numbers are ${numbers.join(" | ")}`,
      ],
      [judged.items.length === 1, `${judged.items.length} sessions have the verdict`],
    );
  });
};

const changeThreshold: Scenario = async (place) => {
  const tenant = await createTenant(place, "Thresholds");
  await assessSessions(tenant);
  return await withConsole(place, tenant.token, async (opened) => {
    await opened.goTo("/risk/thresholds", "Thresholds");
    await opened.page.getByText("No recommendation would change.").waitFor();
    await opened.page.getByLabel("Challenge from").fill("0.02");
    const changed = opened.page.getByText(/^\d+ recommendations? would change\.$/);
    await changed.waitFor();
    await opened.page.getByRole("table", { name: "Sessions that would change" }).waitFor();
    const before = await tenant.idp.settings.get();
    await opened.press("Save the thresholds");
    await opened.dialog.getByText("Challenge from: 0.5 → 0.02").waitFor();
    await opened.press("Save", opened.dialog);
    await opened.waitForNotice("The thresholds are saved.");
    const { challenge_at } = (await tenant.idp.settings.get()).settings.sentinel;
    return findProblems(
      [before.settings.sentinel.challenge_at === 0.5, "the sliders alone changed the policy"],
      [challenge_at === 0.02, `challenge_at is ${challenge_at}`],
    );
  });
};

export const riskScenarios: ReadonlyMap<string, Scenario> = new Map([
  ["a score is explained from the prior on, and judged", explainAndJudge],
  ["a threshold is tried out, and saved", changeThreshold],
]);
