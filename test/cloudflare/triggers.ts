/** The routes of what leads requests to a Worker: addresses, cron triggers and domains. */
import { z } from "zod";
import { fail, showPage, succeed } from "./answer.ts";
import type { Route } from "./route.ts";
import { withScript } from "./with-script.ts";

const workers = "/accounts/:account/workers";
const ofScript = `${workers}/scripts/:script`;

const originsSchema = z.object({ origins: z.array(z.object({ hostname: z.string() })) });

export const triggerRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/zones",
    answer: ({ id, name, zone }, { query }) =>
      showPage(query.get("name") === zone.name ? [{ ...zone, account: { id, name } }] : [], query),
  },
  { method: "GET", path: "/zones/:zone/workers/routes", answer: () => succeed([]) },
  {
    method: "GET",
    path: "/zones/:zone/dns_records",
    answer: ({ hosts }, { query }) => {
      const name = query.get("name") ?? "";
      return showPage(hosts.has(name) ? [{ id: name, name, type: "A" }] : [], query);
    },
  },
  {
    method: "GET",
    path: `${workers}/subdomain`,
    answer: ({ subdomain }) =>
      subdomain === null
        ? fail(404, 10007, "workers.dev subdomain not found")
        : succeed({ subdomain }),
  },
  {
    method: "GET",
    path: `${ofScript}/subdomain`,
    answer: withScript((_account, { isOnWorkersDev }) =>
      succeed({ enabled: isOnWorkersDev, previews_enabled: isOnWorkersDev }),
    ),
  },
  {
    method: "POST",
    path: `${ofScript}/subdomain`,
    writes: true,
    answer: withScript((_account, script, { body }) => {
      const { enabled } = z
        .object({ enabled: z.boolean() })
        .parse(JSON.parse(body.toString("utf8")));
      script.isOnWorkersDev = enabled;
      return succeed({ enabled, previews_enabled: enabled });
    }),
  },
  {
    method: "GET",
    path: `${ofScript}/schedules`,
    answer: withScript((_account, { crons }) =>
      succeed({ schedules: crons.map((cron) => ({ cron })) }),
    ),
  },
  {
    method: "PUT",
    path: `${ofScript}/schedules`,
    writes: true,
    answer: withScript((_account, script, { body }) => {
      const schedules = z
        .array(z.object({ cron: z.string() }))
        .parse(JSON.parse(body.toString("utf8")));
      script.crons = schedules.map(({ cron }) => cron);
      return succeed({ schedules });
    }),
  },
  {
    method: "PUT",
    path: `${ofScript}/domains/records`,
    writes: true,
    answer: withScript(({ domains }, script, { body }) => {
      const { origins } = originsSchema.parse(JSON.parse(body.toString("utf8")));
      for (const { hostname } of origins) domains.set(hostname, script.name);
      return succeed({});
    }),
  },
  {
    method: "GET",
    path: `${workers}/domains`,
    answer: ({ domains }, { query }) =>
      succeed(
        [...domains]
          .filter(([host, service]) => {
            const wanted = { host: query.get("hostname"), service: query.get("service") };
            return (wanted.host ?? host) === host && (wanted.service ?? service) === service;
          })
          .map(([hostname, service]) => ({
            id: hostname,
            hostname,
            service,
            environment: "production",
          })),
      ),
  },
];
