/** The exit codes of every command. */
export const exitCodes = {
  success: 0,
  /** The command failed, or its verdict is bad. */
  failed: 1,
  /** An argument is wrong. In a command with a verdict: there is no verdict. */
  unusable: 2,
} as const;

type FailureCode = (typeof exitCodes)["failed" | "unusable"];

/** An error that the user can correct: printed as one sentence, without a stack. */
export class Failure extends Error {
  readonly exitCode: FailureCode;

  constructor(message: string, exitCode: FailureCode = exitCodes.failed) {
    super(message);
    this.name = "Failure";
    this.exitCode = exitCode;
  }
}

/** Runs a part of a command whose failure means that an argument is wrong, or that there is no verdict. */
export async function requireUsable<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw error instanceof Failure ? new Failure(error.message, exitCodes.unusable) : error;
  }
}
