import { Copy } from "../../parts/copy.tsx";
import { Dialog } from "../../parts/dialog.tsx";
import { texts } from "../../texts/en.ts";

interface IssuedTokenProps {
  readonly secret: string;
  readonly title?: string;
  readonly hint?: string;
  readonly onClose: () => void;
}

/** Shows a new token, once. */
export function IssuedToken(props: IssuedTokenProps) {
  const { secret, title = texts.tokens.secretTitle, hint = texts.tokens.secret, onClose } = props;
  return (
    <Dialog title={title} onClose={onClose} isSticky>
      <p>{hint}</p>
      <p className="secret">
        <code>{secret}</code>
      </p>
      <div className="dialog-actions">
        <Copy text={secret} what={title} />
        <button type="button" className="primary small" onClick={onClose}>
          {texts.user.authenticators.done}
        </button>
      </div>
    </Dialog>
  );
}
