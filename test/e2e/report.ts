/** One line for each check, and their sum at the end. */
export class Report {
  #passed = 0;
  #failed = 0;

  /** `problems` empty means passed. */
  add(title: string, problems: readonly string[]): void {
    if (problems.length === 0) this.#passed += 1;
    else this.#failed += 1;
    process.stdout.write(`${problems.length === 0 ? "ok  " : "FAIL"}  ${title}\n`);
    for (const problem of problems) {
      process.stdout.write(`      ${problem.trimEnd().replaceAll("\n", "\n      ")}\n`);
    }
  }

  /** The exit code. */
  finish(): number {
    process.stdout.write(`${this.#passed} passed, ${this.#failed} failed\n`);
    return this.#failed === 0 ? 0 : 1;
  }
}
