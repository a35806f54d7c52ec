/** The running example, which uses the demo tenant of `npm run dev`. */
import { findFreePort } from "../../packages/cli/src/local/port.ts";
import { ProcessGroup } from "./process-group.ts";

export class LoginAppProcess {
  /** Passkeys need a name, so it is not 127.0.0.1. */
  readonly site: string;
  readonly #group: ProcessGroup;

  private constructor(
    project: string,
    port: number,
    environment: Readonly<Record<string, string>>,
  ) {
    this.site = `http://localhost:${port}`;
    const settings = { ...environment, PORT: String(port) };
    this.#group = new ProcessGroup("npm", ["start", "-w", "examples/login"], project, settings);
  }

  static async create(
    project: string,
    environment: Readonly<Record<string, string>> = {},
  ): Promise<LoginAppProcess> {
    return new LoginAppProcess(project, await findFreePort(), environment);
  }

  /** Waits until the app answers. @returns problems */
  async waitUntilReady(): Promise<string[]> {
    const isReady = await this.#group.until(() => this.#group.output.includes("The app runs at"));
    return isReady ? [] : [this.#group.output + this.#group.errors];
  }

  async close(): Promise<void> {
    await this.#group.end("SIGTERM");
  }
}
