"""Do weather reports explain late departures? A regression over two datasets that never leave their owners.

Reads every file below $INPUTS (one is a table of departures, one of hourly weather), joins them by hour, fits a ridge
regression of the share of departures that leave at least 15 minutes late, and writes to $OUTPUTS:

    metrics.json        goodness of fit on days that the model has not seen, next to two baselines
    coefficients.csv    effect of each variable, per standard deviation
    predictions.csv     observed and predicted share for each held-out hour
    delays.svg          the picture: observed and predicted share by hour of the day and by wind speed
"""

import csv
import gzip
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np

INPUTS, OUTPUTS = Path(os.environ["INPUTS"]), Path(os.environ["OUTPUTS"])
WEATHER = ("temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib")
LATE_MINUTES = 15
RIDGE = 1.0
START = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - START:5.2f} s] {text}", flush=True)


def rows(path):
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode()
    return list(csv.DictReader(text.splitlines()))


def number(text):
    try:
        return float(text)
    except ValueError:
        return float("nan")


def read_tables():
    departures, weather = [], []
    for path in sorted(p for p in INPUTS.rglob("*") if p.is_file() and p.suffix != ".json"):
        table = rows(path)
        if not table:
            continue
        (departures if "dep_delay" in table[0] else weather).extend(table)
        say(f"read {len(table):,} rows of {'departures' if 'dep_delay' in table[0] else 'weather'}")
    if not departures or not weather:
        raise SystemExit("need one table of departures and one of weather")
    return departures, weather


def by_hour(departures):
    """time_hour -> (departures, late departures); cancelled flights have no delay and are left out."""
    hours = {}
    for row in departures:
        delay = number(row["dep_delay"])
        if delay == delay:
            total, late = hours.get(row["time_hour"], (0, 0))
            hours[row["time_hour"]] = (total + 1, late + (delay >= LATE_MINUTES))
    return hours


def build(departures, weather):
    reports = {row["time_hour"]: row for row in weather}
    hours = sorted((hour, counts) for hour, counts in by_hour(departures).items() if hour in reports)
    values = np.array([[number(reports[hour][name]) for name in WEATHER] for hour, _ in hours])
    medians = np.nanmedian(values, axis=0)
    values = np.where(np.isnan(values), medians, values)
    local = np.array([int(reports[hour]["hour"]) for hour, _ in hours])
    angle = 2 * np.pi * local / 24
    features = np.column_stack([values, np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)])
    names = (*WEATHER, "day sin", "day cos", "half-day sin", "half-day cos")
    counts = np.array([counts for _, counts in hours], dtype=float)
    return [hour for hour, _ in hours], local, names, features, counts[:, 1] / counts[:, 0], counts[:, 0], values


def fit(x, y, weight):
    """Weighted ridge regression; x is standardised and gets an intercept that is not penalised."""
    design = np.column_stack([np.ones(len(x)), x])
    penalty = RIDGE * np.eye(design.shape[1])
    penalty[0, 0] = 0
    return np.linalg.solve(design.T @ (design * weight[:, None]) + penalty, design.T @ (weight * y))


def scores(y, predicted, weight):
    mean = np.average(y, weights=weight)
    residual = np.average((y - predicted) ** 2, weights=weight)
    return {
        "r2": round(1 - residual / np.average((y - mean) ** 2, weights=weight), 4),
        "mean_absolute_error": round(float(np.average(np.abs(y - predicted), weights=weight)), 4),
    }


def profile(group, y, predicted, weight):
    """Weighted means of observed and predicted share for each value of `group`."""
    out = []
    for value in np.unique(group):
        chosen = group == value
        if weight[chosen].sum() >= 50:
            pair = [float(np.average(v[chosen], weights=weight[chosen])) for v in (y, predicted)]
            out.append((float(value), *pair))
    return out


def panel(left, title, unit, points):
    width, height, top = 360, 200, 60
    xs = [p[0] for p in points]
    highest = max(max(p[1], p[2]) for p in points) * 1.1
    low, span = min(xs), (max(xs) - min(xs)) or 1

    def at(x, y):
        return f"{left + (x - low) / span * width:.1f},{top + height - y / highest * height:.1f}"

    parts = [f'<text x="{left}" y="{top - 16}" class="t">{title}</text>']
    for step in range(5):
        y = highest * step / 4
        line = top + height - height * step / 4
        parts.append(f'<path d="M{left} {line:.1f}h{width}" class="g"/>')
        parts.append(f'<text x="{left - 6}" y="{line + 4:.1f}" class="a" text-anchor="end">{y:.0%}</text>')
    for index, x in enumerate(xs):
        if index % max(1, len(xs) // 6) == 0:
            place = left + (x - low) / span * width
            parts.append(f'<text x="{place:.1f}" y="{top + height + 18}" class="a" text-anchor="middle">{x:g}</text>')
    parts.append(f'<text x="{left + width}" y="{top + height + 36}" class="a" text-anchor="end">{unit}</text>')
    for column, name in ((1, "o"), (2, "p")):
        line = " ".join(at(p[0], p[column]) for p in points)
        parts.append(f'<polyline points="{line}" class="{name}"/>')
        if name == "o":
            parts += [
                f'<circle cx="{at(p[0], p[1]).split(",")[0]}" cy="{at(p[0], p[1]).split(",")[1]}" r="3" class="d"/>'
                for p in points
            ]
    return "".join(parts)


def picture(hour_points, wind_points):
    style = (
        "text{font-family:sans-serif;fill:#222}.t{font-size:15px;font-weight:600}.a{font-size:11px;fill:#666}"
        ".g{stroke:#e4e4e4;fill:none}.o{stroke:#1f77b4;fill:none;stroke-width:2}"
        ".p{stroke:#d9481c;fill:none;stroke-width:2;stroke-dasharray:6 4}.d{fill:#1f77b4}"
    )
    legend = (
        '<path d="M60 318h30" class="o"/><text x="98" y="322" class="a">observed</text>'
        '<path d="M180 318h30" class="p"/><text x="218" y="322" class="a">predicted (days not used for the fit)</text>'
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="900" height="340" viewBox="0 0 900 340">'
        f'<style>{style}</style><rect width="900" height="340" fill="#fff"/>'
        + panel(60, "Late departures by hour of the day", "local hour", hour_points)
        + panel(500, "Late departures by wind speed", "miles per hour", wind_points)
        + legend
        + "</svg>"
    )


def main():
    departures, weather = read_tables()
    hours, local, names, features, share, flights, values = build(departures, weather)
    say(f"joined {int(flights.sum()):,} departures with the weather of {len(hours):,} hours")

    held_out = np.array([int(hour[8:10]) % 5 == 0 for hour in hours])  # every fifth day of a month
    mean, deviation = features[~held_out].mean(axis=0), features[~held_out].std(axis=0)
    x = (features - mean) / deviation
    weights = fit(x[~held_out], share[~held_out], flights[~held_out])
    say(f"fitted {len(weights)} coefficients on {int((~held_out).sum()):,} hours")

    clock = [i for i, name in enumerate(names) if name not in WEATHER]
    clock_weights = fit(x[~held_out][:, clock], share[~held_out], flights[~held_out])
    predicted = np.clip(np.column_stack([np.ones(len(x)), x]) @ weights, 0, 1)
    by_clock = np.clip(np.column_stack([np.ones(len(x)), x[:, clock]]) @ clock_weights, 0, 1)
    constant = np.full(len(x), np.average(share[~held_out], weights=flights[~held_out]))
    test = (share[held_out], flights[held_out])
    metrics = {
        "departures": int(flights.sum()),
        "hours": len(hours),
        "held_out_hours": int(held_out.sum()),
        "late_share": round(float(np.average(share, weights=flights)), 4),
        "weather_and_clock": scores(test[0], predicted[held_out], test[1]),
        "clock_only": scores(test[0], by_clock[held_out], test[1]),
        "constant": scores(test[0], constant[held_out], test[1]),
    }
    say(f"R² on held-out days: {metrics['weather_and_clock']['r2']} (clock only: {metrics['clock_only']['r2']})")

    OUTPUTS.mkdir(parents=True, exist_ok=True)
    (OUTPUTS / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    with (OUTPUTS / "coefficients.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("variable", "effect_per_standard_deviation"))
        order = np.argsort(-np.abs(weights[1:]))
        writer.writerows((names[i], round(float(weights[1 + i]), 5)) for i in order)
    with (OUTPUTS / "predictions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("hour", "departures", "observed_late_share", "predicted_late_share"))
        for i in np.flatnonzero(held_out):
            writer.writerow((hours[i], int(flights[i]), round(float(share[i]), 4), round(float(predicted[i]), 4)))
    wind = np.round(values[:, WEATHER.index("wind_speed")] / 4) * 4
    chosen = held_out
    args = (share[chosen], predicted[chosen], flights[chosen])
    (OUTPUTS / "delays.svg").write_text(picture(profile(local[chosen], *args), profile(wind[chosen], *args)))
    say("wrote metrics.json, coefficients.csv, predictions.csv, delays.svg")


if __name__ == "__main__":
    main()
