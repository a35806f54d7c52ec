CREATE TABLE `destinations` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`kind` text NOT NULL,
	`configuration` text NOT NULL,
	`credentials` text NOT NULL,
	`status` text NOT NULL,
	`disabled_reason` text,
	`start_leaf` integer NOT NULL,
	`started_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
ALTER TABLE `tenants` ADD `destinations` text DEFAULT '[]' NOT NULL;