"""A drawing as SVG text, in light and in dark colours, on a ground of its own: so it can be read wherever it stands."""

from html import escape

WIDTH = 760
SIZE = 13  # pixels of the letters
LIGHT = {
    "ground": "#ffffff",
    "ink": "#1f2328",
    "soft": "#59636e",
    "line": "#d1d9e0",
    "bad": "#cf222e",
    "good": "#1a7f37",
    "mark": "#0969da",
    "wait": "#9a6700",
}
DARK = {
    "ground": "#0d1117",
    "ink": "#f0f6fc",
    "soft": "#9198a1",
    "line": "#3d444d",
    "bad": "#ff7b72",
    "good": "#3fb950",
    "mark": "#58a6ff",
    "wait": "#d29922",
}


class Picture:
    """What is drawn is styled by the name of a colour. Lengths are pixels, from the upper left corner.

    Args:
        title: What it shows, in a few words.
        description: What somebody is told who does not see it.
    """

    def __init__(self, height: float, title: str, description: str) -> None:
        self._size = f'width="{WIDTH}" height="{height:g}" viewBox="0 0 {WIDTH} {height:g}"'
        self._told = f'<title id="title">{escape(title)}</title>\n<desc id="desc">{escape(description)}</desc>'
        self._shapes = [f'<rect class="ground edge" x=".5" y=".5" width="{WIDTH - 1}" height="{height - 1:g}" rx="8"/>']

    def text(self, x: float, y: float, words: object, style: str = "ink", anchor: str = "start") -> None:
        """`style`: a colour, and `strong`, `small`, or `bare`: without a rim in the colour of the ground."""
        place = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self._shapes.append(f'<text class="{style}" x="{x:g}" y="{y:g}"{place}>{escape(str(words))}</text>')

    def box(self, x: float, y: float, width: float, height: float, style: str) -> None:
        self._shapes.append(f'<rect class="{style}" x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"/>')

    def line(self, x1: float, y1: float, x2: float, y2: float, style: str = "line") -> None:
        self._shapes.append(f'<path class="stroke {style}" d="M{x1:g} {y1:g}L{x2:g} {y2:g}"/>')

    def arrow(self, x1: float, x2: float, y: float, style: str) -> None:
        """Level, with its head at `x2`."""
        back = x2 - 6 if x2 > x1 else x2 + 6
        self.line(x1, y, x2, y, style)
        head = f"M{back:g} {y - 4:g}L{x2:g} {y:g}L{back:g} {y + 4:g}"
        self._shapes.append(f'<path class="stroke {style.removesuffix(" dashed")}" d="{head}"/>')

    def dot(self, x: float, y: float, style: str) -> None:
        self._shapes.append(f'<circle class="{style}" cx="{x:g}" cy="{y:g}" r="4"/>')

    def cross(self, x: float, y: float, style: str) -> None:
        corners = f"M{x - 4:g} {y - 4:g}l8 8m0 -8l-8 8"
        self._shapes.append(f'<path class="stroke {style}" d="{corners}"/>')

    def __str__(self) -> str:
        head = f'<svg xmlns="http://www.w3.org/2000/svg" {self._size} role="img" aria-labelledby="title desc">'
        return "\n".join([head, self._told, f"<style>\n{_STYLE}\n</style>", *self._shapes, "</svg>", ""])


def _colours(scheme: dict[str, str]) -> str:
    return " ".join([f"--{name}: {colour};" for name, colour in scheme.items()])


def _style() -> str:
    rules = [
        f":root {{ {_colours(LIGHT)} }}",
        f"@media (prefers-color-scheme: dark) {{ :root {{ {_colours(DARK)} }} }}",
        f"text {{ font: {SIZE}px system-ui, sans-serif; }}",
        "text { paint-order: stroke; stroke: var(--ground); stroke-width: 4px; }",
        ".edge { stroke: var(--line); }",
        ".bare { stroke: none; }",
        ".strong { font-weight: 600; }",
        f".small {{ font-size: {SIZE - 2}px; }}",
        ".faint { fill-opacity: .25; }",
        ".dashed { stroke-dasharray: 3 3; }",
    ]
    rules += [f".{name} {{ fill: var(--{name}); }} .stroke.{name} {{ stroke: var(--{name}); }}" for name in LIGHT]
    return "\n".join([*rules, ".stroke { fill: none !important; stroke-width: 1.5; }"])


_STYLE = _style()
