/** What `npm run check:schemathesis` reports, given the events of a run. */
import { expect, it } from "vitest";
import { compareFindings, readReport } from "../schemathesis/findings.ts";

const operation = "GET /v1/thing";
const check = "positive_data_acceptance";

/** One request whose check failed. @param body JSON, or the text of an answer */
function eventOf(name: string, status: number, body: object | string, message: string): string {
  const failure = { operation, message };
  const content = { $base64: btoa(typeof body === "string" ? body : JSON.stringify(body)) };
  const recorder = {
    checks: {
      one: [
        { name, status: "failure", failure_info: { failure } },
        { name: "not_a_server_error", status: "success" },
      ],
    },
    interactions: { one: { response: { status_code: status, content } } },
  };
  return JSON.stringify({ ScenarioFinished: { recorder } });
}

const refusal = "Valid data should\nbe accepted";
const refused = eventOf(
  check,
  400,
  {
    code: "invalid_request",
    issues: [
      { path: "from", message: "must not be more than 7" },
      { path: "name", message: "is odd" },
    ],
  },
  refusal,
);
const order = "400 invalid_request: from must not be more than 7";
const oddity = "400 invalid_request: name is odd";

it("Each issue of a refused request is a finding, once, and other events have none", () => {
  const events = ['{"EngineStarted":{}}', refused, refused, ""].join("\n");
  expect(readReport(events)).toEqual([
    { check, operation, what: order },
    { check, operation, what: oddity },
  ]);
});

it("Another check is described by what it says, and by the answer", () => {
  const body = { code: "body_too_large" };
  const event = eventOf("negative_data_rejection", 413, body, refusal);
  const what = "Valid data should be accepted | 413 body_too_large";
  expect(readReport(event)).toEqual([{ check: "negative_data_rejection", operation, what }]);
});

it("An answer that is not JSON is described by its first line", () => {
  const event = eventOf("not_a_server_error", 500, "Error: lost\n    at fetch", "");
  const what = "500 not JSON: Error: lost";
  expect(readReport(event)).toEqual([{ check: "not_a_server_error", operation, what }]);
});

it("An entry explains a whole finding of its check and operations, and one that explains none is unused", () => {
  const findings = readReport(refused);
  const reason = "A rule between two parameters.";
  const explained = { check, what: "400 invalid_request: from must not be more than \\d", reason };
  const useless = [
    { ...explained, what: "400 invalid_request: from" },
    { ...explained, operations: ["GET /v1/other"] },
    { ...explained, check: "not_a_server_error" },
  ];
  expect(compareFindings(findings, [explained, ...useless])).toEqual({
    unexplained: [{ check, operation, what: oddity }],
    unused: useless,
  });
});
