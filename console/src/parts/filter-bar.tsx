/** The filters of a list. Each stands in the address bar. */
import { type ReactNode, useEffect, useId, useState } from "react";
import { useFilters } from "../navigation/fragment-location.ts";
import { texts } from "../texts/en.ts";

export function FilterBar({ children }: { readonly children: ReactNode }) {
  return (
    <search className="filters" aria-label={texts.common.filters}>
      {children}
    </search>
  );
}

interface SelectFilterProps {
  readonly name: string;
  readonly label: string;
  /** The words for each value. */
  readonly options: Readonly<Record<string, string>>;
}

export function SelectFilter({ name, label, options }: SelectFilterProps) {
  const filters = useFilters();
  const id = useId();
  return (
    <div className="filter">
      <label htmlFor={id}>{label}</label>
      <select
        id={id}
        value={filters.get(name) ?? ""}
        onChange={(event) => filters.change({ [name]: event.target.value })}
      >
        <option value="">{texts.common.any}</option>
        {Object.entries(options).map(([value, words]) => (
          <option key={value} value={value}>
            {words}
          </option>
        ))}
      </select>
    </div>
  );
}

interface TextFilterProps {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly type?: "text" | "datetime-local" | "number";
  /** How the value stands in the address, if not as typed. */
  readonly encode?: (text: string) => string | undefined;
  readonly decode?: (value: string) => string;
}

/** Takes effect when the reader leaves it or presses Enter. */
export function TextFilter(props: TextFilterProps) {
  const { name, label, hint, type = "text" } = props;
  const { encode = (text) => text, decode = (value) => value } = props;
  const filters = useFilters();
  const id = useId();
  const current = decode(filters.get(name) ?? "");
  const [text, setText] = useState(current);
  useEffect(() => setText(current), [current]);
  const apply = () => {
    if (text !== current) filters.change({ [name]: text === "" ? undefined : encode(text) });
  };
  return (
    <div className="filter">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        type={type}
        value={text}
        placeholder={hint}
        autoComplete="off"
        onChange={(event) => setText(event.target.value)}
        onBlur={apply}
        onKeyDown={(event) => {
          if (event.key === "Enter") apply();
        }}
        {...(type === "number" ? { min: 0, max: 1, step: 0.05 } : {})}
      />
    </div>
  );
}

/** RFC 3339 as the field of a form shows it, in the reader's zone. */
function toLocalInput(value: string): string {
  const time = Date.parse(value);
  if (Number.isNaN(time)) return "";
  const offsetMs = new Date(time).getTimezoneOffset() * 60_000;
  return new Date(time - offsetMs).toISOString().slice(0, 16);
}

function fromLocalInput(text: string): string | undefined {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}

/** A time in the reader's zone, which stands in the address in UTC. */
export function TimeFilter({ name, label }: { readonly name: string; readonly label: string }) {
  return (
    <TextFilter
      {...{ name, label }}
      type="datetime-local"
      decode={toLocalInput}
      encode={fromLocalInput}
    />
  );
}
