/** Names that a stranger chose: markup, marks of direction, 255 emoji, quotes. */
import { findProblems } from "../watch.ts";
import type { ConsolePage } from "./console-page.ts";
import { createTenant, type Scenario, withConsole } from "./console-place.ts";
import { findOverflow, phoneWidth } from "./phone.ts";

const hostileNames = [
  `<img src=x onerror="globalThis.wasAttacked=1">`,
  "\u202Enimda\u202C \u2067abc\u2069 \u200Fx",
  "😀".repeat(255),
  `"><script>globalThis.wasAttacked=1</script>'\\`,
];

/** Chooses the names of 255 characters that the service accepts. */
function cut(name: string, length: number): string {
  return [...name].slice(0, length).join("");
}

const survivesHostileNames: Scenario = async (place) => {
  const problems: string[] = [];
  for (const name of hostileNames) {
    const { id, token, idp } = await createTenant(place, cut(name, 50));
    const externalId = cut(name, 127);
    await idp.users.provision(externalId);
    const names = { issuer_name: cut(name, 30).replaceAll(":", ""), account_name: "ada" };
    await idp.authenticators.add(externalId, { ...names, name: cut(name, 20) });
    await idp.tokens.create({ name: cut(name, 50), permissions: ["idp:read"] });
    await idp.sentinel.assess(externalId, { ip: "192.0.2.3", ua: cut(name, 500) });
    const user = `/user?${new URLSearchParams({ id: externalId })}`;
    const look = async (opened: ConsolePage, places: readonly string[]) => {
      await opened.page.setViewportSize({ width: phoneWidth, height: 800 });
      for (const where of places) {
        await opened.goTo(where);
        problems.push(...(await findOverflow(opened.page, `${where} with ${name.slice(0, 20)}`)));
      }
      const wasAttacked = await opened.page.evaluate(() => "wasAttacked" in Object(globalThis));
      problems.push(...findProblems([!wasAttacked, `the name ${name} is code`]));
    };
    const tenantPages = ["/users", user, "/trail", "/tokens", "/risk"];
    problems.push(
      ...(await withConsole(place, token, async (opened) => {
        await look(opened, tenantPages);
        await opened.press("Explain");
        await opened.dialog.waitFor();
        await opened.goTo(user);
        await opened.press("Erase");
        await opened.dialog.getByRole("textbox").fill(externalId);
        const isReady = await opened.dialog.getByRole("button", { name: "Erase" }).isEnabled();
        return findProblems([isReady, `${name} cannot be typed to confirm`]);
      })),
      ...(await withConsole(place, place.operatorToken, async (opened) => {
        await look(opened, ["/tenants", `/tenant?id=${id}`]);
        return [];
      })),
    );
  }
  return problems;
};

export const hostileScenarios: ReadonlyMap<string, Scenario> = new Map([
  ["names are text wherever they stand", survivesHostileNames],
]);
