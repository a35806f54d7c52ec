/** Prints one line for each check, and the totals at the end. */
export class Report {
  #passed = 0;
  #failed = 0;

  /** Without problems the check has passed. */
  add(title: string, problems: readonly string[]): void {
    if (problems.length === 0) this.#passed += 1;
    else this.#failed += 1;
    process.stdout.write(`${problems.length === 0 ? "ok  " : "FAIL"}  ${title}\n`);
    for (const problem of problems) {
      process.stdout.write(`      ${problem.trimEnd().replaceAll("\n", "\n      ")}\n`);
    }
  }

  /** Prints the totals. @returns the exit code */
  finish(): number {
    process.stdout.write(`${this.#passed} passed, ${this.#failed} failed\n`);
    return this.#failed === 0 ? 0 : 1;
  }
}
