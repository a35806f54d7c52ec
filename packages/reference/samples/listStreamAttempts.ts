import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const attempts = await idp.streams.attempts(
  "6908bffd1c2e4a5b9d7f0a31",
);
for (const { at, status, error } of attempts)
  console.log(at, status, error);
