/**
 * Examples of both ceremonies for the OpenAPI document: what a browser returned for the challenges of a test, without
 * the members that the service ignores.
 */
const credentialId = "RjGpVjhppRlVb0LZRw4qY6cPWSIGcsACcfGMOkkLbjk";

export const exampleRegistrationChallenge =
  "AQAAAAEBoATBucA64zpiKtUOmiOnNgfJ5ZDSYBHS-ebOo7XDUjdwu4kTEoT1ocHiCMscdANMKnk4Q4U";
export const exampleLoginChallenge =
  "AgAAAAEBoATBucD3-bCoysnh-c6ViGsMvzTsagkJyiLuvOxKi5hkoQ1Mslb5u-4XF57wr6pYom3TXaw";
export const exampleUserHandle = "aQi__RwuSludfwox";
export const exampleRpId = "login.example.com";

export const exampleRegistration = {
  id: credentialId,
  rawId: credentialId,
  type: "public-key",
  response: {
    clientDataJSON:
      "eyJ0eXBlIjoid2ViYXV0aG4uY3JlYXRlIiwiY2hhbGxlbmdlIjoiQVFBQUFBRUJvQVRCdWNBNjR6cGlLdFVPbWlPbk5nZko1WkRTWUJIUy1lYk9vN1hEVWpkd3U0a1RFb1Qxb2NIaUNNc2NkQU5NS25rNFE0VSIsIm9yaWdpbiI6Imh0dHBzOi8vbG9naW4uZXhhbXBsZS5jb20iLCJjcm9zc09yaWdpbiI6ZmFsc2V9",
    attestationObject:
      "o2NmbXRkbm9uZWdhdHRTdG10oGhhdXRoRGF0YVikDGygg5w6VoNVeDP2GKJVZmXfKgiJZHh9U4ULStTTvtxdAAAAAOqbjWZNAR0hPOS2tIy1ddQAIEYxqVY4aaUZVW9C2UcOKmOnD1kiBnLAAnHxjDpJC245pQECAyYgASFYIECQk8XIsscLlji2EAzN18kPUnErBuNYTcTCHKjrCfX5Ilgg5TwnXeyv54JNXxLOH6j9mbdZVpp9knaqzuy8_X-XW6A",
    transports: ["hybrid", "internal"],
  },
};

export const exampleAuthentication = {
  id: credentialId,
  rawId: credentialId,
  type: "public-key",
  response: {
    clientDataJSON:
      "eyJ0eXBlIjoid2ViYXV0aG4uZ2V0IiwiY2hhbGxlbmdlIjoiQWdBQUFBRUJvQVRCdWNEMy1iQ295c25oLWM2VmlHc012elRzYWdrSnlpTHV2T3hLaTVoa29RMU1zbGI1dS00WEY1N3dyNnBZb20zVFhhdyIsIm9yaWdpbiI6Imh0dHBzOi8vbG9naW4uZXhhbXBsZS5jb20iLCJjcm9zc09yaWdpbiI6ZmFsc2V9",
    authenticatorData: "DGygg5w6VoNVeDP2GKJVZmXfKgiJZHh9U4ULStTTvtwdAAAAAA",
    signature:
      "MEUCIAjJ9OhfCPbMRYA2aeupheXEH9vaaIcqPvlqZdkTrklSAiEAgzc8mnym_LLGvpUtDcQMQppj-WsK7j1imTYOm2W3Jeo",
    userHandle: exampleUserHandle,
  },
};

export const examplePublicKey =
  "pQECAyYgASFYIECQk8XIsscLlji2EAzN18kPUnErBuNYTcTCHKjrCfX5Ilgg5TwnXeyv54JNXxLOH6j9mbdZVpp9knaqzuy8_X-XW6A";
