/**
 * Why a message was not accepted. `headers`: one of the three is missing or malformed. `time`: it was signed more than
 * five minutes ago, or in the future. `signature`: nobody with the secret has signed these bytes. `body`: it is signed,
 * and is no event.
 */
export type WebhookReason = "headers" | "time" | "signature" | "body";

const sentences: Readonly<Record<WebhookReason, string>> = {
  headers: "The headers of a signed message are missing or malformed.",
  time: "The message was not signed within the last five minutes.",
  signature: "The signature of the message is wrong.",
  body: "The message is not an event.",
};

/** A message that must not be accepted. Its message and its fields contain nothing of what was received. */
export class WebhookError extends Error {
  readonly reason: WebhookReason;

  constructor(reason: WebhookReason) {
    super(sentences[reason]);
    this.name = "WebhookError";
    this.reason = reason;
  }
}
