/** `edge-idp tenants list` and `show`. */
import type { Tenant } from "@edge-idp/sdk";
import { type Command, Option } from "commander";
import { tenantStatuses } from "../../../../../src/db/tenant-status.ts";
import { addExamples } from "../../help.ts";
import { addOperatorOptions, connectAsOperator } from "../../service.ts";
import { formatFields, formatTable } from "../../text.ts";
import { addTenantArgument, exampleId } from "./tenant-argument.ts";

type Status = (typeof tenantStatuses)[number];

/** The largest page. */
const pageSize = 100;

function formatUsers({ users, users_estimated: isEstimated }: Tenant): string {
  if (users === null) return "unknown";
  return `${isEstimated ? "about " : ""}${users}`;
}

export function formatTenant(tenant: Tenant): string {
  return formatFields({
    Tenant: tenant.id,
    Name: tenant.name,
    Mode: tenant.mode,
    Status: tenant.status,
    ...(tenant.suspended_at === null ? {} : { Suspended: tenant.suspended_at }),
    Jurisdiction: tenant.jurisdiction ?? "none",
    Database: String(tenant.shard),
    Users: formatUsers(tenant),
    Created: tenant.created_at,
  });
}

export function addListCommand(group: Command): void {
  const command = group
    .command("list")
    .summary("list all tenants")
    .description("Lists the tenants of the service, in the order of their creation.")
    .addOption(new Option("--status <status>", "only these tenants").choices(tenantStatuses))
    .option("--json", "print one JSON object for each tenant, on a line of its own");
  addOperatorOptions(command);
  command.action(
    async ({ status, json = false }: { readonly status?: Status; readonly json?: boolean }) => {
      const idp = connectAsOperator(command);
      const filters = { limit: pageSize, ...(status === undefined ? {} : { status }) };
      const tenants: Tenant[] = [];
      for await (const tenant of idp.tenants.list(filters)) tenants.push(tenant);
      if (json) {
        for (const tenant of tenants) process.stdout.write(`${JSON.stringify(tenant)}\n`);
        return;
      }
      const rows = tenants.map((tenant) => [
        ...[tenant.id, tenant.mode, tenant.status, String(tenant.shard)],
        ...[formatUsers(tenant), tenant.created_at, tenant.name],
      ]);
      const heading = ["TENANT", "MODE", "STATUS", "DATABASE", "USERS", "CREATED", "NAME"];
      process.stdout.write(formatTable([heading, ...rows]));
    },
  );
  addExamples(command, [
    { line: "tenants list", what: "of the local service" },
    {
      line: "tenants list --status suspended --json --secrets-file .prod.vars --url https://idp.example.com",
      what: "of another service, for a program",
    },
  ]);
}

export function addShowCommand(group: Command): void {
  const command = group
    .command("show")
    .summary("show one tenant")
    .description("Shows a tenant: its status, where its data is, and its number of users.");
  addTenantArgument(command).option("--json", "print one JSON object");
  addOperatorOptions(command);
  command.action(async (id: string, { json = false }: { readonly json?: boolean }) => {
    const tenant = await connectAsOperator(command).tenants.get(id);
    process.stdout.write(json ? `${JSON.stringify(tenant)}\n` : formatTenant(tenant));
  });
  addExamples(command, [{ line: `tenants show ${exampleId}`, what: "of the local service" }]);
}
