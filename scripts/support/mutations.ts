/** Finds the mutants of a source file: small changes that a test should notice. */
import { parseAst } from "vitest/node";

export interface Mutant {
  /** File, line of code and change, so that changes elsewhere in the file keep it. */
  readonly id: string;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** The text of the whole mutated file. */
  readonly text: string;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
}

/** Replaces a range of the source by a text. */
interface Change {
  readonly start: number;
  readonly end: number;
  readonly by: string;
}

const maxShownCharacters = 60;

const otherOperators: Readonly<Record<string, readonly string[]>> = {
  "<": ["<=", ">="],
  "<=": ["<", ">"],
  ">": [">=", "<="],
  ">=": [">", "<"],
  "===": ["!=="],
  "!==": ["==="],
  "&&": ["||"],
  "||": ["&&"],
  "+": ["-"],
  "-": ["+"],
  "*": ["/"],
  "/": ["*"],
  "%": ["*"],
  "**": ["*"],
  "&": ["|"],
  "|": ["&"],
  "^": ["&"],
  "<<": [">>"],
  ">>": ["<<"],
  ">>>": ["<<"],
};

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}

function fieldOf(node: Node, name: string): unknown {
  return Object.getOwnPropertyDescriptor(node, name)?.value;
}

function childOf(node: Node, name: string): Node | undefined {
  const child = fieldOf(node, name);
  return isNode(child) ? child : undefined;
}

/** Types are erased before a run, and a changed import would only fail to load. */
function isSkipped({ type }: Node): boolean {
  const wrapsCode = ["TSAsExpression", "TSSatisfiesExpression", "TSNonNullExpression"];
  return (type.startsWith("TS") && !wrapsCode.includes(type)) || type === "ImportDeclaration";
}

function* childrenOf(node: Node): Generator<Node> {
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) yield child;
  }
}

function* walkCode(node: Node): Generator<Node> {
  yield node;
  for (const child of childrenOf(node)) if (!isSkipped(child)) yield* walkCode(child);
}

/** Replaces an operator, and `??` by each of its operands. */
function findOperatorChanges(node: Node, source: string): Change[] {
  const [left, right] = [childOf(node, "left"), childOf(node, "right")];
  const operator = fieldOf(node, "operator");
  if (left === undefined || right === undefined || typeof operator !== "string") return [];
  if (operator === "??") {
    const [start, end] = [node.start, node.end];
    return [left, right].map((kept) => ({ start, end, by: source.slice(kept.start, kept.end) }));
  }
  const start = source.indexOf(operator, left.end);
  const end = start + operator.length;
  return (otherOperators[operator] ?? []).map((by) => ({ start, end, by }));
}

function findLiteralChanges(node: Node): Change[] {
  const { start, end } = node;
  const value = fieldOf(node, "value");
  if (typeof value === "boolean") return [{ start, end, by: String(!value) }];
  if (typeof value !== "number") return [];
  const others = value === 0 ? [1] : [value + 1, value - 1];
  return others.map((other) => ({ start, end, by: String(other) }));
}

function negate(test: Node | undefined, source: string): Change[] {
  if (test === undefined) return [];
  const { start, end } = test;
  return [{ start, end, by: `!(${source.slice(start, end)})` }];
}

function findChanges(node: Node, source: string): Change[] {
  const { type, start, end } = node;
  const argument = childOf(node, "argument");
  switch (type) {
    case "BinaryExpression":
    case "LogicalExpression":
      return findOperatorChanges(node, source);
    case "IfStatement":
    case "ConditionalExpression":
    case "WhileStatement":
      return negate(childOf(node, "test"), source);
    case "UnaryExpression": {
      const operator = fieldOf(node, "operator");
      if (argument === undefined || (operator !== "!" && operator !== "-")) return [];
      return [{ start, end, by: source.slice(argument.start, argument.end) }];
    }
    case "ExpressionStatement":
      return typeof fieldOf(node, "directive") === "string" ? [] : [{ start, end, by: ";" }];
    case "ThrowStatement":
      return [{ start, end, by: ";" }];
    case "ReturnStatement":
      if (argument === undefined || source.slice(argument.start, argument.end) === "undefined") {
        return [];
      }
      return [{ start: argument.start, end: argument.end, by: "undefined" }];
    case "ArrowFunctionExpression": {
      const body = childOf(node, "body");
      if (body === undefined || body.type === "BlockStatement") return [];
      // The whole body, with the parentheses around an object.
      const from = source.lastIndexOf("=>", body.start) + 2;
      return [{ start: from, end, by: " undefined" }];
    }
    case "Literal":
      return findLiteralChanges(node);
    case "ArrayExpression": {
      const elements = fieldOf(node, "elements");
      return Array.isArray(elements) && elements.length > 0 ? [{ start, end, by: "[]" }] : [];
    }
    case "MemberExpression":
    case "CallExpression": {
      const inner = childOf(node, type === "CallExpression" ? "callee" : "object");
      if (inner === undefined || fieldOf(node, "optional") !== true) return [];
      const mark = source.indexOf("?.", inner.end);
      const isCallOrIndex = /[([]/.test(source[mark + 2] ?? "");
      return [{ start: mark, end: mark + 2, by: isCallOrIndex ? "" : "." }];
    }
    default:
      return [];
  }
}

function clip(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > maxShownCharacters ? `${line.slice(0, maxShownCharacters)}…` : line;
}

/** All mutants of a TypeScript file, in source order. */
export function findMutants(file: string, source: string): Mutant[] {
  const program: unknown = parseAst(source, { lang: "ts" });
  if (!isNode(program)) throw new Error(`${file} cannot be parsed`);
  const changes = [...walkCode(program)]
    .flatMap((node) => findChanges(node, source))
    .toSorted((a, b) => a.start - b.start || a.end - b.end);
  const seen = new Map<string, number>();
  const known = new Set<string>();
  return changes.flatMap(({ start, end, by }) => {
    const text = source.slice(0, start) + by + source.slice(end);
    if (known.has(text) || text === source) return [];
    known.add(text);
    const before = source.slice(0, start);
    const lineStart = before.lastIndexOf("\n") + 1;
    const lineEnd = source.indexOf("\n", start);
    const code = clip(source.slice(lineStart, lineEnd));
    const what = `${file} | ${code} | ${clip(source.slice(start, end))} => ${clip(by)}`;
    const times = (seen.get(what) ?? 0) + 1;
    seen.set(what, times);
    const id = times === 1 ? what : `${what} (${times})`;
    return [{ id, file, line: before.split("\n").length, text }];
  });
}
