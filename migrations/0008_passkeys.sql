CREATE TABLE `passkey_claims` (
	`tenant_id` text NOT NULL,
	`passkey_id` text NOT NULL,
	`identity_id` text NOT NULL,
	`claim_id` text NOT NULL,
	PRIMARY KEY(`tenant_id`, `passkey_id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TRIGGER `passkey_claims_fence_insert` BEFORE INSERT ON `passkey_claims`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `passkey_claims_fence_update` BEFORE UPDATE ON `passkey_claims`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = NEW.`tenant_id` AND `state` NOT IN ('here', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
--> statement-breakpoint
CREATE TRIGGER `passkey_claims_fence_delete` BEFORE DELETE ON `passkey_claims`
WHEN EXISTS (SELECT 1 FROM `tenant_fences` WHERE `tenant_id` = OLD.`tenant_id` AND `state` IN ('leaving', 'arriving', 'copying'))
BEGIN
	SELECT RAISE(ABORT, 'tenant_fenced');
END;
