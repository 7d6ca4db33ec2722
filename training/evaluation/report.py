"""A result as one HTML file, to be mailed or kept."""

from html import escape

from pydantic import JsonValue

from training.evaluation.charts import Axes, Line, histogram, lines, span
from training.evaluation.image_metrics import NAMES
from training.evaluation.page import LINE_KINDS, MAP_KINDS, number, page, quiet, section, table
from training.evaluation.result import LIMITS, MAPS, Result, Values, au_pro_key

PIXEL_NAMES: dict[str, str] = {
    "pixel_auroc": "pixel AUROC",
    **{au_pro_key(limit): f"AU-PRO up to a false positive rate of {limit:g}" for limit in LIMITS},
}


def html(result: Result, pictures: str) -> str:
    """Lay a result out as a page; ``pictures`` is what ``panels`` made."""
    data = result.data
    tested = f"{data.good} good and {data.defective} defective test images"
    return page(
        f"effad evaluation {result.bundle.name} on {data.name}",
        f"{result.bundle.name} on {data.name}",
        f"{tested}, {result.created[:16].replace('T', ' ')} UTC",
        [
            *(f"<p class=warning>{escape(warning)}</p>" for warning in result.warnings),
            *(f"<p class=note>{escape(note)}</p>" for note in result.notes),
            _cards(result),
            section("Metrics", _metrics(result)),
            _curves(result),
            section("Scores of the test images", _histograms(result)),
            section("By type of defect", _defects(result)) if data.defects else "",
            section("Over alpha, the weight of the local map", _alphas(result))
            if result.alphas
            else "",
            section("Best and worst images", pictures),
            _training(result),
            section("What was evaluated", _facts(result)),
        ],
    )


def _cards(result: Result) -> str:
    fused = result.maps["fused"]
    shown = [
        ("image AUROC", fused.images["auroc"]),
        ("AU-PRO (0.3)", fused.pixels[au_pro_key(0.3)]),
        ("recall at the threshold", fused.images["recall"]),
        ("false reject rate there", fused.images["false_reject_rate"]),
    ]
    found = []
    for name, value in shown:
        if value.value is None:
            big, below = "-", value.reason or ""
        else:
            big = f"{value.value:.4f}"
            below = f"{value.low:.3f} to {value.high:.3f}" if value.low is not None else ""
        found.append(
            f"<div class=card><h3>{name}</h3><strong>{big}</strong><p>{escape(below)}</p></div>"
        )
    return f"<div class=cards>{''.join(found)}</div>"


def _metrics(result: Result) -> str:
    maps = [result.maps[name] for name in MAPS]
    heads = [f"{name} map" for name in MAPS]
    groups: list[tuple[str, dict[str, str], list[Values]]] = [
        ("of images", NAMES, [m.images for m in maps]),
        ("of pixels", PIXEL_NAMES, [m.pixels for m in maps]),
    ]
    if maps[-1].parts is not None:
        of_parts = [m.parts for m in maps if m.parts is not None]
        groups.append(("of parts, by the highest view", NAMES, of_parts))
    made, reasons = "", dict[str, None]()
    for title, names, found in groups:
        rows = [[said, *(number(values[key]) for values in found)] for key, said in names.items()]
        made += table([title, *heads], rows, "even")
        reasons |= {v.reason: None for values in found for v in values.values() if v.reason}
    limits = [["set on good images", *(_short(m.threshold) for m in maps)]]
    limits.append(["of the best F1", *(_short(m.best_threshold) for m in maps)])
    made += table(["thresholds", *heads], limits, "even")
    how = result.intervals
    undefined = "".join(quiet(f"-: {reason}") for reason in reasons)
    return (
        made
        + undefined
        + quiet(
            f"Small: intervals of {how.level:.0%}, from {how.resamples} resamples of the"
            f" {result.data.parts} parts, good and defective apart. The best F1 has seen the test"
            " images, and is no promise."
        )
    )


def _curves(result: Result) -> str:
    rate = Axes((0, 1), (0, 1), "false reject rate of images", "recall")
    roc = [Line(f"{n} map", n, result.maps[n].roc) for n in MAPS if result.maps[n].roc]
    pixels = Axes((0, 0.3), (0, 1), "false positive rate of pixels", "PRO")
    pro = [Line(f"{n} map", n, _up_to(result.maps[n].pro, 0.3)) for n in MAPS if result.maps[n].pro]
    nothing = quiet("none: there is nothing to compare")
    return (
        "<div class=columns>"
        + section("ROC of images", lines(rate, roc) if roc else nothing)
        + section("PRO of pixels", lines(pixels, pro, marks=[0.05]) if pro else nothing)
        + "</div>"
    )


def _up_to(
    points: tuple[tuple[float, float], ...], limit: float
) -> tuple[tuple[float, float], ...]:
    """Cut a curve at a limit of x, interpolated there."""
    inside = tuple(point for point in points if point[0] <= limit)
    if len(inside) == len(points):
        return inside
    (x0, y0), (x1, y1) = inside[-1], points[len(inside)]
    return (*inside, (limit, y0 + (y1 - y0) * (limit - x0) / (x1 - x0)))


def _histograms(result: Result) -> str:
    drawn = []
    for name in reversed(MAPS):
        series = []
        for kind, is_bad in (("good", False), ("bad", True)):
            of_kind = [i for i in result.images if (i.defect is not None) == is_bad]
            if of_kind:
                said = "defective" if is_bad else "good"
                series.append((said, kind, [i.scores[name] for i in of_kind]))
        chart = histogram(f"score of the {name} map", series, result.maps[name].threshold)
        drawn.append(f"<div>{chart}</div>")
    return f"<div class=columns>{''.join(drawn)}</div>"


def _defects(result: Result) -> str:
    heads = ["type", "images", "regions"]
    heads += [f"AUROC, {name}" for name in MAPS]
    heads += [f"AU-PRO (0.3), {name}" for name in MAPS] + ["recall, fused"]
    rows = []
    for kind, count in result.data.defects.items():
        found = {name: result.maps[name].defects[kind] for name in MAPS}
        key = au_pro_key(0.3)
        rows.append(
            [
                escape(kind),
                str(count),
                str(found["fused"].components),
                *(_short(found[n].values["auroc"].value) for n in MAPS),
                *(_short(found[n].values[key].value) for n in MAPS),
                _short(found["fused"].values["recall"].value),
            ]
        )
    return table(heads, rows) + quiet("Each type against all good test images.")


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _alphas(result: Result) -> str:
    named = {
        "auroc": "image AUROC",
        "pixel_auroc": "pixel AUROC",
        au_pro_key(0.3): "AU-PRO (0.3)",
    }
    drawn = []
    for (key, name), kind in zip(named.items(), LINE_KINDS, strict=True):
        points = [(a.alpha, v) for a in result.alphas if (v := a.values[key].value) is not None]
        if points:
            drawn.append(Line(name, kind, points))
    keys = ["auroc", *PIXEL_NAMES]
    rows = [[f"{a.alpha:g}", *(_short(a.values[key].value) for key in keys)] for a in result.alphas]
    heads = ["alpha", "image AUROC", "pixel AUROC", *(f"AU-PRO ({limit:g})" for limit in LIMITS)]
    chart = quiet("nothing to draw")
    if drawn:
        low, high = span([y for line in drawn for _, y in line.points])
        axes = Axes((0, 1), (max(low, 0), min(high, 1.0)), "alpha", "area")
        chart = lines(axes, drawn, dots=True, marks=[result.alpha])
    used = quiet(
        f"The fused map is that of alpha {result.alpha:g}. To take the best alpha from here would"
        " be to choose by test images."
    )
    return f"<div class=columns><div>{chart}{used}</div>{table(heads, rows)}</div>"


def _training(result: Result) -> str:
    """Draw the losses over steps that the bundle keeps, a chart for each scale (figure 5.2)."""
    curves = result.bundle.provenance.get("curves")
    if not isinstance(curves, dict):
        return ""
    colours = (*LINE_KINDS, *MAP_KINDS, "good", "bad")
    charts = []
    for scale, points in curves.items():
        losses = _losses(points)
        drawn = [
            Line(name, colours[n % len(colours)], those)
            for n, (name, those) in enumerate(losses.items())
        ]
        if not drawn:
            continue
        steps = [x for line in drawn for x, _ in line.points]
        # The first steps are far above all others, and would leave those a flat line.
        values = sorted(y for line in drawn for _, y in line.points)
        top = values[int(0.98 * (len(values) - 1))] * 1.05 or 1.0
        axes = Axes((0, max(*steps, 1)), (0, top), "step", "loss")
        charts.append(section(f"Training of {scale}", lines(axes, drawn)))
    return f"<div class=columns>{''.join(charts)}</div>"


def _losses(points: JsonValue) -> dict[str, list[tuple[float, float]]]:
    """Read [[step, {name: value}], ...]; what is none of that is left out."""
    found: dict[str, list[tuple[float, float]]] = {}
    for point in points if isinstance(points, list) else []:
        match point:
            case [int() as step, {**values}]:
                for name, value in values.items():
                    if isinstance(value, int | float):
                        found.setdefault(str(name), []).append((step, value))
    return found


def _facts(result: Result) -> str:
    bundle = result.bundle
    total = sum(bundle.parameters.values())
    rows = [
        ("bundle", f"{bundle.name}, {bundle.sha256[:12]}"),
        ("networks", f"{bundle.pdn} PDN, {total:,} parameters, mode {bundle.mode}"),
        ("trained on", f"{bundle.trained_on} images"),
        ("engine", result.engine),
        ("data", f"{result.data.name}, layout {result.data.layout}"),
        ("global map", f"{result.global_map.split('-')[0]} against autoencoder"),
        ("effad", result.effad),
    ]
    settings = bundle.provenance.get("settings")
    if isinstance(settings, dict):
        rows.append(("settings", ", ".join(f"{k} {v}" for k, v in settings.items())))
    return table(["", ""], [[name, escape(text)] for name, text in rows])
