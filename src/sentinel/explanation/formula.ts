/**
 * Evaluates a formula of an explanation (pure): numbers, names, `+ - * / ^`, parentheses, `ln`, `exp`, `min`, `max`
 * and `sum`. A value is a number, or a list with a number for each kind of attacker; the operators work on lists kind
 * by kind, and `sum` adds the numbers of one list.
 */
export type Value = number | readonly number[];

type Values = ReadonlyMap<string, Value>;

function combine(left: Value, right: Value, apply: (a: number, b: number) => number): Value {
  if (typeof left === "number" && typeof right === "number") return apply(left, right);
  const list = typeof left === "number" ? right : left;
  if (typeof list === "number") throw new TypeError("A list was expected");
  const at = (value: Value, index: number) =>
    typeof value === "number" ? value : (value[index] ?? Number.NaN);
  return list.map((_one, index) => apply(at(left, index), at(right, index)));
}

function map(value: Value | undefined, apply: (one: number) => number): Value {
  if (value === undefined) throw new TypeError("A function has no argument");
  return typeof value === "number" ? apply(value) : value.map(apply);
}

function addAll(value: Value | undefined): number {
  if (value === undefined || typeof value === "number") {
    throw new TypeError("Only a list has a sum");
  }
  return value.reduce((sum, one) => sum + one, 0);
}

function call(name: string, values: readonly Value[]): Value {
  switch (name) {
    case "ln":
      return map(values[0], Math.log);
    case "exp":
      return map(values[0], Math.exp);
    case "sum":
      return addAll(values[0]);
    case "min":
      return values.reduce((left, right) => combine(left, right, Math.min));
    case "max":
      return values.reduce((left, right) => combine(left, right, Math.max));
    default:
      throw new SyntaxError(`A formula has no function ${name}`);
  }
}

const tokenPattern = /\d+(?:\.\d+)?(?:e[+-]?\d+)?|[A-Za-z_][\w.]*|[-+*/^(),]/g;
const operations: Readonly<Record<string, (a: number, b: number) => number>> = {
  "+": (a, b) => a + b,
  "-": (a, b) => a - b,
  "*": (a, b) => a * b,
  "/": (a, b) => a / b,
};

class Reader {
  readonly #tokens: readonly string[];
  readonly #values: Values;
  #next = 0;

  constructor(formula: string, values: Values) {
    this.#tokens = formula.match(tokenPattern) ?? [];
    this.#values = values;
  }

  read(): Value {
    const value = this.#readSum();
    if (this.#peek() !== undefined) throw new SyntaxError("A formula goes on after its end");
    return value;
  }

  #peek(): string | undefined {
    return this.#tokens[this.#next];
  }

  #take(): string {
    const token = this.#peek();
    if (token === undefined) throw new SyntaxError("A formula ends too soon");
    this.#next += 1;
    return token;
  }

  #expect(wanted: string): void {
    if (this.#take() !== wanted) throw new SyntaxError(`A formula lacks ${wanted}`);
  }

  #readChain(signs: readonly string[], readOperand: () => Value): Value {
    let value = readOperand();
    for (let sign = this.#peek(); sign && signs.includes(sign); sign = this.#peek()) {
      this.#next += 1;
      const apply = operations[sign];
      if (apply !== undefined) value = combine(value, readOperand(), apply);
    }
    return value;
  }

  #readSum(): Value {
    return this.#readChain(["+", "-"], () => this.#readChain(["*", "/"], () => this.#readSigned()));
  }

  /** A sign binds more weakly than a power: -2 ^ 2 is -4. */
  #readSigned(): Value {
    if (this.#peek() !== "-") return this.#readPower();
    this.#next += 1;
    return map(this.#readSigned(), (one) => -one);
  }

  #readPower(): Value {
    const base = this.#readOperand();
    if (this.#peek() !== "^") return base;
    this.#next += 1;
    return combine(base, this.#readSigned(), (a, b) => a ** b);
  }

  #readOperand(): Value {
    const token = this.#take();
    if (token === "(") {
      const value = this.#readSum();
      this.#expect(")");
      return value;
    }
    if (/^\d/.test(token)) return Number(token);
    if (this.#peek() === "(") return this.#readCall(token);
    const value = this.#values.get(token);
    if (value === undefined)
      throw new ReferenceError(`A formula names ${token}, which has no value`);
    return value;
  }

  #readCall(name: string): Value {
    this.#expect("(");
    const values = [this.#readSum()];
    while (this.#peek() === ",") {
      this.#next += 1;
      values.push(this.#readSum());
    }
    this.#expect(")");
    return call(name, values);
  }
}

/** @throws an error if the formula is none, or names a value that is not there */
export function evaluate(formula: string, values: Values): Value {
  return new Reader(formula, values).read();
}
