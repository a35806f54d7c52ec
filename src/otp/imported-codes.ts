/**
 * Backup codes that another provider created: in clear, or as the hashes that it stored. A code of a stored hash is
 * recognised by its **recipe**, which computes the provider's hash from the code.
 */
import { base64, base64nopad, hex } from "@scure/base";
import { encodeUtf8, toHex } from "../crypto/bytes.ts";
import { normaliseBackupCode } from "./backup-codes.ts";

export const hashSchemes = ["sha256", "sha512", "pbkdf2"] as const;
export type HashScheme = (typeof hashSchemes)[number];

export const maxImportedCodes = 20;
/** The platform computes no more iterations in one derivation. */
export const maxIterations = 100_000;
const minPbkdf2Bytes = 16;
/** Enough for each scheme with a salt of 64 bytes. */
const maxHashLength = 256;
/** Every attempt with a backup code computes those of the whole set. */
export const maxIterationsOfSet = 200_000;

/** Six letters or digits that are drawn from 36 have about as many codes as the service has of its own: 2.2 · 10⁹. */
const foreignCode = /^[A-Za-z0-9]{6,64}$/;
const totpLength = /^[0-9]{6,8}$/;

/** A code without its dashes, in upper case; undefined for a text that cannot be one of another provider. */
export function stripImportedCode(text: string): string | undefined {
  const code = text.replaceAll("-", "");
  // Tested first, because other letters become ASCII ones in upper case.
  return foreignCode.test(code) ? code.toUpperCase() : undefined;
}

/** The one spelling of a code in clear. One that has the form of the service's own codes has their spelling. */
function normaliseImportedCode(text: string): string | undefined {
  const code = stripImportedCode(text);
  return code && (normaliseBackupCode(code) ?? code);
}

/** Reads a code in clear. One of six to eight digits would be taken for a TOTP code. */
export function readImportedCode(text: string): string | undefined {
  const code = normaliseImportedCode(text.replaceAll(/\s/g, ""));
  return code === undefined || totpLength.test(code) ? undefined : code;
}

/** A code as its set keeps it: its value under a recipe. The recipe of a code in clear is empty. */
export interface ImportedCode {
  readonly recipe: string;
  /** The code in its one spelling; with a recipe, the provider's hash in hex. */
  readonly value: string;
}

interface Pbkdf2Recipe {
  readonly hash: "SHA-256" | "SHA-512";
  readonly iterations: number;
  readonly salt: Uint8Array;
  /** Bytes of the hash. */
  readonly length: number;
}

const digestBytes: Readonly<Record<"sha256" | "sha512", number>> = { sha256: 32, sha512: 64 };

function decode(text: string, coder: { decode(text: string): Uint8Array }): Uint8Array | undefined {
  try {
    return coder.decode(text);
  } catch {
    return undefined;
  }
}

function decodeBase64(text: string): Uint8Array | undefined {
  const plain = text.replaceAll("-", "+").replaceAll("_", "/").replace(/=+$/, "");
  return decode(plain, base64nopad);
}

/** Reads a plain digest, in hex or base64. */
function readDigest(scheme: "sha256" | "sha512", text: string): ImportedCode | undefined {
  const length = digestBytes[scheme];
  const isHex = text.length === 2 * length;
  const digest = isHex ? decode(text.toLowerCase(), hex) : decodeBase64(text);
  return digest?.length === length ? { recipe: scheme, value: toHex(digest) } : undefined;
}

const passlibForm =
  /^\$pbkdf2-(sha256|sha512)\$([1-9][0-9]{0,5})\$([A-Za-z0-9./]*)\$([A-Za-z0-9./]+)$/;
const djangoForm = /^pbkdf2_(sha256)\$([1-9][0-9]{0,5})\$([^$]+)\$([A-Za-z0-9+/]+=*)$/;

/** Reads a hash as Passlib and Devise write it, or as Django does, whose salt is plain text. */
function readPbkdf2(text: string): ImportedCode | undefined {
  const passlib = passlibForm.exec(text);
  const [, hash, iterations, salt = "", checksum = ""] = passlib ?? djangoForm.exec(text) ?? [];
  const saltBytes = passlib ? decodeBase64(salt.replaceAll(".", "+")) : encodeUtf8(salt);
  const digest = decodeBase64(checksum.replaceAll(".", "+"));
  if (hash === undefined || iterations === undefined) return undefined;
  if (saltBytes === undefined || digest === undefined) return undefined;
  const isPossible =
    Number(iterations) <= maxIterations &&
    digest.length >= minPbkdf2Bytes &&
    digest.length <= digestBytes[hash === "sha512" ? "sha512" : "sha256"];
  if (!isPossible) return undefined;
  const recipe = ["pbkdf2", hash, iterations, base64.encode(saltBytes), digest.length].join(" ");
  return { recipe, value: toHex(digest) };
}

/** Reads a hash that another provider stored; undefined for a text that is none of the scheme. */
export function readImportedHash(scheme: HashScheme, text: string): ImportedCode | undefined {
  if (text.length > maxHashLength) return undefined;
  return scheme === "pbkdf2" ? readPbkdf2(text) : readDigest(scheme, text);
}

function parsePbkdf2(recipe: string): Pbkdf2Recipe | undefined {
  const [name, hash, iterations, salt = "", length] = recipe.split(" ");
  if (name !== "pbkdf2") return undefined;
  return {
    hash: hash === "sha512" ? "SHA-512" : "SHA-256",
    iterations: Number(iterations),
    salt: base64.decode(salt),
    length: Number(length),
  };
}

/** The iterations that an attempt computes for a recipe. */
export function iterationsOf(recipe: string): number {
  return parsePbkdf2(recipe)?.iterations ?? 0;
}

/** The spellings in which a provider may have hashed a code: with dashes or without, in any case. */
function spellingsOf(typed: string, hasCases: boolean): readonly string[] {
  const forms = [typed, typed.replaceAll("-", "")];
  const cased = hasCases
    ? forms.flatMap((form) => [form, form.toUpperCase(), form.toLowerCase()])
    : forms;
  return [...new Set(cased)];
}

async function derive(recipe: string, spelling: string): Promise<string> {
  const bytes = new Uint8Array(encodeUtf8(spelling));
  const pbkdf2 = parsePbkdf2(recipe);
  if (pbkdf2 === undefined) {
    const name = recipe === "sha512" ? "SHA-512" : "SHA-256";
    return toHex(new Uint8Array(await crypto.subtle.digest(name, bytes)));
  }
  const { hash, iterations, salt, length } = pbkdf2;
  const key = await crypto.subtle.importKey("raw", bytes, "PBKDF2", false, ["deriveBits"]);
  const algorithm = { name: "PBKDF2", hash, iterations, salt: new Uint8Array(salt) };
  return toHex(new Uint8Array(await crypto.subtle.deriveBits(algorithm, key, length * 8)));
}

/**
 * What a typed code can be in an imported set, under its recipes. PBKDF2 costs too much to be tried in every case of
 * the letters.
 * @param typed without white space, with plain dashes
 */
export async function deriveImportedCodes(
  typed: string,
  recipes: readonly string[],
): Promise<readonly ImportedCode[]> {
  const clear = normaliseImportedCode(typed);
  const derived = recipes.flatMap((recipe) =>
    spellingsOf(typed, iterationsOf(recipe) === 0).map(async (spelling) => ({
      recipe,
      value: await derive(recipe, spelling),
    })),
  );
  return [
    ...(clear === undefined ? [] : [{ recipe: "", value: clear }]),
    ...(await Promise.all(derived)),
  ];
}

/** The text of which an imported code's keyed hash is made. No code in clear has a colon. */
export function describeImportedCode({ recipe, value }: ImportedCode): string {
  return recipe === "" ? value : `${recipe}:${value}`;
}
