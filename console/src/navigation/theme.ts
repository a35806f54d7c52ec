/** Light or dark: as the system is, unless the reader has chosen. The choice is no secret, and stays. */
import { useEffect, useState } from "react";

const storageKey = "edge-idp-theme";
export const themes = ["system", "light", "dark"] as const;
export type Theme = (typeof themes)[number];

function readTheme(): Theme {
  const stored = localStorage.getItem(storageKey);
  return themes.find((theme) => theme === stored) ?? "system";
}

export function useTheme(): readonly [Theme, (theme: Theme) => void] {
  const [theme, setTheme] = useState(readTheme);
  useEffect(() => {
    localStorage.setItem(storageKey, theme);
    document.documentElement.style.colorScheme = theme === "system" ? "light dark" : theme;
  }, [theme]);
  return [theme, setTheme];
}
