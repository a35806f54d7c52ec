/** What a part of a page shows while it loads, when it is empty, and when it has failed. */
import { IdpError } from "@edge-idp/sdk";
import type { ReactNode } from "react";
import { texts } from "../texts/en.ts";

export function Loading() {
  return (
    <p className="loading" role="status">
      <span className="spinner" aria-hidden="true" />
      {texts.common.loading}
    </p>
  );
}

interface EmptyProps {
  readonly title: string;
  readonly hint?: string;
  readonly children?: ReactNode;
}

export function Empty({ title, hint, children }: EmptyProps) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {hint === undefined ? null : <p>{hint}</p>}
      {children}
    </div>
  );
}

/** The same with the id of the request, where there is no place for it beside the sentence. */
export function describeErrorWithRequest(error: unknown): string {
  const sentence = describeError(error);
  const id = error instanceof IdpError ? error.requestId : undefined;
  return id === undefined ? sentence : `${sentence} (${texts.common.requestId(id)})`;
}

interface FailureProps {
  readonly error: unknown;
  readonly onRetry?: (() => void) | undefined;
}

/** One sentence for the reader. */
export function describeError(error: unknown): string {
  return error instanceof Error && error.message !== "" ? error.message : texts.common.wrong;
}

export function Failure({ error, onRetry }: FailureProps) {
  const known = error instanceof IdpError ? error : undefined;
  return (
    <div className="failure" role="alert">
      <p>{describeError(error)}</p>
      {known?.issues?.map(({ path, message }) => (
        <p key={path}>
          <code>{path}</code> {message}
        </p>
      ))}
      {known?.requestId === undefined ? null : (
        <p className="faint">
          <code>{known.code}</code> · {texts.common.requestId(known.requestId)}
        </p>
      )}
      {onRetry === undefined ? null : (
        <button type="button" onClick={onRetry}>
          {texts.common.tryAgain}
        </button>
      )}
    </div>
  );
}
