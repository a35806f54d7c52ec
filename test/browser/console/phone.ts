/** What a narrow screen must show without scrolling sideways. */
import type { Page } from "playwright-core";
import { findProblems } from "../watch.ts";

export const phoneWidth = 390;

export async function findOverflow(page: Page, where: string): Promise<string[]> {
  const pixels = await page.evaluate(() => {
    const { document, innerWidth } = Object(globalThis);
    return Number(document.documentElement.scrollWidth) - Number(innerWidth);
  });
  return findProblems([pixels <= 0, `${where} is ${pixels} px wider than the screen`]);
}
