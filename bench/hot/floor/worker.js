/**
 * The floor: a bare Worker with the input and output of each hot route and nothing else. It has no tokens, checks
 * nothing, and parses only what it needs.
 */
import { DurableObject } from "cloudflare:workers";

/** About the sizes of an identity's state and of an audit event in D1. */
const state = "s".repeat(600);
const event = "e".repeat(700);
const deliveryDelayMs = 200;

export class Cell extends DurableObject {
  #sql = this.ctx.storage.sql;
  #isArmed = false;

  constructor(ctx, env) {
    super(ctx, env);
    this.#sql.exec("CREATE TABLE IF NOT EXISTS live (only INTEGER PRIMARY KEY, state TEXT)");
  }

  #write(code) {
    this.#sql.exec(
      "INSERT INTO live (only, state) VALUES (1, ?) ON CONFLICT (only) DO UPDATE SET state = excluded.state",
      state + code,
    );
  }

  write({ code }) {
    this.#write(code);
    return { status: "success" };
  }

  read() {
    return { state: this.#sql.exec("SELECT state FROM live").toArray()[0].state };
  }

  /** Writes, and sets an alarm that delivers to D1. */
  async writeAndDeliver({ code }, id, assessed) {
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS outbox (seq INTEGER PRIMARY KEY, id TEXT, event TEXT, assessed INTEGER)",
    );
    this.#write(code);
    this.#sql.exec(
      "INSERT INTO outbox (id, event, assessed) VALUES (?, ?, ?)",
      id,
      event,
      assessed ? 1 : 0,
    );
    if (!this.#isArmed) {
      this.#isArmed = true;
      await this.ctx.storage.setAlarm(Date.now() + deliveryDelayMs);
    }
    return { status: "success" };
  }

  async alarm() {
    this.#isArmed = false;
    const rows = this.#sql.exec("SELECT seq, id, event, assessed FROM outbox").toArray();
    const { DB } = this.env;
    await DB.batch([
      DB.prepare(
        "INSERT INTO records (id, state) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state",
      ).bind(rows[0].id, state),
      DB.prepare(
        "INSERT INTO events (id, event) SELECT hex(randomblob(12)), value FROM json_each(?)",
      ).bind(JSON.stringify(rows.map((row) => row.event))),
      ...(rows[0].assessed === 1
        ? [
            DB.prepare(
              "INSERT INTO assessments (id, assessment) SELECT hex(randomblob(12)), value FROM json_each(?)",
            ).bind(JSON.stringify(rows.map((row) => row.event))),
          ]
        : []),
    ]);
    this.#sql.exec("DELETE FROM outbox WHERE seq <= ?", rows.at(-1).seq);
  }

  /** Writes to the cell and to D1 before the answer. */
  async provision({ code }, id) {
    this.#write(code);
    await this.env.DB.prepare("INSERT INTO records (id, state) VALUES (?, ?)")
      .bind(id, state)
      .run();
    return { status: "success" };
  }

  /** The same with an event. */
  async provisionAndDeliver({ code }, id) {
    this.#write(code);
    const { DB } = this.env;
    await DB.batch([
      DB.prepare("INSERT INTO records (id, state) VALUES (?, ?)").bind(id, state),
      DB.prepare("INSERT INTO events (id, event) VALUES (hex(randomblob(12)), ?)").bind(event),
    ]);
    return { status: "success" };
  }
}

const json = { "Content-Type": "application/json" };

export default {
  async fetch(request, env) {
    // http://127.0.0.1:12345/route/id
    const [, , , route, id] = request.url.split("/");
    if (route === "hello") return new Response("hello");
    if (route === "kv") {
      const value = await env.KV.get("shard", { type: "arrayBuffer", cacheTtl: 86_400 });
      return new Response(String(value.byteLength));
    }
    const cell = env.CELL.get(env.CELL.idFromName(id));
    if (route === "read") return new Response(JSON.stringify(await cell.read()), { headers: json });
    const body = await request.json();
    let answer;
    switch (route) {
      case "write":
        answer = await cell.write(body);
        break;
      case "write-deliver":
        answer = await cell.writeAndDeliver(body, id, false);
        break;
      case "beside":
        [answer] = await Promise.all([
          cell.write(body),
          env.KV.get("shard", { type: "arrayBuffer", cacheTtl: 86_400 }),
        ]);
        break;
      case "discover":
      case "discover-deliver": {
        const watch = env.WATCH.get(env.WATCH.idFromName(id));
        [answer] = await Promise.all([
          route === "discover" ? cell.write(body) : cell.writeAndDeliver(body, id, true),
          watch.write(body),
          env.KV.get("shard", { type: "arrayBuffer", cacheTtl: 86_400 }),
        ]);
        break;
      }
      case "provision":
        answer = await cell.provision(body, id);
        break;
      case "provision-deliver":
        answer = await cell.provisionAndDeliver(body, id);
        break;
    }
    return new Response(JSON.stringify(answer), { headers: json });
  },
};

/** The floor of a prefix watch is a cell like the others. */
export class Watch extends Cell {}
