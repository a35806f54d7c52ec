/** Options of a request that does a large part of a long work. */

const timeoutMs = 60_000;

export const longRequest = { timeoutMs } as const;
