/** Text that the command prints: names that others chose cannot control the terminal. */
import { describe, expect, it } from "vitest";
import { quoteForShell } from "../../packages/cli/src/shell.ts";
import { formatTable, toPrintable } from "../../packages/cli/src/text.ts";

describe("Printable text", () => {
  it.each([
    ["an escape sequence", "\u001b[2J", "\\u{1b}[2J"],
    ["a line break", "a\nb", "a\\u{a}b"],
    ["a change of direction", "a\u202eb", "a\\u{202e}b"],
    ["a separator of lines", "a\u2028b", "a\\u{2028}b"],
  ])("shows %s as its number", (_title, text, shown) => {
    expect(toPrintable(text)).toBe(shown);
  });

  it("leaves letters of all languages as they are", () => {
    expect(toPrintable("Größe 株式会社 😀")).toBe("Größe 株式会社 😀");
  });

  it("is aligned in tables, also when a name has control characters", () => {
    expect(
      formatTable([
        ["A", "NAME"],
        ["1", "x\ty"],
        ["22", "z"],
      ]),
    ).toBe("A   NAME\n1   x\\u{9}y\n22  z\n");
  });
});

describe("A proposed command", () => {
  it.each([
    ["https://idp.example.com/a", "https://idp.example.com/a"],
    ["my secrets.vars", "'my secrets.vars'"],
    ["it's", `'it'\\''s'`],
    ["$(reboot)", "'$(reboot)'"],
  ])("quotes %s for the shell", (text, quoted) => {
    expect(quoteForShell(text)).toBe(quoted);
  });
});
