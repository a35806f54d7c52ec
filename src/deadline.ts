/** Waiting for something, but not for ever. */

export class DeadlineError extends Error {
  constructor(ms: number) {
    super(`There was no answer within ${ms} ms`);
    this.name = "DeadlineError";
  }
}

/**
 * What the work gives, if it does so in time. The work itself goes on: whether it happened is open.
 * @throws DeadlineError, or what the work throws
 */
export async function within<T>(ms: number, work: PromiseLike<T>): Promise<T> {
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
