/** The frame around each page: the menu, and who is signed in. */
import { Suspense, useEffect, useId, useRef, useState } from "react";
import { Empty, Loading } from "../parts/states.tsx";
import { readCredentials } from "../session/session.ts";
import { useSession } from "../session/session-context.ts";
import { texts } from "../texts/en.ts";
import { hrefOf, navigate, usePath } from "./fragment-location.ts";
import { type Place, places } from "./places.ts";
import { themes, useTheme } from "./theme.ts";

function usePermittedPlaces(): Place[] {
  const { tenant } = useSession();
  return places.filter(({ access }) =>
    access === "operator" ? tenant === undefined : tenant?.permissions.includes(access),
  );
}

function ThemeChoice() {
  const [theme, setTheme] = useTheme();
  const id = useId();
  return (
    <div className="theme">
      <label htmlFor={id}>{texts.shell.theme}</label>
      <select
        id={id}
        value={theme}
        onChange={({ target }) => setTheme(themes.find((one) => one === target.value) ?? "system")}
      >
        {themes.map((one) => (
          <option key={one} value={one}>
            {texts.shell.themes[one]}
          </option>
        ))}
      </select>
    </div>
  );
}

function Identity() {
  const { tenant } = useSession();
  const actingFor = readCredentials()?.actingFor ?? "";
  return (
    <div className="identity">
      {tenant === undefined ? (
        <p>{texts.shell.operator}</p>
      ) : (
        <p>
          {tenant.mode === "test" ? texts.shell.test : texts.shell.live}
          <br />
          <code>{tenant.tenant_id}</code>
        </p>
      )}
      {actingFor === "" ? null : <p className="faint">{texts.shell.actingFor(actingFor)}</p>}
    </div>
  );
}

export function Shell() {
  const path = usePath();
  const session = useSession();
  const permitted = usePermittedPlaces();
  const [isMenuOpen, setMenuOpen] = useState(false);
  const content = useRef<HTMLElement>(null);
  const menuId = useId();
  const first = permitted.find(({ partOf }) => partOf === undefined);
  const current = permitted.find((place) => place.path === path);
  const title = current?.title ?? texts.common.unknownPage;

  useEffect(() => {
    if (path === "/" && first !== undefined) navigate(first.path, { replace: true });
  }, [path, first]);
  useEffect(() => {
    document.title = `${title} · ${texts.product}`;
    setMenuOpen(false);
    scrollTo(0, 0);
  }, [title]);

  return (
    <div className="shell">
      <button type="button" className="skip" onClick={() => content.current?.focus()}>
        {texts.common.skipToContent}
      </button>
      <header className="side">
        <div className="brand">
          <strong>{texts.product}</strong> {texts.console}
          <button
            type="button"
            className="menu-button"
            aria-expanded={isMenuOpen}
            aria-controls={menuId}
            onClick={() => setMenuOpen(!isMenuOpen)}
          >
            {texts.shell.openMenu}
          </button>
        </div>
        <div id={menuId} className={isMenuOpen ? "menu menu-open" : "menu"}>
          <nav aria-label={texts.shell.navigation}>
            <ul>
              {permitted
                .filter(({ partOf }) => partOf === undefined)
                .map((place) => (
                  <li key={place.path}>
                    <a
                      href={hrefOf(place.path)}
                      aria-current={
                        place.path === (current?.partOf ?? current?.path) ? "page" : undefined
                      }
                    >
                      {place.title}
                    </a>
                  </li>
                ))}
            </ul>
          </nav>
          <div className="side-foot">
            <Identity />
            <ThemeChoice />
            <button type="button" onClick={() => session.end()}>
              {texts.shell.signOut}
            </button>
          </div>
        </div>
      </header>
      <main ref={content} tabIndex={-1} className="content">
        {current === undefined ? (
          path === "/" ? (
            <Loading />
          ) : (
            <Empty title={texts.common.unknownPage} hint={texts.common.unknownPageHint} />
          )
        ) : (
          <Suspense key={current.path} fallback={<Loading />}>
            <current.Page />
          </Suspense>
        )}
      </main>
    </div>
  );
}
