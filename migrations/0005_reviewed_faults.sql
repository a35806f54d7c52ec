CREATE TABLE `space_reserve` (
	`id` integer PRIMARY KEY NOT NULL,
	`filler` blob NOT NULL
);
--> statement-breakpoint
DROP INDEX `api_tokens_by_tenant`;--> statement-breakpoint
CREATE INDEX `api_tokens_by_expiry` ON `api_tokens` (`tenant_id`,`expires_at`) WHERE revoked_at IS NULL;--> statement-breakpoint
CREATE INDEX `api_tokens_by_tenant` ON `api_tokens` (`tenant_id`,`id`) WHERE revoked_at IS NULL;