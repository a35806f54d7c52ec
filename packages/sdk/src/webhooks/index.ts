/** `@edge-idp/sdk/webhooks`: verifies what webhooks receive. */
export { verifyWebhook, type WebhookHeaders, type WebhookMessage } from "./verify.ts";
export { WebhookError, type WebhookReason } from "./webhook-error.ts";
