/**
 * The floor: a bare Worker with the input and output of each hot route and nothing else. It has no tokens, checks
 * nothing, and parses only what it needs. Each write stores a fresh random value, because SQLite does not commit a page
 * that has not changed.
 */
import { DurableObject } from "cloudflare:workers";

const deliveryDelayMs = 200;
/** Two keyed hashes and a time, in characters. */
const visitLength = 48;

/** @param length in characters */
function drawText(length) {
  return crypto.getRandomValues(new Uint8Array(Math.ceil((length * 3) / 4))).toBase64();
}

export class Cell extends DurableObject {
  #sql = this.ctx.storage.sql;
  #isArmed = false;
  /** The events of the row that D1 may not have. After a restart all are delivered again, which changes nothing. */
  #waiting;
  #state;
  /** What every write stores when the bench checks that it notices a write that commits nothing. */
  #repeated = this.env.REPEATS_VALUES ? drawText(this.env.STATE_LENGTH) : undefined;

  constructor(ctx, env) {
    super(ctx, env);
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS live (only INTEGER PRIMARY KEY, state TEXT, events TEXT)",
    );
    const [row] = this.#sql.exec("SELECT state, events FROM live").toArray();
    this.#state = row?.state;
    this.#waiting = JSON.parse(row?.events ?? "[]");
  }

  /** Writes the state and the events that wait, as one row. */
  #write() {
    this.#state = this.#repeated ?? drawText(this.env.STATE_LENGTH);
    this.#sql.exec(
      "INSERT INTO live (only, state, events) VALUES (1, ?1, ?2) ON CONFLICT (only) DO UPDATE SET state = ?1, events = ?2",
      this.#state,
      JSON.stringify(this.#waiting),
    );
  }

  write() {
    this.#write();
    return { status: "success" };
  }

  read() {
    return { state: this.#sql.exec("SELECT state FROM live").toArray()[0].state };
  }

  /** Writes, and sets an alarm, which then finds nothing to deliver. */
  async writeAndArm() {
    this.#write();
    await this.#arm();
    return { status: "success" };
  }

  async #arm() {
    if (this.#isArmed) return;
    this.#isArmed = true;
    await this.ctx.storage.setAlarm(Date.now() + deliveryDelayMs);
  }

  /** Writes state and event, and sets an alarm that delivers both to D1. */
  async writeAndDeliver(id, isAssessed) {
    const event = { id: crypto.randomUUID(), of: id, isAssessed };
    event.text = this.#repeated ?? drawText(this.env.EVENT_LENGTH);
    if (this.#repeated === undefined) this.#waiting.push(event);
    this.#write();
    await this.#arm();
    return { status: "success" };
  }

  /** Delivers what waits. The next write of the row drops it. */
  async alarm() {
    this.#isArmed = false;
    const events = [...this.#waiting];
    if (events.length === 0) return;
    const { DB } = this.env;
    const text = JSON.stringify(events);
    const insert = (table) =>
      DB.prepare(
        `INSERT OR IGNORE INTO ${table} (id, text) SELECT value ->> 'id', value ->> 'text' FROM json_each(?)`,
      ).bind(text);
    await DB.batch([
      DB.prepare(
        "INSERT INTO records (id, state) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET state = ?2",
      ).bind(events[0].of, this.#state),
      insert("events"),
      ...(events[0].isAssessed ? [insert("assessments")] : []),
    ]);
    this.#waiting = this.#waiting.slice(events.length);
  }

  /** Writes to the cell and to D1 before the answer. */
  async provision(id) {
    this.#write();
    await this.#insertRecord(id).run();
    return { status: "success" };
  }

  /** The same with an event. */
  async provisionAndDeliver(id) {
    this.#write();
    const { DB } = this.env;
    await DB.batch([
      this.#insertRecord(id),
      DB.prepare("INSERT INTO events (id, text) VALUES (?, ?)").bind(
        crypto.randomUUID(),
        drawText(this.env.EVENT_LENGTH),
      ),
    ]);
    return { status: "success" };
  }

  #insertRecord(id) {
    return this.env.DB.prepare("INSERT INTO records (id, state) VALUES (?, ?)").bind(
      id,
      this.#state,
    );
  }
}

const json = { "Content-Type": "application/json" };

function readShard({ KV }) {
  return KV.get("shard", { type: "arrayBuffer", cacheTtl: 86_400 });
}

export default {
  async fetch(request, env) {
    // http://127.0.0.1:12345/route/id
    const [, , , route, id] = request.url.split("/");
    if (route === "hello") return new Response("hello");
    if (route === "kv") return new Response(String((await readShard(env)).byteLength));
    const cell = env.CELL.get(env.CELL.idFromName(id));
    if (route === "read") return new Response(JSON.stringify(await cell.read()), { headers: json });
    await request.json();
    let answer;
    switch (route) {
      case "write":
        answer = await cell.write();
        break;
      case "write-alarm":
        answer = await cell.writeAndArm();
        break;
      case "write-deliver":
        answer = await cell.writeAndDeliver(id, false);
        break;
      case "discover":
      case "discover-deliver": {
        const watch = env.WATCH.get(env.WATCH.idFromName(id));
        [answer] = await Promise.all([
          route === "discover" ? cell.write() : cell.writeAndDeliver(id, true),
          watch.count(id),
          readShard(env),
        ]);
        break;
      }
      case "provision":
        answer = await cell.provision(id);
        break;
      case "provision-deliver":
        answer = await cell.provisionAndDeliver(id);
        break;
    }
    return new Response(JSON.stringify(answer), { headers: json });
  },
};

/** Counts the visits to an address block. By the clock of the bench, each visit is the first in ten minutes. */
export class Watch extends DurableObject {
  #visits = new Map();
  #repeated = this.env.REPEATS_VALUES ? drawText(visitLength) : undefined;

  /** Counts in memory, and stores the visit, which must outlive the object. */
  count(id) {
    this.#visits.set(id, Date.now());
    this.ctx.storage.kv.put("visit", this.#repeated ?? drawText(visitLength));
    return { visits: this.#visits.size };
  }
}
