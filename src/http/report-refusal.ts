/** Requests that were refused, told to the trail: the one place in which the edge does so. */
import { isReportedRefusal } from "../audit/refused-request.ts";
import { AppError } from "../errors.ts";
import type { AppContext, EdgeServices } from "./request-context.ts";

/** Waits until it is told. The answer is the error's, whatever comes of this. */
export async function reportIfRefused(
  c: AppContext,
  error: unknown,
  route: string,
  { reportRefusal: tellRefusal }: EdgeServices,
): Promise<void> {
  if (!(error instanceof AppError) || error.isRecorded || !isReportedRefusal(error.code)) return;
  const attribution = c.get("attribution");
  // Without a token that has a record nobody can be told.
  if (attribution === undefined) return;
  const refused = {
    ...attribution,
    code: error.code,
    route,
    arrivedAt: c.get("arrivedAt"),
    requestId: c.get("requestId"),
  };
  await tellRefusal(c.env, refused, (work) => c.executionCtx.waitUntil(work));
}
