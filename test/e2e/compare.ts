/**
 * Compares an answer with the one that a document shows. A value that differs from run to run is
 * recognised by its form and replaced by the name of that form; everything else must be equal.
 */

/** The order matters: parts of an API token look like other forms. */
const forms: readonly (readonly [RegExp, string])[] = [
  [/\bidp_(?:live|test)_[0-9A-Za-z]{40,}\b/g, "<API token>"],
  [/\bwhsec_[0-9A-Za-z+/]{32,}={0,2}/g, "<webhook secret>"],
  [/\bdvc_[0-9A-Za-z_-]{27}(?![0-9A-Za-z_-])/g, "<device token>"],
  [/\beyJ[0-9A-Za-z_-]+\.eyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_-]+/g, "<step-up token>"],
  [/\b[A-Z2-7]{32}\b/g, "<TOTP secret>"],
  [/\b[0-9a-f]{64}\b/g, "<SHA-256>"],
  [/\b[0-9a-f]{32}\b/g, "<nonce>"],
  [/\b[0-9a-f]{48}\b/g, "<assessment id>"],
  [/\b[0-9a-f]{24}\b/g, "<id>"],
  [/[A-Za-z0-9+/]{43}=/g, "<public key>"],
  // The number of events depends on the steps before.
  [/\b\d+ leaves\b/g, "<leaves>"],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "<time>"],
  [/\b[A-HJ-NPR-Z]{4}-\d{4}\b/g, "<backup code>"],
  // The drawing differs with the secret; its size does not.
  [/^[ █▀▄]{20,}$/gm, "<QR row>"],
];

function maskForms(text: string): string {
  return forms.reduce((result, [form, name]) => result.replaceAll(form, name), text);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Numbers that depend on the steps before, or on the machine. */
const counterPath = /\.(leaf_index|cursor|milliseconds)$/;
/** Texts in base64url that differ from run to run. */
const randomPath = /(^|\.)(challenge|user\.id|user_handle)$/;

function isBase64url(value: unknown): boolean {
  return typeof value === "string" && /^[A-Za-z0-9_-]{16,}$/.test(value);
}

function compareValues(shown: unknown, got: unknown, path: string): string[] {
  if (counterPath.test(path) && typeof shown === "number" && typeof got === "number") return [];
  if (randomPath.test(path) && isBase64url(shown) && isBase64url(got)) return [];
  if (Array.isArray(shown) && Array.isArray(got)) {
    if (shown.length !== got.length) {
      return [
        `${path || "the whole"}: the document shows ${shown.length} entries, the answer has ${got.length}`,
      ];
    }
    return shown.flatMap((value, index) => compareValues(value, got[index], `${path}[${index}]`));
  }
  if (isObject(shown) && isObject(got)) {
    return [...new Set([...Object.keys(shown), ...Object.keys(got)])].flatMap((key) => {
      const name = path === "" ? key : `${path}.${key}`;
      if (!Object.hasOwn(got, key)) return [`${name}: the document shows it, the answer lacks it`];
      if (!Object.hasOwn(shown, key)) return [`${name}: the answer has it, the document does not`];
      return compareValues(shown[key], got[key], name);
    });
  }
  const [left, right] = [shown, got].map((value) => maskForms(JSON.stringify(value)));
  const position = path || "the whole";
  return left === right ? [] : [`${position}: the document shows ${left}, the answer has ${right}`];
}

function compareLines(shown: string, got: string): string[] {
  const [left, right] = [shown, got].map((text) => maskForms(text.trimEnd()).split("\n"));
  const length = Math.max(left?.length ?? 0, right?.length ?? 0);
  return Array.from({ length }, (_, index) => index).flatMap((index) => {
    const [a, b] = [left?.[index]?.trimEnd(), right?.[index]?.trimEnd()];
    if (a === b) return [];
    const line = `line ${index + 1}`;
    return [
      `${line}: the document shows ${JSON.stringify(a)}, the answer has ${JSON.stringify(b)}`,
    ];
  });
}

/** Each difference as one sentence; empty when the answer is as shown. */
export function findDifferences(shown: string, got: string): string[] {
  const expected = parseJson(shown);
  if (expected === undefined) return compareLines(shown, got);
  const answer = parseJson(got);
  if (answer === undefined) return [`expected JSON, got: ${got.trim() || "nothing"}`];
  return compareValues(expected, answer, "");
}
