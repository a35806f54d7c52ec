/** Prints one line for each step, and counts those that changed something. */

export interface StepOptions {
  /** Whether the run only shows what it would do. */
  readonly isDryRun: boolean;
  readonly write: (line: string) => void;
}

export class Steps {
  readonly isDryRun: boolean;
  readonly #write: (line: string) => void;
  #changes = 0;

  constructor({ isDryRun, write }: StepOptions) {
    this.isDryRun = isDryRun;
    this.#write = write;
  }

  /** The number of steps that changed something, or would. */
  get changes(): number {
    return this.#changes;
  }

  /** Reports what needs no change. */
  note(subject: string, state: string): void {
    this.#write(`  ${subject}: ${state}`);
  }

  /**
   * Performs a change, and reports it afterwards. A dry run reports it without performing it.
   * @returns what the change returns; undefined in a dry run
   */
  async change<T>(subject: string, act: string, perform: () => Promise<T>): Promise<T | undefined> {
    this.#changes += 1;
    if (this.isDryRun) {
      this.#write(`~ ${subject}: would be ${act}`);
      return undefined;
    }
    const result = await perform();
    this.#write(`+ ${subject}: ${act}`);
    return result;
  }
}
