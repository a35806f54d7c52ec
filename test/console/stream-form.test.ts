import { describe, expect, it } from "vitest";
import { createStream, streamTypes } from "../../console/src/pages/destinations/stream-form.ts";
import { Tenant } from "../support/client.ts";

const typed = {
  format: "ocsf",
  headers: "Authorization: Bearer x:y\n\n X-Team : audit ",
  from: "",
  texts: {
    url: "https://receiver.example.com/events",
    token: "12345678",
    index: "",
    api_key: "0123456789abcdef",
    endpoint: "https://s3.example.com",
    bucket: "acme-audit",
    region: "auto",
    prefix: "",
    access_key_id: "AKIDEXAMPLE",
    secret_access_key: "wJalrXUtnFEMI",
  },
} as const;

describe("The form of a stream", () => {
  it.each(streamTypes)("sends for %s what the service takes", async (type) => {
    const tenant = await Tenant.create();
    const body = { stream: createStream({ ...typed, type }) };
    const answer = await tenant.send("POST", "/v1/audit/streams", body);
    expect(answer.body).toMatchObject({ stream: { type, format: "ocsf" } });
    expect(answer.status).toBe(201);
  });

  it("reads headers, whose values may have colons, and the first leaf", () => {
    expect(createStream({ ...typed, type: "http", from: "0" })).toEqual({
      type: "http",
      format: "ocsf",
      url: typed.texts.url,
      headers: { Authorization: "Bearer x:y", "X-Team": "audit" },
      from: 0,
    });
  });
});
