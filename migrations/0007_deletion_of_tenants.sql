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
