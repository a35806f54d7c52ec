CREATE TABLE `personal_expiries` (
	`tenant_id` text PRIMARY KEY NOT NULL,
	`cutoff_day` integer NOT NULL,
	`phase` text NOT NULL,
	`step` integer NOT NULL,
	`started_at` integer NOT NULL,
	`next_leaf` integer NOT NULL,
	`archived_below` integer NOT NULL,
	`next_object` integer NOT NULL,
	`open_object` integer,
	`events` integer NOT NULL,
	`assessments` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TRIGGER `personal_expiries_fence_insert` BEFORE INSERT ON `personal_expiries`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `personal_expiries_fence_update` BEFORE UPDATE ON `personal_expiries`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `personal_expiries_fence_delete` BEFORE DELETE ON `personal_expiries`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = OLD.`tenant_id` AND `state` IN ('leaving', 'arriving', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;