CREATE TABLE `control_outbox` (
	`tenant_id` text NOT NULL,
	`id` text NOT NULL,
	`event` text NOT NULL,
	PRIMARY KEY(`tenant_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `relocations` (
	`tenant_id` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`from_shard` integer NOT NULL,
	`to_shard` integer NOT NULL,
	`phase` text NOT NULL,
	`table_index` integer NOT NULL,
	`cursor` text,
	`copied` integer NOT NULL,
	`started_at` integer NOT NULL,
	`switched_at` integer,
	`finished_at` integer
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `tenant_fences` (
	`tenant_id` text PRIMARY KEY NOT NULL,
	`state` text NOT NULL,
	`move` text NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
ALTER TABLE `tenants` ADD `jurisdiction` text;
--> statement-breakpoint
ALTER TABLE `tenants` ADD `shard` integer DEFAULT 0 NOT NULL;
--> statement-breakpoint
CREATE TRIGGER `identities_fence_insert` BEFORE INSERT ON `identities`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` IN ('leaving', 'left', 'arriving'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `identities_fence_update` BEFORE UPDATE ON `identities`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` IN ('leaving', 'left', 'arriving'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `audit_events_fence_insert` BEFORE INSERT ON `audit_events`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` IN ('leaving', 'left', 'arriving'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `audit_events_fence_update` BEFORE UPDATE ON `audit_events`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` IN ('leaving', 'left', 'arriving'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `audit_tiles_fence_insert` BEFORE INSERT ON `audit_tiles`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` IN ('leaving', 'left', 'arriving'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `audit_tiles_fence_update` BEFORE UPDATE ON `audit_tiles`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` IN ('leaving', 'left', 'arriving'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `audit_trees_fence_insert` BEFORE INSERT ON `audit_trees`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` IN ('leaving', 'left', 'arriving'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `audit_trees_fence_update` BEFORE UPDATE ON `audit_trees`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` IN ('leaving', 'left', 'arriving'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `assessments_fence_insert` BEFORE INSERT ON `assessments`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` IN ('leaving', 'left', 'arriving'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `assessments_fence_update` BEFORE UPDATE ON `assessments`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` IN ('leaving', 'left', 'arriving'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `populations_fence_insert` BEFORE INSERT ON `populations`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` IN ('leaving', 'left', 'arriving'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `populations_fence_update` BEFORE UPDATE ON `populations`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` IN ('leaving', 'left', 'arriving'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
