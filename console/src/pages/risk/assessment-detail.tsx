import type { StoredAssessment } from "@edge-idp/sdk";
import { navigate, placeOf } from "../../navigation/fragment-location.ts";
import { ActButton } from "../../parts/act-button.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { useNotify } from "../../parts/notice.tsx";
import { formatEvidence, formatPercent, formatScore } from "../../parts/score-format.ts";
import { Facts } from "../../parts/section.tsx";
import { Time } from "../../parts/time.tsx";
import { useIdp, usePermissions } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { wordsFor } from "../../texts/words-for.ts";
import { findExternalId } from "../users/find-user.ts";
import { Recommendation, Verdict } from "./recommendation.tsx";
import { ScoreNumbers } from "./score-numbers.tsx";
import { createWaterfall, prior } from "./waterfall.ts";

const words = texts.risk;

interface AssessmentProps {
  readonly assessment: StoredAssessment;
}

function Waterfall({ assessment: { reasons, risk_score } }: AssessmentProps) {
  return (
    <div className="table-place">
      <table className="table waterfall">
        <caption className="hidden-label">{words.waterfall}</caption>
        <thead>
          <tr>
            <th scope="col">{words.reason}</th>
            <th scope="col" className="number">
              {words.evidence}
            </th>
            <th scope="col">{words.riskSoFar}</th>
          </tr>
        </thead>
        <tbody>
          <WaterfallRow name={words.prior} from={0} to={prior} />
          {createWaterfall(reasons).map((step) => (
            <WaterfallRow key={step.signal} name={step.detail} {...step} />
          ))}
          <WaterfallRow name={words.total} from={0} to={risk_score} isTotal />
        </tbody>
      </table>
    </div>
  );
}

interface WaterfallRowProps {
  readonly name: string;
  readonly signal?: string;
  readonly contribution?: number;
  readonly from: number;
  readonly to: number;
  readonly isTotal?: boolean;
}

function WaterfallRow(props: WaterfallRowProps) {
  const { name, signal, contribution, from, to, isTotal = false } = props;
  const left = Math.min(from, to);
  const tone = isTotal || contribution === undefined ? "whole" : contribution > 0 ? "up" : "down";
  // Some reasons state a rule, and move nothing.
  const isShown = from !== to;
  return (
    <tr className={isTotal ? "waterfall-total" : undefined}>
      <td data-label={words.reason}>
        <span>
          {name}
          {signal === undefined ? null : (
            <code className="faint waterfall-signal" translate="no">
              {signal}
            </code>
          )}
        </span>
      </td>
      <td data-label={words.evidence} className="number">
        {contribution === undefined ? "" : formatEvidence(contribution)}
      </td>
      <td data-label={words.riskSoFar}>
        <span className="waterfall-cell">
          <span className="waterfall-track" aria-hidden="true">
            {isShown ? (
              <span
                className={`waterfall-bar waterfall-${tone}`}
                style={{
                  left: `min(${left * 100}%, 100% - 2px)`,
                  width: `max(2px, ${Math.abs(to - from) * 100}%)`,
                }}
              />
            ) : null}
          </span>
          <span className="waterfall-value">{isTotal ? formatScore(to) : formatPercent(to)}</span>
        </span>
      </td>
    </tr>
  );
}

function Kinds({ kinds }: { readonly kinds: Readonly<Record<string, number>> }) {
  const sorted = Object.entries(kinds).toSorted(([, one], [, other]) => other - one);
  return (
    <section>
      <h3>{words.kinds}</h3>
      <ul className="kinds">
        {sorted.map(([kind, probability]) => (
          <li key={kind}>
            <span>{wordsFor(words.kindNames, kind)}</span>
            <span className="waterfall-track" aria-hidden="true">
              <span
                className={`waterfall-bar waterfall-${kind === "real" ? "down" : "up"}`}
                style={{ left: 0, width: `${probability * 100}%` }}
              />
            </span>
            <span className="waterfall-value">{formatPercent(probability)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function OpenUser({ id }: { readonly id: string }) {
  const idp = useIdp();
  const notify = useNotify();
  const open = async () => {
    const externalId = await findExternalId(idp, id);
    if (externalId === undefined) return notify(words.userErased);
    navigate(placeOf("/user", { id: externalId }));
  };
  return (
    <ActButton className="small" act={open}>
      {words.openUser}
    </ActButton>
  );
}

interface FeedbackProps extends AssessmentProps {
  readonly onJudged: () => Promise<void>;
}

function Feedback({ assessment: { assessment_id: id }, onJudged }: FeedbackProps) {
  const idp = useIdp();
  const judge = async (outcome: "legitimate" | "fraud") => {
    await idp.sentinel.feedback(id, outcome);
    await onJudged();
  };
  return (
    <section className="stack">
      <h3>{words.feedback}</h3>
      <p className="hint">{words.feedbackHint}</p>
      <div className="row">
        <ActButton className="danger" act={() => judge("fraud")} done={words.reported}>
          {words.markFraud}
        </ActButton>
        <ActButton act={() => judge("legitimate")} done={words.reported}>
          {words.markLegitimate}
        </ActButton>
      </div>
    </section>
  );
}

/** Country and network, as far as the service kept them. */
function describePlace({ inputs }: StoredAssessment): string {
  const { country = null, asn = null } = inputs?.context ?? {};
  const parts = [country, asn === null ? null : `AS${asn}`].filter((part) => part !== null);
  return parts.length === 0 ? texts.common.none : parts.join(", ");
}

function describeClient({ inputs }: StoredAssessment): string {
  const { browser = null, os = null, device = null } = inputs?.context ?? {};
  const parts = [browser, os, device].filter((part) => part !== null);
  return parts.length === 0 ? texts.common.none : parts.join(", ");
}

const attackerKinds = [
  "stuffing",
  "proxy",
  "targeted",
  "neighbour",
  "housemate",
  "phisher",
] as const;

function describeThresholds({ policy }: StoredAssessment): string {
  if (policy === null) return texts.common.none;
  const byKind = attackerKinds.map((kind) => {
    const { challenge_at = null, deny_at = null } = policy.kinds[kind] ?? {};
    return words.thresholdOfKind(kind, challenge_at, deny_at);
  });
  const all = [words.thresholdsInForce(policy.challenge_at, policy.deny_at), ...byKind];
  return all.filter((text) => text !== "").join("; ");
}

interface AssessmentDetailProps extends FeedbackProps {
  readonly onClose: () => void;
}

/** Explains the score of one session. */
export function AssessmentDetail({ assessment, onJudged, onClose }: AssessmentDetailProps) {
  const can = usePermissions();
  const { at, recommendation, outcome, model, degraded, kinds, user_id } = assessment;
  return (
    <Dialog title={words.detail} onClose={onClose} isWide>
      <Facts
        facts={[
          [words.at, <Time key="t" at={at} />],
          [words.score, formatScore(assessment.risk_score)],
          [words.recommendation, <Recommendation key="r" value={recommendation} />],
          [words.outcome, <Verdict key="v" value={outcome} />],
          [words.place, describePlace(assessment)],
          [words.client, describeClient(assessment)],
          [words.model, model],
          [words.inForce, describeThresholds(assessment)],
          [texts.user.id, <code key="i">{user_id}</code>],
        ]}
      />
      {can("idp:read") ? (
        <div>
          <OpenUser id={user_id} />
        </div>
      ) : null}
      {degraded.length === 0 ? null : (
        <p className="callout callout-warning">{words.degraded(degraded.join(", "))}</p>
      )}
      <section>
        <h3>{words.waterfall}</h3>
        <Waterfall assessment={assessment} />
      </section>
      <ScoreNumbers id={assessment.assessment_id} />
      {kinds === null ? null : <Kinds kinds={kinds} />}
      {can("sentinel:write") ? <Feedback {...{ assessment, onJudged }} /> : null}
    </Dialog>
  );
}
