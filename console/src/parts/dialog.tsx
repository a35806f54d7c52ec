import { Dialog as AriakitDialog, DialogDismiss, DialogHeading } from "@ariakit/react/dialog";
import { HeadingLevel } from "@ariakit/react/heading";
import type { ReactNode } from "react";
import { texts } from "../texts/en.ts";

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  /** Whether a touch outside does not close it, because it shows something that is shown once. */
  readonly isSticky?: boolean;
  readonly isWide?: boolean;
}

export function Dialog(props: DialogProps) {
  const { title, onClose, children, isSticky = false, isWide = false } = props;
  return (
    <AriakitDialog
      open
      onClose={onClose}
      className={isWide ? "dialog dialog-wide" : "dialog"}
      backdrop={<div className="backdrop" />}
      hideOnInteractOutside={!isSticky}
    >
      <header className="dialog-head">
        <HeadingLevel level={2}>
          <DialogHeading className="dialog-title">{title}</DialogHeading>
        </HeadingLevel>
        <DialogDismiss className="quiet" aria-label={texts.common.close}>
          ✕
        </DialogDismiss>
      </header>
      {children}
    </AriakitDialog>
  );
}
