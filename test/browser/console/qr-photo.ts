/** Reads a QR code from the pixels of a page, with a library that did not draw it. */
import jsqr from "jsqr";
import type { Browser, Locator } from "playwright-core";

// The package has the declarations of an ES module, and is none.
const decode = "default" in jsqr && typeof jsqr.default === "function" ? jsqr.default : jsqr;

interface Picture {
  readonly width: number;
  readonly height: number;
  readonly pixels: number[];
}

/** @returns the text; undefined if no code can be read */
export async function readQrCode(browser: Browser, place: Locator): Promise<string | undefined> {
  const png = await place.screenshot();
  const page = await browser.newPage();
  try {
    const { width, height, pixels }: Picture = await page.evaluate(async (base64) => {
      const { atob, createImageBitmap, OffscreenCanvas, Blob } = Object(globalThis);
      const bytes = Uint8Array.from(atob(base64), (letter: string) => letter.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes]));
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
      context.drawImage(bitmap, 0, 0);
      const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
      return { width: bitmap.width, height: bitmap.height, pixels: Array.from(data) };
    }, png.toString("base64"));
    return decode(Uint8ClampedArray.from(pixels), width, height)?.data;
  } finally {
    await page.close();
  }
}
