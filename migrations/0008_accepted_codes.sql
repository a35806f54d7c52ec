ALTER TABLE `audit_events` ADD `secret_id` text;--> statement-breakpoint
ALTER TABLE `audit_events` ADD `time_step` integer;