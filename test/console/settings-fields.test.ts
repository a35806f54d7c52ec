import { describe, expect, it } from "vitest";
import { createSettingsSchema, listAuditActions } from "../../console/described-api.ts";
import {
  createPatch,
  labelOf,
  listFields,
  parseText,
  readValue,
  type SettingField,
  toText,
} from "../../console/src/pages/settings/fields.ts";
import document from "../../docs/openapi.json";
import { auditActions } from "../../src/audit/event.ts";
import { Tenant } from "../support/client.ts";

const api = JSON.parse(JSON.stringify(document));
const fields = listFields(createSettingsSchema(api));

function fieldOf(path: string): SettingField {
  const field = fields.find((one) => one.path.join(".") === path);
  if (field === undefined) throw new Error(`There is no setting ${path}.`);
  return field;
}

describe("The forms of the console", () => {
  it("have a field for every setting of the service", async () => {
    const tenant = await Tenant.create();
    const { settings } = (await tenant.send("GET", "/v1/settings")).body;
    const sections = [...new Set(fields.map(({ path: [section] }) => section))];
    const known = Object.keys(settings).filter((name) => sections.includes(name));
    expect(sections.toSorted()).toEqual(known.toSorted());
    for (const [section, values] of Object.entries<object>(settings)) {
      if (!sections.includes(section)) continue;
      for (const name of Object.keys(values)) {
        const paths = fields.map(({ path }) => path.slice(0, 2).join("."));
        expect(paths).toContain(`${section}.${name}`);
      }
    }
  });

  it("send a change that the service takes, and nothing else", async () => {
    const tenant = await Tenant.create();
    const typed = [
      ["lockout.lock_seconds", "60"],
      ["sentinel.signals_off", "velocity\n hour_of_week \n"],
      ["sentinel.kinds.phisher.challenge_at", "0.2"],
      ["passkeys.rp_name", "Example"],
    ] as const;
    const changes = typed.map(([path, text]) => {
      const field = fieldOf(path);
      return { field, before: null, after: parseText(field, text) ?? null };
    });
    const answer = await tenant.send("PATCH", "/v1/settings", { settings: createPatch(changes) });
    expect(answer.status).toBe(200);
    const values = typed.map(([path]) => readValue(answer.body.settings, path.split(".")));
    expect(values).toEqual([60, ["velocity", "hour_of_week"], 0.2, "Example"]);
    const cleared = [{ field: fieldOf("passkeys.rp_name"), before: "Example", after: null }];
    const body = { settings: createPatch(cleared) };
    expect((await tenant.send("PATCH", "/v1/settings", body)).body.settings.passkeys.rp_name).toBe(
      null,
    );
  });

  it("refuse what is no number, and tell nothing from an empty field that may be", () => {
    const seconds = fieldOf("lockout.lock_seconds");
    expect(["", "many", "1.5"].map((text) => parseText(seconds, text))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(parseText(fieldOf("passkeys.rp_id"), "")).toBe(null);
    expect(toText(null)).toBe("");
  });

  it("call settings by their names", () => {
    expect(labelOf(["lockout", "max_failed_attempts"])).toBe("Lockout · max failed attempts");
  });

  it("filter the trail by every action", () => {
    expect(listAuditActions(api).toSorted()).toEqual([...auditActions].toSorted());
  });
});
