CREATE TABLE `key_versions` (
	`keyring` text NOT NULL,
	`version` integer NOT NULL,
	`fingerprint` text NOT NULL,
	`first_used_at` integer NOT NULL,
	`retired_at` integer,
	PRIMARY KEY(`keyring`, `version`)
);
--> statement-breakpoint
CREATE TABLE `re_encryptions` (
	`version` integer PRIMARY KEY NOT NULL,
	`tenant_id` text DEFAULT '' NOT NULL,
	`identity_id` text DEFAULT '' NOT NULL,
	`total` integer NOT NULL,
	`seen` integer DEFAULT 0 NOT NULL,
	`failed` integer DEFAULT 0 NOT NULL,
	`passes` integer DEFAULT 0 NOT NULL,
	`left_over` integer DEFAULT 0 NOT NULL,
	`started_at` integer NOT NULL,
	`finished_at` integer
);
--> statement-breakpoint
CREATE TABLE `request_keys` (
	`tenant_id` text NOT NULL,
	`key` text NOT NULL,
	`box` text NOT NULL,
	`at` integer NOT NULL,
	`forget_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `key`)
) WITHOUT ROWID;
--> statement-breakpoint
ALTER TABLE `api_tokens` ADD `end_unregistered` integer DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX `api_tokens_unregistered` ON `api_tokens` (`tenant_id`) WHERE end_unregistered;--> statement-breakpoint
UPDATE `api_tokens` SET `end_unregistered` = 1 WHERE `revoked_at` IS NOT NULL OR `expires_at` IS NOT NULL;
