/** QR codes as SVG. */
import { renderSVG } from "uqr";

/** The light margin that ISO/IEC 18004 asks for on each side; readers miss codes with less. */
export const quietZoneModules = 4;

/** The code on a white ground of its own, so that it can be read on a dark page. */
export function drawQrSvg(text: string): string {
  return renderSVG(text, { border: quietZoneModules, whiteColor: "white", blackColor: "black" });
}
