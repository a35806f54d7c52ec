import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

// Reads the events as they arrive, the oldest first.
for await (const event of idp.audit.export())
  console.log(event.id, event.action);
