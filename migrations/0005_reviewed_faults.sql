CREATE TABLE `job_cursors` (
	`job` text PRIMARY KEY NOT NULL,
	`cursor` text NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `space_reserve` (
	`id` integer PRIMARY KEY NOT NULL,
	`filler` blob NOT NULL
);
--> statement-breakpoint
DROP INDEX `api_tokens_by_tenant`;--> statement-breakpoint
CREATE INDEX `api_tokens_by_expiry` ON `api_tokens` (`tenant_id`,`expires_at`) WHERE revoked_at IS NULL;--> statement-breakpoint
CREATE INDEX `api_tokens_by_tenant` ON `api_tokens` (`tenant_id`,`id`) WHERE revoked_at IS NULL;--> statement-breakpoint
ALTER TABLE `audit_events` ADD `arrived_at` integer;--> statement-breakpoint
ALTER TABLE `audit_trees` ADD `bucket_size` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `audit_trees` ADD `bucket_failures` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `audit_trees` ADD `bucket_retry_at` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `audit_trees` ADD `forward_failures` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `audit_trees` ADD `forward_retry_at` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `key_versions` ADD `check_id` text;--> statement-breakpoint
ALTER TABLE `populations` ADD `recounts` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `re_encryptions` ADD `phase` text DEFAULT 'walking' NOT NULL;--> statement-breakpoint
ALTER TABLE `re_encryptions` ADD `check_id` text;--> statement-breakpoint
ALTER TABLE `re_encryptions` ADD `found` text;--> statement-breakpoint
ALTER TABLE `re_encryptions` ADD `counts` text;--> statement-breakpoint
ALTER TABLE `re_encryptions` ADD `counted_at` integer;--> statement-breakpoint
ALTER TABLE `relocations` ADD `summary` text;--> statement-breakpoint
CREATE INDEX `relocations_unfinished` ON `relocations` (`phase`) WHERE finished_at IS NULL;--> statement-breakpoint
CREATE INDEX `tenants_by_shard` ON `tenants` (`shard`);
--> statement-breakpoint
UPDATE `audit_trees` SET `bucket_size` = `forwarded_size`
WHERE `tenant_id` NOT IN (SELECT `tenant_id` FROM `tenant_fences` WHERE `state` <> 'here');
--> statement-breakpoint
DROP TRIGGER `identities_fence_insert`;
--> statement-breakpoint
CREATE TRIGGER `identities_fence_insert` BEFORE INSERT ON `identities`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
DROP TRIGGER `identities_fence_update`;
--> statement-breakpoint
CREATE TRIGGER `identities_fence_update` BEFORE UPDATE ON `identities`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `identities_fence_delete` BEFORE DELETE ON `identities`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = OLD.`tenant_id` AND `state` IN ('leaving', 'arriving', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
DROP TRIGGER `audit_events_fence_insert`;
--> statement-breakpoint
CREATE TRIGGER `audit_events_fence_insert` BEFORE INSERT ON `audit_events`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
DROP TRIGGER `audit_events_fence_update`;
--> statement-breakpoint
CREATE TRIGGER `audit_events_fence_update` BEFORE UPDATE ON `audit_events`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `audit_events_fence_delete` BEFORE DELETE ON `audit_events`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = OLD.`tenant_id` AND `state` IN ('leaving', 'arriving', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
DROP TRIGGER `audit_tiles_fence_insert`;
--> statement-breakpoint
CREATE TRIGGER `audit_tiles_fence_insert` BEFORE INSERT ON `audit_tiles`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
DROP TRIGGER `audit_tiles_fence_update`;
--> statement-breakpoint
CREATE TRIGGER `audit_tiles_fence_update` BEFORE UPDATE ON `audit_tiles`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `audit_tiles_fence_delete` BEFORE DELETE ON `audit_tiles`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = OLD.`tenant_id` AND `state` IN ('leaving', 'arriving', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
DROP TRIGGER `audit_trees_fence_insert`;
--> statement-breakpoint
CREATE TRIGGER `audit_trees_fence_insert` BEFORE INSERT ON `audit_trees`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
DROP TRIGGER `audit_trees_fence_update`;
--> statement-breakpoint
CREATE TRIGGER `audit_trees_fence_update` BEFORE UPDATE ON `audit_trees`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `audit_trees_fence_delete` BEFORE DELETE ON `audit_trees`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = OLD.`tenant_id` AND `state` IN ('leaving', 'arriving', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
DROP TRIGGER `assessments_fence_insert`;
--> statement-breakpoint
CREATE TRIGGER `assessments_fence_insert` BEFORE INSERT ON `assessments`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
DROP TRIGGER `assessments_fence_update`;
--> statement-breakpoint
CREATE TRIGGER `assessments_fence_update` BEFORE UPDATE ON `assessments`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `assessments_fence_delete` BEFORE DELETE ON `assessments`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = OLD.`tenant_id` AND `state` IN ('leaving', 'arriving', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
DROP TRIGGER `populations_fence_insert`;
--> statement-breakpoint
CREATE TRIGGER `populations_fence_insert` BEFORE INSERT ON `populations`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
DROP TRIGGER `populations_fence_update`;
--> statement-breakpoint
CREATE TRIGGER `populations_fence_update` BEFORE UPDATE ON `populations`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `populations_fence_delete` BEFORE DELETE ON `populations`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = OLD.`tenant_id` AND `state` IN ('leaving', 'arriving', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `identities_new_life` AFTER UPDATE ON `identities`
WHEN NEW.`created_at` <> OLD.`created_at`
BEGIN
	INSERT INTO `populations` (`tenant_id`, `built_at`, `logins`, `recounts`)
		SELECT NEW.`tenant_id`, 0, 0, 1 WHERE EXISTS (SELECT 1 FROM `assessments`
			WHERE `tenant_id` = NEW.`tenant_id` AND `identity_id` = NEW.`id`)
		ON CONFLICT (`tenant_id`) DO UPDATE SET `built_at` = 0, `recounts` = `recounts` + 1;
	DELETE FROM `assessments` WHERE `tenant_id` = NEW.`tenant_id` AND `identity_id` = NEW.`id`;
END;
--> statement-breakpoint
UPDATE `relocations` SET `phase` = 'leaving', `id` = `id` || '+' WHERE `phase` = 'clearing';
--> statement-breakpoint
UPDATE `relocations` SET `phase` = 'returning' WHERE `phase` = 'switching' AND `to_shard` = (SELECT `shard` FROM `tenants` WHERE `tenants`.`id` = `relocations`.`tenant_id`);
