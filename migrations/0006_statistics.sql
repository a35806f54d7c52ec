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
ALTER TABLE `audit_trees` ADD `counted_size` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `audit_trees_uncounted` ON `audit_trees` (`tenant_id`) WHERE counted_size < size;
--> statement-breakpoint
CREATE TRIGGER `tenant_statistics_fence_insert` BEFORE INSERT ON `tenant_statistics`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `tenant_statistics_fence_update` BEFORE UPDATE ON `tenant_statistics`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
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
CREATE TRIGGER `archived_successes_fence_insert` BEFORE INSERT ON `archived_successes`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `archived_successes_fence_update` BEFORE UPDATE ON `archived_successes`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `archived_successes_fence_delete` BEFORE DELETE ON `archived_successes`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = OLD.`tenant_id` AND `state` IN ('leaving', 'arriving', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
