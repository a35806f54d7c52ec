import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

await idp.settings.change({
  otp: { enrolment: "confirm" },
  lockout: { max_failed_attempts: 5 },
});
