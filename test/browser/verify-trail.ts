/** The page of docs/audit-verification.md, which verifies saved trails with the built verifier, as Node does. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";
import { verifyTrail } from "@edge-idp/sdk/audit";
import type { Page } from "playwright-core";
import { createTrail, exportOf, signCheckpoint, toSaved } from "../support/made-trail.ts";
import type { SavedTrail } from "../support/saved-trail.ts";
import type { BrowserPlace } from "./browser.ts";

const document = join(import.meta.dirname, "../../docs/audit-verification.md");
/** Nothing answers here: the check answers in its place. */
const origin = "https://verifier.test";

interface Case {
  readonly title: string;
  readonly saved: SavedTrail;
  /** The kinds of the problems that must be found; a text for files that cannot be used. */
  readonly expected: readonly string[] | string;
}

async function createCases(): Promise<Case[]> {
  // More than one piece of a stream.
  const { events, checkpoint, saved } = await createTrail(400);
  const keys = JSON.stringify({
    keys: [{ algorithm: "Ed25519", public_key: checkpoint.public_key }],
  });
  const change = (index: number, changes: object) =>
    events.map((event, n) => (n === index ? { ...event, ...changes } : event));
  const swapped = events.map((event, n) => {
    const other = n === 3 ? events[6] : n === 6 ? events[3] : undefined;
    return other === undefined ? event : { ...other, leaf_index: n, leaf_hash: event.leaf_hash };
  });
  const forged = JSON.stringify({ ...checkpoint, note: checkpoint.note.replace("400", "401") });
  const rewritten = await signCheckpoint(events.toReversed());
  return [
    { title: "a good trail", saved, expected: [] },
    { title: "a good trail with keys", saved: { ...saved, keys }, expected: [] },
    {
      title: "an edited event",
      saved: toSaved(change(5, { outcome: "success" }), checkpoint),
      expected: ["changed"],
    },
    {
      title: "a deleted event",
      saved: toSaved(events.toSpliced(4, 1), checkpoint),
      expected: ["missing"],
    },
    {
      title: "two swapped events",
      saved: toSaved(swapped, checkpoint),
      expected: ["moved", "moved"],
    },
    {
      title: "a history with another root",
      saved: toSaved(events, rewritten),
      expected: ["rewritten"],
    },
    {
      title: "an export that is cut off",
      saved: { ...saved, exported: exportOf(events).slice(0, -30) },
      expected: ["malformed"],
    },
    {
      title: "an edited checkpoint",
      saved: { ...saved, checkpoint: forged },
      expected: ["checkpoint"],
    },
    {
      title: "a file that is no checkpoint",
      saved: { ...saved, checkpoint: "{}" },
      expected: "The checkpoint given is not a saved answer of GET /v1/audit/checkpoint.",
    },
  ];
}

function readSample(): string {
  const [, sample] = /```html\n([\s\S]*?)```/.exec(readFileSync(document, "utf8")) ?? [];
  if (sample === undefined) throw new Error(`${document} shows no page`);
  return sample;
}

/** Answers the requests of the page, and lists those that it must not make. */
async function serve(page: Page): Promise<string[]> {
  const unexpected: string[] = [];
  const verifier = readFileSync(fileURLToPath(import.meta.resolve("@edge-idp/sdk/audit")), "utf8");
  await page.route("**/*", async (route) => {
    const url = route
      .request()
      .url()
      .replace(/^http:/, "https:");
    if (url === `${origin}/`) {
      const policy = "default-src 'none'; script-src 'self' 'unsafe-inline'";
      await route.fulfill({
        contentType: "text/html",
        headers: { "Content-Security-Policy": policy },
        body: readSample(),
      });
    } else if (url === `${origin}/audit.js`) {
      await route.fulfill({ contentType: "text/javascript", body: verifier });
    } else {
      unexpected.push(`the page requests ${url}`);
      await route.abort();
    }
  });
  return unexpected;
}

/** Chooses the files in the page, as a person does. @returns what the page shows */
async function verifyInPage(
  page: Page,
  { exported, checkpoint, keys }: SavedTrail,
  address = `${origin}/`,
): Promise<string> {
  await page.goto(address);
  const choose = async (id: string, text: string | Uint8Array) =>
    await page.setInputFiles(`#${id}`, {
      name: id,
      mimeType: "application/octet-stream",
      buffer: Buffer.from(text),
    });
  await choose("export", exported);
  await choose("checkpoint", checkpoint);
  if (keys !== undefined) await choose("keys", keys);
  await page.click("#verify");
  const shown = page.locator("#verdict:not(:empty)");
  await shown.waitFor();
  return await shown.innerText();
}

/** @returns the same text as the page */
async function verifyHere({ exported, ...files }: SavedTrail): Promise<string> {
  const read = () => new Blob([new Uint8Array(Buffer.from(exported))]).stream();
  try {
    const { ok, problems, leaves, newest } = await verifyTrail({ ...files, read });
    const checkpoint = newest && {
      log: newest.head.origin,
      leaves: newest.head.size,
      signed_at: new Date(newest.head.signedAt),
      signed_by: newest.publicKey,
    };
    return JSON.stringify({ ok, problems, leaves, checkpoint }, null, 2);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function kindsOf(shown: string): unknown {
  if (!shown.startsWith("{")) return shown;
  const { problems }: { problems: { kind: string }[] } = JSON.parse(shown);
  return problems.map(({ kind }) => kind);
}

export async function checkTrailVerifier({ browser, report }: BrowserPlace): Promise<void> {
  const page = await browser.newPage();
  const unexpected = await serve(page);
  page.on("pageerror", (error) => unexpected.push(String(error)));
  page.on("console", (message) => unexpected.push(message.text()));
  for (const { title, saved, expected } of await createCases()) {
    const problems: string[] = [];
    const shown = await verifyInPage(page, saved);
    const here = await verifyHere(saved);
    if (shown !== here) problems.push(`Chromium says ${shown}`, `Node says ${here}`);
    if (!isDeepStrictEqual(kindsOf(shown), expected))
      problems.push(`expected ${expected}: ${shown}`);
    report.add(`the verifier in Chromium: ${title}`, problems);
  }
  // Without https, a browser has no Web Crypto: that must not look like a wrong signature.
  const { saved } = await createTrail();
  const shown = await verifyInPage(page, saved, `${origin.replace("https:", "http:")}/`);
  const isExplained = shown.startsWith("This runtime cannot verify Ed25519 signatures");
  report.add("the verifier in Chromium: a page without https", isExplained ? [] : [shown]);
  report.add("the page loads nothing but the verifier, and reports no error", unexpected);
  await page.close();
}
