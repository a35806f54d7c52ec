import type { StoredAssessment } from "@edge-idp/sdk";
import { useQueryClient } from "@tanstack/react-query";
import { hrefOf, useFilters } from "../../navigation/fragment-location.ts";
import type { Column } from "../../parts/data-table.tsx";
import { FilterBar, SelectFilter, TextFilter, TimeFilter } from "../../parts/filter-bar.tsx";
import { PagedList, usePage } from "../../parts/paged-list.tsx";
import { formatScore } from "../../parts/score-format.ts";
import { PageHead } from "../../parts/section.tsx";
import { Time } from "../../parts/time.tsx";
import { useOpened } from "../../parts/use-opened.ts";
import { useSession } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { AssessmentDetail } from "./assessment-detail.tsx";
import { Distribution } from "./distribution.tsx";
import { Recommendation, Verdict } from "./recommendation.tsx";

const words = texts.risk;
const pageSize = 100;
const recommendations = ["allow", "challenge", "deny"] as const;
const outcomes = ["legitimate", "fraud", "none"] as const;

function createColumns(
  open: (assessment: StoredAssessment) => void,
): readonly Column<StoredAssessment>[] {
  return [
    { id: "at", header: words.at, cell: ({ at }) => <Time at={at} /> },
    {
      id: "score",
      header: words.score,
      isNumber: true,
      cell: ({ risk_score }) => formatScore(risk_score),
    },
    {
      id: "recommendation",
      header: words.recommendation,
      cell: ({ recommendation }) => <Recommendation value={recommendation} />,
    },
    {
      id: "reason",
      header: words.strongest,
      cell: ({ reasons }) => <span className="clip">{reasons[0]?.detail ?? ""}</span>,
    },
    { id: "outcome", header: words.outcome, cell: ({ outcome }) => <Verdict value={outcome} /> },
    {
      id: "open",
      header: texts.common.columnActions,
      cell: (assessment) => (
        <button type="button" className="small" onClick={() => open(assessment)}>
          {words.open}
        </button>
      ),
    },
  ];
}

/** A score in the address bar; undefined for another text. */
function parseScore(text: string | undefined): number | undefined {
  const score = text === undefined ? Number.NaN : Number(text);
  return score >= 0 && score <= 1 ? score : undefined;
}

export default function RiskPage() {
  const { id: sessionId, idp } = useSession();
  const filters = useFilters();
  const client = useQueryClient();
  const recommendation = recommendations.find((one) => one === filters.get("recommendation"));
  const outcome = outcomes.find((one) => one === filters.get("verdict"));
  const min_score = parseScore(filters.get("score"));
  const [user, from, to] = [filters.get("user"), filters.get("from"), filters.get("to")];
  const wanted = {
    limit: pageSize,
    ...(recommendation === undefined ? {} : { recommendation }),
    ...(outcome === undefined ? {} : { outcome }),
    ...(min_score === undefined ? {} : { min_score }),
    ...(user === undefined ? {} : { externalUserId: user }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
  const query = usePage(["assessments", wanted], pageSize, () => idp.sentinel.assessments(wanted));
  const items = query.data?.items ?? [];
  const { opened, open, close } = useOpened({
    key: "assessments",
    items: query.data?.items,
    idOf: ({ assessment_id }) => assessment_id,
    find: (period) => idp.sentinel.assessments({ ...period, limit: pageSize }),
  });
  return (
    <>
      <PageHead title={texts.pages.risk} lead={words.lead}>
        <a className="button" href={hrefOf("/risk/thresholds")}>
          {words.thresholds}
        </a>
      </PageHead>
      <FilterBar>
        <SelectFilter
          name="recommendation"
          label={words.recommendation}
          options={words.recommendations}
        />
        <SelectFilter name="verdict" label={words.outcome} options={words.outcomes} />
        <TextFilter name="score" label={words.minScore} type="number" />
        <TextFilter name="user" label={words.user} hint={texts.common.externalId} />
        <TimeFilter name="from" label={texts.common.from} />
        <TimeFilter name="to" label={texts.common.to} />
      </FilterBar>
      <div className="stack">
        {items.length === 0 ? null : (
          <Distribution scores={items.map(({ risk_score }) => risk_score)} />
        )}
        <PagedList
          query={query}
          caption={texts.pages.risk}
          columns={createColumns(open)}
          rowId={({ assessment_id }) => assessment_id}
          selected={opened?.assessment_id}
          empty={{ title: words.empty, hint: words.emptyHint }}
        />
      </div>
      {opened === undefined ? null : (
        <AssessmentDetail
          assessment={opened}
          onClose={close}
          onJudged={() => client.invalidateQueries({ queryKey: [sessionId, "assessments"] })}
        />
      )}
    </>
  );
}
