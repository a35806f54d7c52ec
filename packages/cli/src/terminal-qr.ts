/** Draws QR codes with block characters, two modules in one. */
import { renderUnicodeCompact } from "uqr";
import { quietZoneModules } from "../../../src/otp/qr-code.ts";

/** White characters on black, from the part of the 256 colours that no theme of a terminal changes. */
const whiteOnBlack = "\u001b[38;5;231;48;5;16m";
const reset = "\u001b[0m";

/** @param isColoured whether the output is a terminal, whose own ground may be light */
export function drawQrForTerminal(
  text: string,
  { isColoured }: { readonly isColoured: boolean },
): string {
  const drawing = renderUnicodeCompact(text, { border: quietZoneModules });
  if (!isColoured) return drawing;
  return drawing
    .split("\n")
    .map((line) => `${whiteOnBlack}${line}${reset}`)
    .join("\n");
}
