/** Waiting with a time limit. */

export class DeadlineError extends Error {
  constructor(ms: number) {
    super(`No response within ${ms} ms`);
    this.name = "DeadlineError";
  }
}

/**
 * Returns the result of the work if it completes in time. After a deadline the work continues, and may
 * still take effect.
 * @throws DeadlineError; what the work throws
 */
export async function awaitWithin<T>(ms: number, work: PromiseLike<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(ms)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
