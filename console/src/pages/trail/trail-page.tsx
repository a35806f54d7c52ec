import type { AuditEventFilters } from "@edge-idp/sdk";
import { useId } from "react";
import { hrefOf, useFilters } from "../../navigation/fragment-location.ts";
import { FilterBar, SelectFilter, TextFilter, TimeFilter } from "../../parts/filter-bar.tsx";
import { PagedList, usePage } from "../../parts/paged-list.tsx";
import { PageHead } from "../../parts/section.tsx";
import { useOpened } from "../../parts/use-opened.ts";
import { useIdp } from "../../session/session-context.ts";
import { texts } from "../../texts/en.ts";
import { actions, findAction } from "./actions.ts";
import { createEventColumns } from "./event-columns.tsx";
import { EventDetail } from "./event-detail.tsx";

const words = texts.trail;
const pageSize = 50;
const followEveryMs = 2_000;
const outcomes = ["success", "failure", "refused"] as const;

/** The filters of the address bar as the API takes them. */
function readFilters(get: (name: string) => string | undefined): AuditEventFilters {
  const action = findAction(get("event"));
  const outcome = outcomes.find((one) => one === get("outcome"));
  const free = {
    reason: get("reason"),
    actor: get("actor"),
    address: get("address"),
    externalUserId: get("user"),
    from: get("from"),
    to: get("to"),
  };
  const given = Object.fromEntries(Object.entries(free).filter(([, value]) => value !== undefined));
  return {
    limit: pageSize,
    ...given,
    ...(action === undefined ? {} : { action }),
    ...(outcome === undefined ? {} : { outcome }),
  };
}

function FollowSwitch() {
  const filters = useFilters();
  const id = useId();
  const isFollowing = filters.get("follow") === "live";
  return (
    <div className="row follow">
      <input
        id={id}
        type="checkbox"
        checked={isFollowing}
        onChange={(event) =>
          filters.change({ follow: event.target.checked ? "live" : undefined }, { replace: true })
        }
      />
      <label htmlFor={id}>{words.follow}</label>
      <span className="faint" role="status">
        {isFollowing ? words.following : null}
      </span>
    </div>
  );
}

export default function TrailPage() {
  const idp = useIdp();
  const filters = useFilters();
  const wanted = readFilters(filters.get);
  const isLive = filters.get("follow") === "live" && filters.get("after") === undefined;
  const query = usePage(
    ["events", wanted],
    pageSize,
    () => idp.audit.events(wanted),
    isLive ? followEveryMs : undefined,
  );
  const { opened, open, close } = useOpened({
    key: "events",
    items: query.data?.items,
    idOf: ({ id }) => id,
    find: (period) => idp.audit.events({ ...period, limit: pageSize }),
  });
  return (
    <>
      <PageHead title={texts.pages.trail} lead={words.lead}>
        <a className="button" href={hrefOf("/trail/verify")}>
          {words.verify}
        </a>
      </PageHead>
      <FilterBar>
        <SelectFilter
          name="event"
          label={words.action}
          options={Object.fromEntries(actions.map((action) => [action, action]))}
        />
        <SelectFilter name="outcome" label={words.outcome} options={words.outcomes} />
        <TextFilter name="reason" label={words.reason} />
        <TextFilter name="user" label={texts.risk.user} hint={texts.common.externalId} />
        <TextFilter name="actor" label={words.actor} hint={words.actorHint} />
        <TextFilter name="address" label={words.address} />
        <TimeFilter name="from" label={texts.common.from} />
        <TimeFilter name="to" label={texts.common.to} />
      </FilterBar>
      <FollowSwitch />
      <PagedList
        query={query}
        caption={texts.pages.trail}
        columns={createEventColumns(open)}
        rowId={({ id }) => id}
        selected={opened?.id}
        empty={{ title: words.empty, hint: words.emptyHint }}
      />
      {opened === undefined ? null : <EventDetail event={opened} onClose={close} />}
    </>
  );
}
