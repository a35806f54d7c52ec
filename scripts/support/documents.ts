/** What `npm run check:docs` checks in the Markdown documents. */
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

/** A mention of a file or folder of the repository in backticks; source folders may leave out `src/`. */
const mention = /`((?:src|test|scripts|bench|docs|migrations|\.ci)\/[\w./*-]*)`/g;

function withoutCode(text: string): string {
  return text.replaceAll(/^```.*?^```$/gms, "");
}

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(" ", "-");
}

function anchorsOf(text: string): Set<string> {
  const headings = [...withoutCode(text).matchAll(/^#+ (.*)$/gm)];
  return new Set(headings.map(([, heading = ""]) => anchorOf(heading)));
}

function exists(root: string, path: string): boolean {
  return path.includes("*")
    ? globSync(path, { cwd: root }).length > 0
    : existsSync(join(root, path));
}

/** One sentence for each relative link, anchor and mentioned file that does not exist. */
export function findBrokenReferences(root: string, file: string): string[] {
  const text = withoutCode(readFileSync(join(root, file), "utf8"));
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = ""]) => link);
  const brokenLinks = links.flatMap((link) => {
    if (/^[a-z]+:/.test(link)) return [];
    const [path = "", anchor] = link.split("#");
    const target = path === "" ? file : relative(root, join(root, dirname(file), path));
    if (!existsSync(join(root, target))) return [`${file}: ${link} does not exist`];
    if (anchor === undefined) return [];
    return anchorsOf(readFileSync(join(root, target), "utf8")).has(anchor)
      ? []
      : [`${file}: ${target} has no heading for #${anchor}`];
  });
  const mentions = new Set([...text.matchAll(mention)].map(([, path = ""]) => path));
  const brokenMentions = [...mentions]
    .filter((path) => !exists(root, path))
    .map((path) => `${file}: ${path} does not exist`);
  return [...brokenLinks, ...brokenMentions];
}

type Paths = Readonly<Record<string, Readonly<Record<string, { readonly description: string }>>>>;

/** The permission as the README spells it; a description names it in backticks. */
function permissionOf(description: string): string {
  const [, permission = "none"] = /^Permission: `(.*)`\.$/m.exec(description) ?? [];
  return permission === "operator" ? "operator token" : permission;
}

/** One sentence for each operation that the README's table lacks, has too many, or lists wrongly. */
export function findOperationProblems(readme: string, paths: Paths): string[] {
  const listed = new Map<string, string>();
  for (const [, operations = "", permission = ""] of readme.matchAll(
    /^\| ((?:`[A-Z]+ \/[^`]*`(?:, )?)+) \| ([^|]*) \|/gm,
  )) {
    for (const [, operation = ""] of operations.matchAll(/`([^`]+)`/g)) {
      listed.set(operation, permission.replaceAll("`", ""));
    }
  }
  const documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { description }]) => ({
      operation: `${method.toUpperCase()} ${path}`,
      permission: permissionOf(description),
    })),
  );
  const known = new Set<string>(documented.map(({ operation }) => operation));
  return [
    ...documented.flatMap(({ operation, permission }) =>
      listed.get(operation) === permission
        ? []
        : [`README.md: the table must list ${operation} with the permission ${permission}`],
    ),
    ...[...listed.keys()]
      .filter((operation) => !known.has(operation))
      .map((operation) => `README.md: the table lists ${operation}, which does not exist`),
  ];
}

const maxAppLines = 99;

/** One sentence if the login app is longer than it promises, or if its README states another length. */
export function findLengthProblems(readme: string, app: string): string[] {
  const lines = app.trimEnd().split("\n").length;
  const [, stated = "no"] = /\bin (\d+) lines\b/.exec(readme) ?? [];
  return [
    ...(lines <= maxAppLines
      ? []
      : [`examples/login/app.ts has ${lines} lines; at most ${maxAppLines} are allowed`]),
    ...(stated === String(lines)
      ? []
      : [`examples/login/README.md states ${stated} lines; app.ts has ${lines}`]),
  ];
}
