/** The page at /console in a browser, on the real service. */
import { EdgeIdp } from "@edge-idp/sdk";
import { LocalService } from "../e2e/local-service.ts";
import { copyProject } from "../e2e/project-copy.ts";
import { type BrowserPlace, root } from "./browser.ts";
import { administrationScenarios } from "./console/administration-scenarios.ts";
import type { ConsolePlace, Scenario } from "./console/console-place.ts";
import { destinationScenarios } from "./console/destination-scenarios.ts";
import { hostileScenarios } from "./console/hostile-scenarios.ts";
import { lookScenarios } from "./console/look-scenarios.ts";
import { riskScenarios } from "./console/risk-scenarios.ts";
import { sessionScenarios } from "./console/session-scenarios.ts";
import { trailScenarios } from "./console/trail-scenarios.ts";
import { userScenarios } from "./console/user-scenarios.ts";

const scenarios: readonly (readonly [string, Scenario])[] = [
  ...sessionScenarios,
  ...userScenarios,
  ...riskScenarios,
  ...trailScenarios,
  ...administrationScenarios,
  ...destinationScenarios,
  ...lookScenarios,
  ...hostileScenarios,
];

/** An error is a problem like the others. */
async function runScenario(scenario: Scenario, place: ConsolePlace): Promise<string[]> {
  try {
    return await scenario(place);
  } catch (error) {
    return [String(error)];
  }
}

export async function checkConsole({ browser, report, closing }: BrowserPlace): Promise<void> {
  const copy = copyProject(root);
  closing.push(async () => copy.remove());
  const service = await LocalService.create(copy);
  closing.push(() => service.close());
  await service.waitUntilReady();
  const { url, operatorToken } = service;
  const operator = new EdgeIdp({ url, token: operatorToken });
  const place = { browser, url, operatorToken, operator };
  for (const [title, scenario] of scenarios) {
    report.add(`the console: ${title}`, await runScenario(scenario, place));
  }
}
