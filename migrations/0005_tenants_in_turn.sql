CREATE TABLE `job_cursors` (
	`job` text PRIMARY KEY NOT NULL,
	`cursor` text NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
ALTER TABLE `audit_trees` ADD `bucket_size` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `audit_trees` ADD `bucket_failures` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `audit_trees` ADD `bucket_retry_at` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `audit_trees` ADD `forward_failures` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `audit_trees` ADD `forward_retry_at` integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
UPDATE `audit_trees` SET `bucket_size` = `forwarded_size`
WHERE `tenant_id` NOT IN (SELECT `tenant_id` FROM `tenant_fences` WHERE `state` <> 'here');
