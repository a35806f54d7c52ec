/** The answers of Cloudflare's API: an envelope around a result, or around errors. */

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** @param info the part about pages */
export function succeed(result: unknown, info?: object): Answer {
  return {
    status: 200,
    body: {
      success: true,
      errors: [],
      messages: [],
      result,
      ...(info === undefined ? {} : { result_info: info }),
    },
  };
}

export function fail(status: number, code: number, message: string): Answer {
  return {
    status,
    body: { success: false, errors: [{ code, message }], messages: [], result: null },
  };
}

/** One page of a list, as `page` and `per_page` of the query choose it. */
export function showPage(all: readonly unknown[], query: URLSearchParams): Answer {
  const perPage = Number(query.get("per_page") ?? 20);
  const page = Number(query.get("page") ?? 1);
  const items = all.slice((page - 1) * perPage, page * perPage);
  return succeed(items, { page, per_page: perPage, count: items.length, total_count: all.length });
}
