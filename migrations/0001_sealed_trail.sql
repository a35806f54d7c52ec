-- Events of before cannot be kept: they carry no stamp, so no head may ever cover them, and their
-- external_ids lie open, where an erasure would no longer reach them.
DROP TABLE `audit_events`;
--> statement-breakpoint
CREATE TABLE `audit_events` (
	`tenant_id` text NOT NULL,
	`leaf_index` integer NOT NULL,
	`id` text NOT NULL,
	`at` integer NOT NULL,
	`actor_type` text NOT NULL,
	`actor_id` text,
	`action` text NOT NULL,
	`target_type` text NOT NULL,
	`target_id` text NOT NULL,
	`personal_key` text,
	`personal` text,
	`personal_digest` text,
	`outcome` text NOT NULL,
	`reason` text,
	`request_id` text,
	`details` text NOT NULL,
	`stamp` text NOT NULL,
	PRIMARY KEY(`tenant_id`, `leaf_index`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `audit_events_by_id` ON `audit_events` (`tenant_id`,`id`);--> statement-breakpoint
CREATE INDEX `audit_events_by_target` ON `audit_events` (`tenant_id`,`target_id`,`id`);--> statement-breakpoint
CREATE TABLE `audit_tiles` (
	`tenant_id` text NOT NULL,
	`level` integer NOT NULL,
	`index` integer NOT NULL,
	`hashes` text NOT NULL,
	PRIMARY KEY(`tenant_id`, `level`, `index`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `audit_trees` (
	`tenant_id` text PRIMARY KEY NOT NULL,
	`size` integer NOT NULL,
	`extends_size` integer NOT NULL,
	`note` text NOT NULL,
	`witnessed_size` integer DEFAULT 0 NOT NULL,
	`witnessed_at` integer DEFAULT 0 NOT NULL,
	`forwarded_size` integer DEFAULT 0 NOT NULL
) WITHOUT ROWID;
