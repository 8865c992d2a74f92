"""Draws one picture: draw.py FILE, with what to draw as JSON on standard input. Run by a Python that has matplotlib.

{"title", "about": small print, "across": panels in a row (3), "panels": [{"title", "x": label, "y": label, "kind":
"lines" or "bars", "log": of y, "series": [{"name", "x": [..], "y": [..], "error": [..] or null, "dashed": of lines}]}]}
or, in all panels, {"title", "kind": "matrix", "values": [[..]], "most": black}.

Lines have numbers as x, bars words."""
import json
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402 # after use()
from matplotlib import ticker  # noqa: E402

COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666", "#000000", "#8c564b", "#7f0000",
           "#bcbd22", "#17becf"]


def draw_lines(axes, series, colours):
    for each in series:
        axes.errorbar(each["x"], each["y"], yerr=each.get("error"), label=each["name"], color=colours[each["name"]],
                      linestyle="--" if each.get("dashed") else "-", marker="o", markersize=3, linewidth=1.2, capsize=2)


def draw_bars(axes, series, colours):
    places = list(dict.fromkeys(x for each in series for x in each["x"]))
    width = 0.8 / len(series)
    for i, each in enumerate(series):
        at = [places.index(x) + (i - (len(series) - 1) / 2) * width for x in each["x"]]
        axes.bar(at, each["y"], width, yerr=each.get("error"), label=each["name"], color=colours[each["name"]])
    axes.set_xticks(range(len(places)), places)


def draw_matrix(axes, panel):
    axes.imshow(panel["values"], cmap="Greys", vmin=0, vmax=panel["most"])
    axes.set_xticks([])
    axes.set_yticks([])


def main():
    picture = json.load(sys.stdin)
    panels = picture["panels"]
    names = list(dict.fromkeys(each["name"] for panel in panels for each in panel.get("series", [])))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    across = min(picture.get("across", 3), len(panels))
    down = -(-len(panels) // across)
    wide, high = (1.5, 1.7) if panels[0].get("kind") == "matrix" else (4.4, 3.3 if across > 1 else 2.4)
    size = (max(9, wide * across), high * down + 0.9)
    figure, grid = plt.subplots(down, across, figsize=size, squeeze=False)
    for axes, panel in zip(grid.flat, panels):
        axes.set_title(panel["title"], fontsize=9)
        if panel.get("kind") == "matrix":
            draw_matrix(axes, panel)
            continue
        (draw_bars if panel.get("kind") == "bars" else draw_lines)(axes, panel["series"], colours)
        axes.set_xlabel(panel["x"], fontsize=8)
        axes.set_ylabel(panel["y"], fontsize=8)
        axes.tick_params(labelsize=7, which="both")
        axes.grid(alpha=0.3, linewidth=0.5)
        if panel.get("log"):
            axes.set_yscale("log")
            for axis_format in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
                axis_format(ticker.FormatStrFormatter("%.3g"))
        if all(isinstance(x, int) for each in panel["series"] for x in each["x"]):
            axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    for axes in list(grid.flat)[len(panels):]:
        axes.set_visible(False)
    found = {}
    for axes in grid.flat:
        for handle, name in zip(*axes.get_legend_handles_labels()):
            found.setdefault(name, handle)
    figure.suptitle(picture["title"], fontsize=10)
    low = 0.2 / size[1]  # inches from the bottom, as shares of the height
    figure.legend(found.values(), found.keys(), loc="lower center", ncol=6, fontsize=7, frameon=False,
                  bbox_to_anchor=(0.5, low))
    figure.text(0.5, 0.3 * low, picture["about"], ha="center", fontsize=6, color="#666666")
    figure.tight_layout(rect=(0, low * (2 + -(-len(found) // 6)), 1, 1))
    figure.savefig(sys.argv[1], dpi=80, metadata={"Software": None, "Description": picture["about"]})


if __name__ == "__main__":
    main()
