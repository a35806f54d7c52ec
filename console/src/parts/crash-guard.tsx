import { Component, type ReactNode } from "react";
import { texts } from "../texts/en.ts";

/** Shows a sentence in place of an empty page, if a part of it fails while it is drawn. */
export class CrashGuard extends Component<{ readonly children: ReactNode }> {
  override state = { hasCrashed: false };

  static getDerivedStateFromError() {
    return { hasCrashed: true };
  }

  override render() {
    if (!this.state.hasCrashed) return this.props.children;
    return (
      <main className="sign-in">
        <div className="card" role="alert">
          <p>{texts.common.crashed}</p>
          <button type="button" onClick={() => location.reload()}>
            {texts.common.reload}
          </button>
        </div>
      </main>
    );
  }
}
