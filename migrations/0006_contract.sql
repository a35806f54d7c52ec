CREATE TABLE `archived_successes` (
	`tenant_id` text NOT NULL,
	`identity_id` text NOT NULL,
	`hour` integer NOT NULL,
	`leaf_index` integer NOT NULL,
	PRIMARY KEY(`tenant_id`, `identity_id`, `hour`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `tenant_statistics` (
	`tenant_id` text NOT NULL,
	`hour` integer NOT NULL,
	`counts` text NOT NULL,
	PRIMARY KEY(`tenant_id`, `hour`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `tenant_deletions` (
	`tenant_id` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`shard` integer NOT NULL,
	`retention_days` integer NOT NULL,
	`phase` text NOT NULL,
	`cursor` text NOT NULL,
	`total` integer NOT NULL,
	`done` integer NOT NULL,
	`due_at` integer NOT NULL,
	`started_at` integer NOT NULL,
	`finished_at` integer
) WITHOUT ROWID;
--> statement-breakpoint
ALTER TABLE `audit_trees` ADD `counted_size` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `audit_trees_uncounted` ON `audit_trees` (`tenant_id`) WHERE counted_size < size;--> statement-breakpoint
ALTER TABLE `tenants` ADD `status` text DEFAULT 'active' NOT NULL;--> statement-breakpoint
ALTER TABLE `tenants` ADD `suspended_at` integer;--> statement-breakpoint
ALTER TABLE `tenants` ADD `audit_key` text;--> statement-breakpoint
CREATE INDEX `tenants_by_status` ON `tenants` (`status`,`id`);
--> statement-breakpoint
DROP TRIGGER `audit_events_fence_insert`;
--> statement-breakpoint
CREATE TRIGGER `audit_events_fence_insert` BEFORE INSERT ON `audit_events`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying', 'erasing'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
DROP TRIGGER `audit_events_fence_update`;
--> statement-breakpoint
CREATE TRIGGER `audit_events_fence_update` BEFORE UPDATE ON `audit_events`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying', 'erasing'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
DROP TRIGGER `audit_tiles_fence_insert`;
--> statement-breakpoint
CREATE TRIGGER `audit_tiles_fence_insert` BEFORE INSERT ON `audit_tiles`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying', 'erasing', 'deleted'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
DROP TRIGGER `audit_tiles_fence_update`;
--> statement-breakpoint
CREATE TRIGGER `audit_tiles_fence_update` BEFORE UPDATE ON `audit_tiles`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying', 'erasing', 'deleted'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
DROP TRIGGER `audit_trees_fence_insert`;
--> statement-breakpoint
CREATE TRIGGER `audit_trees_fence_insert` BEFORE INSERT ON `audit_trees`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying', 'erasing', 'deleted'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
DROP TRIGGER `audit_trees_fence_update`;
--> statement-breakpoint
CREATE TRIGGER `audit_trees_fence_update` BEFORE UPDATE ON `audit_trees`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying', 'erasing', 'deleted'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `tenant_statistics_fence_delete` BEFORE DELETE ON `tenant_statistics`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = OLD.`tenant_id` AND `state` IN ('leaving', 'arriving', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `archived_successes_fence_delete` BEFORE DELETE ON `archived_successes`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = OLD.`tenant_id` AND `state` IN ('leaving', 'arriving', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `tenant_statistics_fence_insert` BEFORE INSERT ON `tenant_statistics`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying', 'erasing', 'deleted'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `tenant_statistics_deleted_insert` BEFORE INSERT ON `tenant_statistics`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` IN ('erasing', 'deleted'))
BEGIN
	SELECT RAISE(IGNORE);
END;
--> statement-breakpoint
CREATE TRIGGER `tenant_statistics_fence_update` BEFORE UPDATE ON `tenant_statistics`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying', 'erasing', 'deleted'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `tenant_statistics_deleted_update` BEFORE UPDATE ON `tenant_statistics`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` IN ('erasing', 'deleted'))
BEGIN
	SELECT RAISE(IGNORE);
END;
--> statement-breakpoint
CREATE TRIGGER `archived_successes_fence_insert` BEFORE INSERT ON `archived_successes`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying', 'erasing', 'deleted'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `archived_successes_deleted_insert` BEFORE INSERT ON `archived_successes`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` IN ('erasing', 'deleted'))
BEGIN
	SELECT RAISE(IGNORE);
END;
--> statement-breakpoint
CREATE TRIGGER `archived_successes_fence_update` BEFORE UPDATE ON `archived_successes`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying', 'erasing', 'deleted'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `archived_successes_deleted_update` BEFORE UPDATE ON `archived_successes`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` IN ('erasing', 'deleted'))
BEGIN
	SELECT RAISE(IGNORE);
END;
