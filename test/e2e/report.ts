/** Prints one line for each check, and the totals at the end. */
export class Report {
  #passed = 0;
  #failed = 0;
  #skipped = 0;

  /** Without problems the check has passed. */
  add(title: string, problems: readonly string[]): void {
    if (problems.length === 0) this.#passed += 1;
    else this.#failed += 1;
    process.stdout.write(`${problems.length === 0 ? "ok  " : "FAIL"}  ${title}\n`);
    for (const problem of problems) {
      process.stdout.write(`      ${problem.trimEnd().replaceAll("\n", "\n      ")}\n`);
    }
  }

  /** The check cannot run on this machine. */
  skip(title: string, reason: string): void {
    this.#skipped += 1;
    process.stdout.write(`SKIPPED  ${title}\n      ${reason}\n`);
  }

  /** Prints the totals. @returns the exit code */
  finish(): number {
    const skipped = this.#skipped === 0 ? "" : `, ${this.#skipped} skipped`;
    process.stdout.write(`${this.#passed} passed, ${this.#failed} failed${skipped}\n`);
    return this.#failed === 0 ? 0 : 1;
  }
}
