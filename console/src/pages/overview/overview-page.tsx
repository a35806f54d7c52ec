import { useQueries } from "@tanstack/react-query";
import { useMemo } from "react";
import { useFilters } from "../../navigation/fragment-location.ts";
import { formatPercent } from "../../parts/score-format.ts";
import { PageHead, Section } from "../../parts/section.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { formatTime } from "../../parts/time.tsx";
import { useSession } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { Chart } from "./chart.tsx";
import {
  createQuery,
  createSeries,
  measures,
  metrics,
  type Period,
  periods,
  type Series,
  totalOf,
} from "./series.ts";

const words = texts.overview;
const refreshEveryMs = 60_000;
const choices = [
  { id: "hour", words: words.byHour, period: periods.hour },
  { id: "week", words: words.byDay, period: periods.week },
  { id: "month", words: words.byMonth, period: periods.month },
] as const;

function PeriodChoice({ chosen }: { readonly chosen: string }) {
  const filters = useFilters();
  return (
    <fieldset className="choice">
      <legend className="hidden-label">{words.period}</legend>
      {choices.map(({ id, words: label }) => (
        <label key={id} className={id === chosen ? "chosen" : undefined}>
          <input
            type="radio"
            name="period"
            className="hidden-label"
            checked={id === chosen}
            onChange={() => filters.change({ period: id })}
          />
          {label}
        </label>
      ))}
    </fieldset>
  );
}

function describeChange(now: number, before: number): string {
  if (before === 0) return words.nothingBefore;
  if (now === before) return words.noChange;
  const sign = now > before ? "+" : "−";
  return words.change(`${sign}${formatPercent(Math.abs(now - before) / before)}`);
}

interface MeasureCardProps {
  readonly name: string;
  readonly series: Series;
  readonly step: Period["step"];
}

function MeasureCard({ name, series, step }: MeasureCardProps) {
  const [now, before] = [totalOf(series.now), totalOf(series.before)];
  return (
    <Section title={name}>
      <p className="measure">
        <strong>{now.toLocaleString("en")}</strong>{" "}
        <span className="faint">{describeChange(now, before)}</span>
      </p>
      <Chart {...{ series, step }} label={words.summary(name, now, before)} />
      <details>
        <summary>{words.table}</summary>
        <div className="table-place scroll">
          <table className="table">
            <caption className="hidden-label">{name}</caption>
            <thead>
              <tr>
                <th scope="col">{words.time}</th>
                <th scope="col" className="number">
                  {words.thisPeriod}
                </th>
                <th scope="col" className="number">
                  {words.weekBefore}
                </th>
              </tr>
            </thead>
            <tbody>
              {series.times.map((time, index) => (
                <tr key={time}>
                  <td data-label={words.time}>{formatTime(time)}</td>
                  <td data-label={words.thisPeriod} className="number">
                    {series.now[index]}
                  </td>
                  <td data-label={words.weekBefore} className="number">
                    {series.before[index]}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </Section>
  );
}

/** The statistics of all metrics, and the time to which they belong. */
function useStatistics(period: Period) {
  const { id, idp } = useSession();
  return useQueries({
    queries: metrics.map((metric) => ({
      queryKey: [id, "statistics", metric, period],
      queryFn: async () => {
        const now = Date.now();
        const { points, complete } = await idp.audit.statistics(createQuery(metric, period, now));
        return { metric, points, complete, now };
      },
      refetchInterval: refreshEveryMs,
    })),
  });
}

export default function OverviewPage() {
  const chosen = useFilters().get("period");
  const { id: periodId, period } = choices.find(({ id }) => id === chosen) ?? choices[1];
  const results = useStatistics(period);
  const failed = results.find(({ error }) => error !== null);
  const found = results.flatMap(({ data }) => data ?? []);
  const versions = results.map(({ dataUpdatedAt }) => dataUpdatedAt).join();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the versions stand for what was found.
  const cards = useMemo(
    () =>
      measures.flatMap((measure) => {
        const data = found.find(({ metric }) => metric === measure.metric);
        if (data === undefined) return [];
        const series = createSeries(data.points, measure, period, data.now);
        return [{ id: measure.id, name: words.metrics[measure.id], series }];
      }),
    [versions, period],
  );
  return (
    <>
      <PageHead title={texts.pages.overview} lead={words.lead}>
        <PeriodChoice chosen={periodId} />
      </PageHead>
      <p className="legend" aria-hidden="true">
        <span className="legend-now">{words.thisPeriod}</span>
        <span className="legend-before">{words.weekBefore}</span>
      </p>
      {failed === undefined ? null : (
        <Failure error={failed.error} onRetry={() => void failed.refetch()} />
      )}
      {found.every(({ complete }) => complete) ? null : (
        <p className="callout callout-warning">{words.complete}</p>
      )}
      <div className="columns">
        {cards.map(({ id, name, series }) => (
          <MeasureCard key={id} {...{ name, series }} step={period.step} />
        ))}
      </div>
      {results.some(({ isPending }) => isPending) ? <Loading /> : null}
      <p className="hint page-foot">{words.updated}</p>
    </>
  );
}
