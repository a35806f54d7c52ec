/** What every journey must read from the answers: one line of JSON for each step. */
import { renew, renewStatus } from "./newer-service.ts";

const user = "ORG_USR_9921_AFG";
/** Events of verifications arrive a second later, so the export may end before them. */
const firstActions = ["tenant.created", "token.created", "user.provisioned", "otp.configured"];

/** The steps in order, each with all that it must have read. */
function listExpected(isNewer: boolean): readonly Record<string, unknown>[] {
  const value = (known: string) => (isNewer ? renew(known) : known);
  const http = (known: number) => (isNewer ? renewStatus(known) : known);
  return [
    { step: "provision", external_id: user, status: value("active") },
    { step: "enrol", is_setup_complete: true },
    { step: "wrong code", http: http(422), code: value("invalid_code"), attempts_remaining: 4 },
    { step: "verify", id: user, status: value("success"), method: value("totp") },
    { step: "list", users: [`${user} ${value("active")}`], has_more: false },
    { step: "export", is_complete: true, actions: firstActions.map(value) },
    { step: "unknown user", http: http(404), code: value("user_not_found") },
  ];
}

function isSame(expected: unknown, read: unknown): boolean {
  if (!Array.isArray(expected)) return expected === read;
  return Array.isArray(read) && expected.every((one, index) => one === read[index]);
}

function parseLine(line: string): Record<string, unknown> {
  // Maven prints a control sequence before the first line.
  const value: unknown = JSON.parse(line.slice(line.indexOf("{")));
  return typeof value === "object" && value !== null ? { ...value } : {};
}

/**
 * One sentence for each difference between what a journey printed and what it must have read.
 * @param isNewer whether it ran against the newer service
 */
export function findProblems(output: string, isNewer: boolean): string[] {
  const read = output
    .split("\n")
    .filter((line) => line.includes("{"))
    .map(parseLine);
  return listExpected(isNewer).flatMap((expected, index) =>
    Object.entries(expected).flatMap(([name, value]) => {
      const got = read[index]?.[name];
      return isSame(value, got)
        ? []
        : [`${expected.step}: ${name} is ${JSON.stringify(got)}, not ${JSON.stringify(value)}`];
    }),
  );
}
