import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const { HEC_TOKEN = "" } = process.env;
const stream = await idp.streams.create({
  type: "splunk_hec",
  format: "ocsf",
  url: "https://splunk.example.com:8443",
  token: HEC_TOKEN,
  from: 0,
});
console.log(stream.id);
