/** Codes: the time window, and the spellings that a code may have. */
import { describe, expect, it } from "vitest";
import { Tenant, User } from "../support/client.ts";

const step = 30_000;
const start = Math.floor(Date.parse("2026-03-01T12:00:00Z") / step) * step;

function setClock(tenant: Tenant, time: number): void {
  tenant.clock = new Date(time).toISOString();
}

describe("The code of a time step", () => {
  it.each([
    [-step - 1, 422, "T+2, in its last millisecond"],
    [-step, 200, "T+1, in its first millisecond"],
    [-1, 200, "T+1, in its last millisecond"],
    [0, 200, "T, in its first millisecond"],
    [step - 1, 200, "T, in its last millisecond"],
    [step, 200, "T-1, in its first millisecond"],
    [2 * step - 1, 200, "T-1, in its last millisecond"],
    [2 * step, 422, "T-2, in its first millisecond"],
  ])("that is sent %i ms after the step's start gets a %i (%s)", async (after, status) => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    setClock(tenant, start + after);
    expect((await user.verify(user.code(start))).status).toBe(status);
  });

  it("is accepted only with its leading zeros", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    let time = start;
    while (!user.code(time).startsWith("0")) time += step;
    setClock(tenant, time);
    const code = user.code(time);
    expect((await user.verify(Number(code))).status).toBe(400);
    expect((await user.verify(String(Number(code)))).status).toBe(400);
    expect((await user.verify(code)).status).toBe(200);
  });
});

/** Writes the code with the ten digits that start at the code point `zero`. */
function digitsFrom(zero: number, code: string): string {
  return [...code].map((digit) => String.fromCodePoint(zero + Number(digit))).join("");
}

const malformedCodes: [string, (code: string) => unknown][] = [
  ["a dash within", (code) => `${code.slice(0, 3)}-${code.slice(3)}`],
  ["an en dash within", (code) => `${code.slice(0, 3)}\u2013${code.slice(3)}`],
  ["a NUL after", (code) => `${code}\0`],
  ["a zero-width space after", (code) => `${code}\u200b`],
  ["a byte order mark before", (code) => `\ufeff${code}`],
  ["full-width digits", (code) => digitsFrom(0xff10, code)],
  ["Arabic-Indic digits", (code) => digitsFrom(0x0660, code)],
  ["Devanagari digits", (code) => digitsFrom(0x0966, code)],
  ["mathematical digits", (code) => digitsFrom(0x1d7ce, code)],
  ["five digits", (code) => code.slice(1)],
  ["seven digits", (code) => `0${code}`],
  ["a plus sign", (code) => `+${code}`],
  ["a minus sign", (code) => `-${code}`],
  ["a decimal point", (code) => `${code}.0`],
  ["an exponent", (code) => `${code}e0`],
  ["hexadecimal", (code) => `0x${Number(code).toString(16)}`],
  ["two codes", (code) => `${code},${code}`],
  ["nothing", () => ""],
  ["white space alone", () => " \u3000\n"],
  ["five digits and a space", (code) => `${code.slice(1)} `],
  ["a number", (code) => Number(code)],
  ["the code in a list", (code) => [code]],
  ["a list of digits", (code) => [...code]],
  ["an object", (code) => ({ code })],
  ["an operator of a document store", () => ({ $ne: null })],
  ["null", () => null],
  ["true", () => true],
  ["ten thousand digits", (code) => code.repeat(2_000).slice(0, 10_000)],
  ["a letter whose upper case is in the alphabet", () => "\u017fABC-1234"],
  ["a look-alike of a letter in the alphabet", () => "\u0410BCD-1234"],
  ["a letter that the alphabet leaves out", () => "ABCI-1234"],
  ["a backup code with two dashes", () => "ABCD--1234"],
  ["a backup code with two typographic dashes", () => "ABCD\u2013 \u22121234"],
  ["a backup code with a full-width dash", () => "ABCD\uff0d1234"],
  ["a backup code with a soft hyphen", () => "ABCD\u00ad1234"],
  ["a backup code with a dash elsewhere", () => "ABC-D1234"],
  ["half a backup code", () => "ABCD"],
  ["a backup code with full-width digits", () => "ABCD-\uff11\uff12\uff13\uff14"],
];

describe("A malformed code", () => {
  it("gets a 400, is not an attempt, and leaves the right code usable", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    await user.backupCodes();
    setClock(tenant, start);
    const code = user.code(start);
    for (const [what, spell] of malformedCodes) {
      const { status, body } = await user.verify(spell(code));
      expect({ what, status, code: body.code }).toEqual({
        what,
        status: 400,
        code: "invalid_request",
      });
      expect(body.issues[0].path).toBe("otp.code");
    }
    expect(await user.profile()).toMatchObject({
      failed_attempts: 0,
      is_locked: false,
      backup_codes_remaining: 10,
    });
    expect((await user.events()).map(({ action }) => action)).not.toContain("otp.verified");
    expect((await user.verify(code)).status).toBe(200);
  });

  it("is refused before the user is looked up", async () => {
    const tenant = await Tenant.create();
    const body = (code: string) => ({ otp: { id: "unknown-user", code } });
    const ask = async (code: string) =>
      (await tenant.send("POST", "/v1/idp/otp/verify", body(code))).status;
    expect(await ask("12345")).toBe(400);
    expect(await ask("123456")).toBe(404);
  });
});

const halves = (code: string) => [code.slice(0, 3), code.slice(3)];

const pastedCodes: [string, (code: string) => string][] = [
  ["a space before", (code) => ` ${code}`],
  ["a space within", (code) => halves(code).join(" ")],
  ["a space after each digit", (code) => [...code].map((digit) => `${digit} `).join("")],
  ["a no-break space within", (code) => halves(code).join("\u00a0")],
  ["a narrow no-break space within", (code) => halves(code).join("\u202f")],
  ["an ideographic space after", (code) => `${code}\u3000`],
  ["a tab before and a carriage return and line feed after", (code) => `\t${code}\r\n`],
];

describe("A code as people paste it", () => {
  it.each(pastedCodes)("with %s is the same code", async (_, spell) => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    setClock(tenant, start);
    const code = user.code(start);
    expect((await user.verify(spell(code))).body).toMatchObject({ method: "totp" });
    expect((await user.verify(code)).status).toBe(422);
  });

  it("succeeds once if two spellings are sent in parallel", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const [backup = ""] = await user.backupCodes();
    setClock(tenant, start);
    const code = user.code(start);
    const send = async (...spellings: string[]) => {
      const answers = await Promise.all(spellings.map((spelling) => user.verify(spelling)));
      return answers.map(({ status }) => status).toSorted();
    };
    expect(await send(code, halves(code).join(" "))).toEqual([200, 422]);
    const [letters, digits] = backup.split("-");
    expect(await send(backup, ` ${letters?.toLowerCase()} \u2212 ${digits} `)).toEqual([200, 422]);
  });

  it("may have any typographic dash, or a space, in a backup code", async () => {
    const user = await User.provision(await Tenant.create());
    const backups = await user.backupCodes();
    const dashes = [..."\u2010\u2011\u2012\u2013\u2014\u2015\u2212 ", " \u2013 "];
    for (const [position, dash] of dashes.entries()) {
      const spelled = backups[position]?.replace("-", dash);
      expect((await user.verify(spelled)).body).toMatchObject({ method: "backup_code" });
    }
  });

  it("counts as an attempt if it is wrong", async () => {
    const user = await User.withTotp(await Tenant.create());
    const wrong = user.wrongCode(Date.now());
    expect((await user.verify(halves(wrong).join(" "))).body.attempts_remaining).toBe(4);
    expect((await user.verify("ABCD \u2014 1234")).body.attempts_remaining).toBe(3);
  });
});

describe("Wrong, replayed and spent codes", () => {
  it("get identical answers", async () => {
    const tenant = await Tenant.create();
    const user = await User.withTotp(tenant);
    const codes = await user.backupCodes();
    const [backup = ""] = codes;
    setClock(tenant, start);
    const right = user.code(start);
    const shapes = [];
    for (const code of [user.wrongCode(start), right, backup, "ZZZZ-9999"]) {
      // These two are accepted once first, each before another one. That success also resets the counter.
      if (code === right || code === backup) {
        const later = code === right ? codes[1] : codes[2];
        for (const one of [code, later]) expect((await user.verify(one)).status).toBe(200);
      } else expect((await tenant.send("POST", user.path("/unlock"))).status).toBe(200);
      const { status, body, headers } = await user.verify(code);
      const { request_id, ...rest } = body;
      shapes.push({ status, rest, headers: [...headers.keys()] });
    }
    expect(shapes[0]?.status).toBe(422);
    for (const shape of shapes) expect(shape).toEqual(shapes[0]);
  });
});
