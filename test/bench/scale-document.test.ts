import { expect, test } from "vitest";
import { scaleTables } from "../../bench/scale/report.ts";
import document from "../../docs/scale.md?raw";

test.each(Object.entries(scaleTables()))(
  "docs/scale.md has the table of today: %s",
  (_name, text) => {
    expect(document).toContain(text);
  },
);
