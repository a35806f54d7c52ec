/** The problems that `npm run check:supply` finds in a lockfile and in the documents. */
import { describe, expect, it } from "vitest";
import { checkLockfile, findUnexplained, isAllowed } from "../../scripts/support/dependencies.ts";

const sound = { version: "1.0.0", license: "MIT", integrity: "sha512-x" };

function lockfile(one: object, name = "thing"): string {
  return JSON.stringify({ packages: { "": {}, [`node_modules/${name}`]: { ...sound, ...one } } });
}

describe("A locked package", () => {
  it("passes with a SHA-512, a licence that may be shipped, and no script", () => {
    expect(checkLockfile(lockfile({}), false)).toEqual({ packages: 1, shipped: 1, problems: [] });
  });

  it.each([
    ["without a hash", { integrity: undefined }, "has no SHA-512 in the lockfile"],
    ["with a weak hash", { integrity: "sha1-x" }, "has no SHA-512 in the lockfile"],
    ["without a licence", { license: undefined }, "has the licence none named"],
    ["that may not be shipped", { license: "MPL-2.0" }, "has the licence MPL-2.0"],
    ["that wants to run a script", { hasInstallScript: true }, "wants to run a script"],
  ])("%s is reported", (_title, one, problem) => {
    expect(checkLockfile(lockfile(one), false).problems).toEqual([`thing@1.0.0 ${problem}`]);
  });

  it("may have more licences if it is a tool, and a script only if it is on the list", () => {
    const tool = { dev: true, license: "MPL-2.0", hasInstallScript: true };
    expect(checkLockfile(lockfile(tool, "workerd"), false).problems).toEqual([]);
    expect(checkLockfile(lockfile({ ...tool, dev: false }), true).problems).toHaveLength(1);
    expect(
      checkLockfile(lockfile({ ...tool, dev: false }, "workerd"), false).problems,
    ).toHaveLength(2);
    expect(
      checkLockfile(lockfile({ dev: true, license: "AGPL-3.0" }), false).problems,
    ).toHaveLength(1);
  });
});

it("A workspace and its link are not checked, but the packages installed in it are", () => {
  const workspace = { bench: { name: "@a/bench", version: "1.0.0" } };
  const link = { "node_modules/@a/bench": { resolved: "bench", link: true } };
  const own = { "bench/node_modules/thing": { ...sound, dev: true } };
  const packages = { "": {}, ...workspace, ...link, ...own };
  expect(checkLockfile(JSON.stringify({ packages }), false)).toEqual({
    packages: 1,
    shipped: 0,
    problems: [],
  });
});

it.each([
  ["MIT", true],
  ["MIT OR GPL-3.0", true],
  ["MIT AND GPL-3.0", false],
  ["(MIT OR Apache-2.0) AND GPL-3.0", false],
  ["(MIT OR Apache-2.0) AND ISC", true],
  ["SEE LICENSE IN FILE", false],
])("The licence %s is allowed: %s", (licence, isFine) => {
  expect(isAllowed(licence)).toBe(isFine);
});

it("Each dependency needs a reason and a use, and each reason needs a dependency", () => {
  const manifest = JSON.stringify({ dependencies: { used: "1", unused: "1" } });
  const tools = JSON.stringify({ devDependencies: { tool: "1", "no-reason": "1" } });
  const document =
    "# A\n\n## Tools, and why\n\n| dependency | for |\n| --- | --- |\n| `used` (`tool`), `unused` | `this` |\n| `gone` | that |\n";
  expect(findUnexplained([manifest, tools], document, ['import "used/part";'])).toEqual([
    "no-reason has no reason in docs/architecture.md",
    "docs/architecture.md has a reason for gone, which is not there",
    "unused is shipped and not used",
  ]);
});
