CREATE TABLE `api_tokens` (
	`id` text PRIMARY KEY NOT NULL,
	`tenant_id` text NOT NULL,
	`name` text NOT NULL,
	`hash` text NOT NULL,
	`permissions` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer,
	`lifetime_ms` integer,
	`last_used_at` integer,
	`revoked_at` integer,
	FOREIGN KEY (`tenant_id`) REFERENCES `tenants`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `api_tokens_hash_unique` ON `api_tokens` (`hash`);--> statement-breakpoint
CREATE INDEX `api_tokens_by_tenant` ON `api_tokens` (`tenant_id`,`id`);--> statement-breakpoint
CREATE TABLE `assessments` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`identity_id` text NOT NULL,
	`at` integer NOT NULL,
	`model` text NOT NULL,
	`risk_score` real NOT NULL,
	`recommendation` text NOT NULL,
	`reasons` text NOT NULL,
	`degraded` text NOT NULL,
	`evidence` text NOT NULL,
	`context_digest` text NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `assessments_by_identity` ON `assessments` (`tenant_id`,`identity_id`);--> statement-breakpoint
CREATE TABLE `audit_events` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`at` integer NOT NULL,
	`actor_type` text NOT NULL,
	`actor_id` text,
	`action` text NOT NULL,
	`target_type` text NOT NULL,
	`target_id` text NOT NULL,
	`external_id` text,
	`outcome` text NOT NULL,
	`reason` text,
	`request_id` text,
	`details` text DEFAULT '{}' NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `audit_events_by_target` ON `audit_events` (`tenant_id`,`target_id`,`id`);--> statement-breakpoint
CREATE TABLE `identities` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`external_id` text,
	`status` text NOT NULL,
	`locked_until` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	`version` integer NOT NULL,
	`state` text,
	PRIMARY KEY(`tenant_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `identities_erased` ON `identities` (`updated_at`) WHERE status = 'erased';--> statement-breakpoint
CREATE TABLE `tenants` (
	`id` text PRIMARY KEY NOT NULL,
	`name` text NOT NULL,
	`mode` text NOT NULL,
	`settings` text DEFAULT '{}' NOT NULL,
	`created_at` integer NOT NULL
);
