import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useFilters } from "../../navigation/fragment-location.ts";
import { FilterBar, TimeFilter } from "../../parts/filter-bar.tsx";
import { Facts, Section } from "../../parts/section.tsx";
import { Failure, Loading } from "../../parts/states.tsx";
import { useSession } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";

const words = texts.operator.tenant;
const names = [
  "verifications",
  "passkeys",
  "assessments",
  "enrolments",
  "locks",
  "requests_refused",
  "active_users",
  "events",
  "users",
] as const;

export function Usage({ id }: { readonly id: string }) {
  const { idp } = useSession();
  const filters = useFilters();
  const [from, to] = [filters.get("from"), filters.get("to")];
  const period = {
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
  const { data, error, isPending, refetch } = useQuery({
    queryKey: ["operator", "tenant", id, "usage", period],
    queryFn: () => idp.tenants.usage(id, period),
    placeholderData: keepPreviousData,
  });
  return (
    <Section title={words.usage}>
      <FilterBar>
        <TimeFilter name="from" label={words.usageFrom} />
        <TimeFilter name="to" label={words.usageTo} />
      </FilterBar>
      {isPending ? <Loading /> : null}
      {error === null ? null : <Failure error={error} onRetry={() => void refetch()} />}
      {data === undefined ? null : (
        <Facts
          facts={names.map((name) => [words.usageNames[name], data[name].toLocaleString("en")])}
        />
      )}
    </Section>
  );
}
