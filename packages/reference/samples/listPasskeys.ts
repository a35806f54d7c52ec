import { EdgeIdp } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

const { passkeys } = await idp.passkeys.list(
  "ORG_USR_9921_AFG",
);
for (const passkey of passkeys)
  console.log(
    passkey.id,
    passkey.name,
    passkey.last_used_at,
  );
