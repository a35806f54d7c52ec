/** The routes of the account, its plan, KV, queues and R2. */
import { randomBytes } from "node:crypto";
import { z } from "zod";
import type { Queue } from "./account.ts";
import { fail, showPage, succeed } from "./answer.ts";
import { json, parseBody, type Route } from "./route.ts";

const showQueue = ({ id, name, settings, consumers }: Queue) => ({
  queue_id: id,
  queue_name: name,
  settings,
  producers: [],
  producers_total_count: 0,
  consumers: consumers.map((one) => ({
    consumer_id: one.id,
    type: "worker",
    script: one.script,
    script_name: one.script,
    service: one.script,
    environment: "production",
    settings: one.settings,
  })),
  consumers_total_count: consumers.length,
});

const ofAccount = "/accounts/:account";

export const storeRoutes: readonly Route[] = [
  {
    method: "GET",
    path: "/accounts",
    answer: ({ id, name }, { query }) => showPage([{ id, name }], query),
  },
  { method: "GET", path: ofAccount, answer: ({ id, name }) => succeed({ id, name }) },
  {
    method: "GET",
    path: `${ofAccount}/subscriptions`,
    answer: ({ plan }) => {
      if (plan === "hidden") return fail(403, 10000, "Authentication error");
      const paid = { id: "1", rate_plan: { id: "workers_paid", public_name: "Workers Paid" } };
      return succeed(plan === "paid" ? [paid] : []);
    },
  },
  {
    method: "GET",
    path: `${ofAccount}/storage/kv/namespaces`,
    answer: ({ namespaces }, { query }) =>
      showPage(
        [...namespaces].map(([id, title]) => ({ id, title })),
        query,
      ),
  },
  {
    method: "POST",
    path: `${ofAccount}/storage/kv/namespaces`,
    writes: true,
    answer: ({ namespaces }, call) => {
      const title = z.string().parse(parseBody(call).title);
      if ([...namespaces.values()].includes(title)) {
        return fail(400, 10014, "a namespace with this account ID and title already exists");
      }
      const id = randomBytes(16).toString("hex");
      namespaces.set(id, title);
      return succeed({ id, title });
    },
  },
  {
    method: "GET",
    path: `${ofAccount}/queues`,
    answer: ({ queues }, { query }) => {
      const name = query.get("name");
      const found = [...queues.values()].filter((one) => name === null || one.name === name);
      return showPage(found.map(showQueue), query);
    },
  },
  {
    method: "POST",
    path: `${ofAccount}/queues`,
    writes: true,
    answer: ({ queues }, call) => {
      const { queue_name: name, settings } = z
        .object({ queue_name: z.string(), settings: json.default({}) })
        .parse(parseBody(call));
      if ([...queues.values()].some((one) => one.name === name)) {
        return fail(409, 11009, "Queue name already taken");
      }
      const queue = { id: randomBytes(16).toString("hex"), name, settings, consumers: [] };
      queues.set(queue.id, queue);
      return succeed(showQueue(queue));
    },
  },
  {
    method: "GET",
    path: `${ofAccount}/queues/:queue/consumers`,
    answer: ({ queues }, { parameters }) => {
      const queue = queues.get(parameters.queue ?? "");
      return queue === undefined
        ? fail(404, 11000, "Queue not found")
        : succeed(showQueue(queue).consumers);
    },
  },
  {
    method: "POST",
    path: `${ofAccount}/queues/:queue/consumers`,
    writes: true,
    answer: ({ queues }, call) => {
      const queue = queues.get(call.parameters.queue ?? "");
      const { script_name: script, settings } = z
        .object({ script_name: z.string(), settings: z.unknown() })
        .parse(parseBody(call));
      if (queue === undefined) return fail(404, 11000, "Queue not found");
      if (queue.consumers.length > 0) return fail(409, 11004, "The queue has a consumer already");
      queue.consumers.push({ id: randomBytes(16).toString("hex"), script, settings });
      return succeed({});
    },
  },
  {
    method: "PUT",
    path: `${ofAccount}/queues/:queue/consumers/:consumer`,
    writes: true,
    answer: ({ queues }, call) => {
      const consumer = queues
        .get(call.parameters.queue ?? "")
        ?.consumers.find(({ id }) => id === call.parameters.consumer);
      if (consumer === undefined) return fail(404, 11001, "Consumer not found");
      consumer.settings = parseBody(call).settings;
      return succeed({});
    },
  },
  {
    method: "GET",
    path: `${ofAccount}/r2/buckets/:bucket`,
    answer: ({ buckets }, { parameters, jurisdiction }) => {
      const name = parameters.bucket ?? "";
      return buckets.get(name) === jurisdiction
        ? succeed({ name, jurisdiction })
        : fail(404, 10006, "The specified bucket does not exist.");
    },
  },
  {
    method: "POST",
    path: `${ofAccount}/r2/buckets`,
    writes: true,
    answer: ({ buckets }, call) => {
      const name = z.string().parse(parseBody(call).name);
      if (buckets.has(name))
        return fail(409, 10004, "The bucket you tried to create already exists");
      buckets.set(name, call.jurisdiction);
      return succeed({ name });
    },
  },
];
