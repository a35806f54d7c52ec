/** QR codes need a quiet zone of four modules (ISO/IEC 18004) and a white ground on any page or terminal. */
import { encode } from "uqr";
import { describe, expect, test } from "vitest";
import { drawQrForTerminal } from "../../packages/cli/src/terminal-qr.ts";
import { drawQrSvg } from "../../src/otp/qr-code.ts";

const uri = "otpauth://totp/Acme:a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Acme";
/** The modules without a border; true is dark. */
const modules = encode(uri, { border: 0 }).data;
const size = modules.length + 8;

function isDark(x: number, y: number): boolean {
  return modules[y - 4]?.[x - 4] ?? false;
}

const grid = Array.from({ length: size }, (_row, y) =>
  Array.from({ length: size }, (_module, x) => isDark(x, y)),
);

test("An SVG has a white ground, and four light modules on each side", () => {
  const svg = drawQrSvg(uri);
  const [, width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg) ?? [];
  expect(svg).toContain(`<rect fill="white" width="${width}" height="${height}"/>`);
  expect(width).toBe(height);
  const side = Number(width) / size;
  const drawn = [...svg.matchAll(/M(\d+),(\d+)h(\d+)/g)].map(([, x, y, dx]) => {
    expect(Number(dx)).toBe(side);
    return `${Number(x) / side},${Number(y) / side}`;
  });
  const dark = grid.flatMap((row, y) => row.flatMap((one, x) => (one ? [`${x},${y}`] : [])));
  expect(drawn).toEqual(dark);
});

describe("A drawing for a terminal", () => {
  /** The rows of modules: each line has the upper and the lower half of its characters. */
  const rowsOf = (lines: readonly string[]) =>
    lines.flatMap((line) => [
      [...line].map((character) => character === " " || character === "\u2584"),
      [...line].map((character) => character === " " || character === "\u2580"),
    ]);

  test("has four light modules on each side", () => {
    const rows = rowsOf(drawQrForTerminal(uri, { isColoured: false }).split("\n"));
    expect(rows.slice(0, size)).toEqual(grid);
  });

  test("is white on black in a terminal of any colours", () => {
    const plain = drawQrForTerminal(uri, { isColoured: false }).split("\n");
    const coloured = drawQrForTerminal(uri, { isColoured: true }).split("\n");
    expect(coloured).toEqual(plain.map((line) => `\u001b[38;5;231;48;5;16m${line}\u001b[0m`));
  });
});
