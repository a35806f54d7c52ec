ALTER TABLE `audit_trees` ADD `recent_counts` text;--> statement-breakpoint
ALTER TABLE `audit_trees` ADD `unfinished_tiles` text;