ALTER TABLE `tenants` ADD `status` text DEFAULT 'active' NOT NULL;--> statement-breakpoint
ALTER TABLE `tenants` ADD `suspended_at` integer;--> statement-breakpoint
ALTER TABLE `tenants` ADD `audit_key` text;--> statement-breakpoint
CREATE INDEX `tenants_by_status` ON `tenants` (`status`,`id`);