/**
 * Checks that a host is free. Without a terminal, wrangler asks nothing: it would take the host from another Worker, and
 * replace its DNS records.
 */
import { z } from "zod";
import { Failure } from "../failure.ts";
import type { Login } from "./login.ts";

const domainSchema = z.object({ hostname: z.string(), service: z.string() });
const zoneSchema = z.object({ id: z.string(), name: z.string() });
const recordSchema = z.object({ type: z.string(), name: z.string() });

/** The zone of the account that contains the host: that of its longest suffix. */
async function findZone({ api, accountId }: Login, host: string) {
  const labels = host.split(".");
  for (let from = 0; from < labels.length - 1; from += 1) {
    const name = labels.slice(from).join(".");
    const [zone] = await api.list(`/zones?name=${name}&account.id=${accountId}`, zoneSchema);
    if (zone !== undefined) return zone;
  }
  throw new Failure(`No zone of the account contains ${host}: add its domain to Cloudflare first.`);
}

/** @throws Failure if the host belongs to anything but the Worker of the name */
export async function requireFreeHost(login: Login, name: string, host: string): Promise<void> {
  const { api, accountId } = login;
  const path = `/accounts/${accountId}/workers/domains?hostname=${host}`;
  const domains = await api.get(path, z.array(domainSchema));
  const domain = domains.find(({ hostname }) => hostname === host);
  if (domain?.service === name) return;
  if (domain !== undefined) {
    throw new Failure(`${host} belongs to the Worker ${domain.service}: remove it there first.`);
  }
  const { id } = await findZone(login, host);
  const [record] = await api.list(`/zones/${id}/dns_records?name=${host}`, recordSchema);
  if (record === undefined) return;
  throw new Failure(
    `${host} has a DNS record (${record.type}), which the deployment would replace: delete it first.`,
  );
}
