/** The browser of `npm run check:browser`, and what each of its checks gets. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";
import type { Report } from "../e2e/report.ts";

export const root = join(import.meta.dirname, "..", "..");

/** A program that the machine must have: npm does not install a browser. */
export const browserName = "chromium";

export interface BrowserPlace {
  readonly browser: Browser;
  readonly report: Report;
  /** Called when all checks have ended or were interrupted, the latest first: a check pushes what it must end. */
  readonly closing: (() => Promise<unknown>)[];
}

/** Drives pages in the browser, and reports what it finds. */
export type BrowserCheck = (place: BrowserPlace) => Promise<void>;

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Starts Chromium without a window. @throws Error if it is not in the search path */
export async function startBrowser(): Promise<Browser> {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const executablePath = folders.map((folder) => join(folder, browserName)).find(isProgram);
  if (executablePath === undefined) throw new Error(`${browserName} is not installed`);
  return await chromium.launch({ executablePath });
}
