import { EdgeIdp, IdpError } from "@edge-idp/sdk";

const { IDP_TOKEN = "" } = process.env;
const idp = new EdgeIdp({
  url: "https://idp.example.com",
  token: IDP_TOKEN,
});

try {
  const { id, user_verified } =
    await idp.passkeys.verify({
      // From the session of the browser.
      challenge: "AQEAAAGZ0p1dgBeVtKJxSf2wQpLr8s3D",
      // What the page sent: the result of getPasskey().
      credential: {
        id: "7Yw3kZ0mQf2hV9sT1xLr4g",
        rawId: "7Yw3kZ0mQf2hV9sT1xLr4g",
        type: "public-key",
        response: {
          clientDataJSON:
            "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0",
          authenticatorData:
            "SZYN5YgOjGh0NBcPZHZgW4_krrmihj",
          signature: "MEUCIQDkHnZ1",
          userHandle: "aQi__RwuSlude_Cj",
        },
      },
    });
  console.log("Signed in:", id, user_verified);
} catch (error) {
  if (!(error instanceof IdpError)) throw error;
  // Such as invalid_passkey or passkey_unknown.
  console.log(
    error.code,
    error.reason,
    error.credentialId,
  );
}
