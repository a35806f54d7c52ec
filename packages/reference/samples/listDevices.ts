import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const devices = await idp.devices.list(
  "ORG_USR_9921_AFG",
);
for (const device of devices) {
  console.log(device.name, device.last_used_at);
}
