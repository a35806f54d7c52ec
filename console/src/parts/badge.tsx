import type { ReactNode } from "react";

export type Tone = "good" | "warning" | "bad" | "plain";

interface BadgeProps {
  readonly tone?: Tone;
  readonly children: ReactNode;
}

export function Badge({ tone = "plain", children }: BadgeProps) {
  return <span className={`badge badge-${tone}`}>{children}</span>;
}
