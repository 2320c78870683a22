/** Light or dark: the system's choice unless another was made. `public/theme.js` applies it before the first paint. */

export type ThemeName = "light" | "dark";
const KEY = "taggram.theme";

class Theme {
  private readonly system = matchMedia("(prefers-color-scheme: dark)");
  current = $state<ThemeName>(document.documentElement.dataset.theme === "dark" ? "dark" : "light");

  constructor() {
    this.system.addEventListener("change", () => {
      if (!read()) this.apply(this.ofSystem);
    });
  }

  /** Change to the other theme; the system's own is not remembered, so that it goes on following it. */
  toggle(): void {
    const next = this.current === "dark" ? "light" : "dark";
    write(next === this.ofSystem ? null : next);
    this.apply(next);
  }

  private get ofSystem(): ThemeName {
    return this.system.matches ? "dark" : "light";
  }

  private apply(name: ThemeName): void {
    document.documentElement.dataset.theme = name;
    this.current = name;
  }
}

function read(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function write(value: ThemeName | null): void {
  try {
    if (value) localStorage.setItem(KEY, value);
    else localStorage.removeItem(KEY);
  } catch {
    // Storage is forbidden: the choice holds until the page is left.
  }
}

export const theme = new Theme();
