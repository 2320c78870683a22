"""Write the colours of `taggram.tags.colours` for the page: the page and the picture look alike.

Run it after a change of the colours; a test says when that was forgotten.

    web/src/generated/colours.css       custom properties of the light and the dark theme
    web/src/generated/score_maps.json   theme → category → colours of evenly spaced mapped values, 0 to 1
"""

import json
from pathlib import Path

from taggram.tags.colours import CATEGORY_HUES, THEMES, Colour, Theme

GENERATED = Path(__file__).resolve().parent.parent / "web" / "src" / "generated"
N_STOPS = 33
_SELECTORS = {"light": ":root", "dark": ':root[data-theme="dark"]'}


def render_css() -> str:
    """Return the custom properties of both themes."""
    rules = [
        f"{_SELECTORS[name]} {{\n  color-scheme: {name};\n{_properties(theme)}}}\n"
        for name, theme in THEMES.items()
    ]
    return "/* Written by scripts/write_web_colours.py. */\n" + "\n".join(rules)


def render_score_maps() -> str:
    """Return the score maps as JSON."""
    maps = {
        name: {
            category: [_hex(tuple(colour)) for colour in theme.score_map(hue, N_STOPS).tolist()]
            for category, hue in CATEGORY_HUES.items()
        }
        for name, theme in THEMES.items()
    }
    return json.dumps(maps, indent=1) + "\n"


def _properties(theme: Theme) -> str:
    named = {name: getattr(theme, name) for name in ("page", "panel", "ink", "muted", "line")}
    named |= {category: theme.category_colour(category) for category in CATEGORY_HUES}
    for mode in ("major", "minor"):
        named |= {
            f"chord-{root}-{mode}": theme.chord_colour(root, is_minor=mode == "minor") for root in range(12)
        }
    return "".join(f"  --{name}: {_hex(colour)};\n" for name, colour in named.items())


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


if __name__ == "__main__":
    GENERATED.mkdir(parents=True, exist_ok=True)
    (GENERATED / "colours.css").write_text(render_css(), encoding="utf-8")
    (GENERATED / "score_maps.json").write_text(render_score_maps(), encoding="utf-8")
