import { EdgeIdp, IdpError } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

try {
  const { method } = await idp.otp.verify(
    "ORG_USR_9921_AFG",
    "552192",
  );
  console.log("The code is right", method);
} catch (error) {
  if (!(error instanceof IdpError)) throw error;
  if (error.code === "user_locked")
    console.log("Locked until", error.lockedUntil);
  else if (error.code === "invalid_code")
    console.log("Attempts left:", error.attemptsRemaining);
  else throw error;
}
