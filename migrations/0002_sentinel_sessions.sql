CREATE TABLE `populations` (
	`tenant_id` text PRIMARY KEY NOT NULL,
	`built_at` integer NOT NULL,
	`logins` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
ALTER TABLE `assessments` ADD `evidence_digest` text;--> statement-breakpoint
ALTER TABLE `assessments` ADD `policy` text;--> statement-breakpoint
ALTER TABLE `assessments` ADD `verdict` text;--> statement-breakpoint
ALTER TABLE `assessments` ADD `verdict_source` text;--> statement-breakpoint
ALTER TABLE `assessments` ADD `verdict_at` integer;--> statement-breakpoint
CREATE INDEX `assessments_confirmed` ON `assessments` (`tenant_id`,`id`) WHERE verdict = 'legitimate';