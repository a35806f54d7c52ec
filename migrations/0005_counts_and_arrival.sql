ALTER TABLE `audit_events` ADD `arrived_at` integer;--> statement-breakpoint
ALTER TABLE `key_versions` ADD `check_id` text;--> statement-breakpoint
ALTER TABLE `re_encryptions` ADD `phase` text DEFAULT 'walking' NOT NULL;--> statement-breakpoint
ALTER TABLE `re_encryptions` ADD `check_id` text;--> statement-breakpoint
ALTER TABLE `re_encryptions` ADD `found` text;--> statement-breakpoint
ALTER TABLE `re_encryptions` ADD `counts` text;--> statement-breakpoint
ALTER TABLE `re_encryptions` ADD `counted_at` integer;