import { type Assessment, readAssessment, readDenial } from "../assessment.ts";
import { bodyOf, type Connection } from "../connection.ts";
import type { RequestOptions } from "../options.ts";
import { Pages, queryOf } from "../pages.ts";
import type {
  AssessmentFilters,
  ExplainedAssessment,
  Feeds,
  ImportedSession,
  PastSession,
  SessionContext,
  Simulation,
  SimulationInput,
  StoredAssessment,
} from "../types.ts";

/** The risk of sessions. */
export class Sentinel {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Assesses a session by its address and user agent, as they came to you. A denial is an answer like the others, no
   * error, also that of a suspended user (see `user.status`). Permission: `sentinel:write`.
   *
   * @throws IdpError `user_not_found`, `invalid_request` (`ip` is no address)
   */
  async assess(
    externalId: string,
    context: SessionContext,
    options?: RequestOptions,
  ): Promise<Assessment> {
    const body = { sentinel: { external_id: externalId, context } };
    try {
      const call = this.#connection.api(options).POST("/v1/sentinel/discover", { body });
      return readAssessment(await bodyOf(call));
    } catch (error) {
      return readDenial(error);
    }
  }

  /**
   * Reports what became of a session, from which later scores learn. Report `legitimate` only after a second factor or
   * an equal proof. Permission: `sentinel:write`.
   *
   * @throws IdpError `assessment_not_found`
   */
  async feedback(
    assessmentId: string,
    outcome: "legitimate" | "fraud",
    options?: RequestOptions,
  ): Promise<void> {
    const body = { feedback: { assessment_id: assessmentId, outcome } };
    await this.#connection.api(options).POST("/v1/sentinel/feedback", { body });
  }

  /**
   * Imports past sessions that you let pass and nobody reported, at most 100 in a call, so that Sentinel knows your
   * users before it has assessed them. Each session has a result of its own, in the order sent, and one that is sent
   * again changes nothing. Permission: `sentinel:write`.
   */
  async importHistory(
    sessions: readonly PastSession[],
    options?: RequestOptions,
  ): Promise<readonly ImportedSession[]> {
    const body = { sessions: [...sessions] };
    const call = this.#connection.api(options).POST("/v1/sentinel/history", { body });
    return (await bodyOf(call)).results;
  }

  /** Lists assessments, the newest first, with the inputs of their scores. Permission: `sentinel:read`. */
  assessments(filters: AssessmentFilters = {}, options?: RequestOptions): Pages<StoredAssessment> {
    return new Pages(async (after) => {
      const query = queryOf(filters, after);
      const api = this.#connection.api(options);
      const call = api.GET("/v1/sentinel/assessments", { params: { query } });
      const { assessments, has_more, next_after } = await bodyOf(call);
      return { items: assessments, has_more, next_after };
    });
  }

  /**
   * Gets an assessment with the numbers behind its score: `explanation` says how each contribution came about, and is
   * null if another model than that of the service computed the score. Permission: `sentinel:read`.
   *
   * @throws IdpError `assessment_not_found`, also in the first moment after `assess`
   */
  async assessment(assessmentId: string, options?: RequestOptions): Promise<ExplainedAssessment> {
    const params = { path: { assessmentId } };
    const api = this.#connection.api(options);
    return (await bodyOf(api.GET("/v1/sentinel/assessments/{assessmentId}", { params })))
      .assessment;
  }

  /**
   * Compares the recommendations for at most 500 stored assessments with those of another policy. It changes nothing.
   * Permission: `sentinel:read`.
   */
  async simulate(simulation: SimulationInput, options?: RequestOptions): Promise<Simulation> {
    const body = { simulation };
    const call = this.#connection.api(options).POST("/v1/sentinel/simulate", { body });
    return (await bodyOf(call)).simulation;
  }

  /** Lists the imported network data, with its age. Permission: `sentinel:read`. */
  feeds(options?: RequestOptions): Promise<Feeds> {
    return bodyOf(this.#connection.api(options).GET("/v1/sentinel/feeds"));
  }
}
