"""What encoders are worth: frozen, on the same folds by subject, the same subsets, five seeds each.

    python benchmarks/encoder_probe.py --data hc18 busi usgra muscle gallbladder \\
        --encoder random:usfm_lite0 usfm_lite0 run/encoder [--out results] [--role decide] [--quick]

Few-shot Dice of masks from 5, 10 and 20 subjects, macro F1 of a linear layer and of nearest neighbours; then every
encoder against the one named first by --against (else the second of the list), paired by subject, with 95 % intervals
of a bootstrap over subjects. Beside them the ridge on hand-made filters, which an encoder has to beat at 20 subjects.
Written as Markdown and JSON into --out; what an earlier run left there (folders as read, results) is not done again.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import msgspec

from usfm_studio.document.model_card import subject_code
from usfm_studio.engine.device import choose_device
from usfm_studio.engine.probing.approval import approval
from usfm_studio.engine.probing.encoders import probed_encoder
from usfm_studio.engine.probing.hand_made import hand_made
from usfm_studio.engine.probing.prober import Prober
from usfm_studio.engine.probing.results import SIZES, FewShot, ProbeResult
from usfm_studio.verbs import data_folder
from usfm_studio.verbs.drive import drive
from usfm_studio.verbs.house import House

FILTERS = {"59 filters": 0, "59 filters, Fourier": 1500}
FIGURES = (*(f"fewshot{n}" for n in SIZES), "linear", "knn")
TITLES = {**{f"fewshot{n}": f"Dice, {n} subjects" for n in SIZES}, "linear": "linear F1", "knn": "k-NN F1"}


def snapshots(folders, into):
    """The folders as the probe reads them, by name."""
    with House() as house:
        for path in folders:
            if not (into / path.name / "manifest.json").exists():
                drive(data_folder.read(house, path, into / path.name))
    return {path.name: into / path.name for path in folders}


def scored(prober, name, seed, kept):
    """The probe of an encoder, taken from the file where an earlier run left it."""
    encoder, digest = probed_encoder(name, seed)
    if kept.exists():
        result = msgspec.json.decode(kept.read_bytes(), type=ProbeResult)
        if (result.digest, result.role, result.quick, set(result.folders)) == (
            digest, prober.role, prober.quick, set(prober.folders),
        ):  # fmt: skip
            return result
    begun = time.process_time()
    result = prober.score(encoder, name, digest)
    seconds = {**result.seconds, "processor": time.process_time() - begun}
    result = msgspec.structs.replace(result, seconds=seconds)
    kept.write_bytes(msgspec.json.encode(result))
    return result


def filters(prober, kept):
    """Few-shot figures of hand-made filters, by kind and folder; folder by folder kept."""
    found = json.loads(kept.read_text()) if kept.exists() else {}
    for title, fourier in FILTERS.items():
        for name, folder in prober.folders.items():
            if f"{title}/{name}" not in found:
                shots = hand_made(folder, prober.device, fourier=fourier)
                found[f"{title}/{name}"] = {str(n): msgspec.to_builtins(shot) for n, shot in shots.items()}
                kept.write_text(json.dumps(found))
    return {
        title: {
            name: {int(n): msgspec.convert(shot, FewShot) for n, shot in found[f"{title}/{name}"].items()}
            for name in prober.folders
        }
        for title in FILTERS
    }


def figure(folder, name):
    """(value, interval, spread over seeds) of a figure of one folder, or None."""
    if name in ("linear", "knn"):
        value = getattr(folder, name)
        return None if value is None else (value, folder.intervals.get(name), None)
    shot = folder.fewshot.get(int(name.removeprefix("fewshot")))
    return None if shot is None else (shot.dice, shot.interval, shot.per_seed)


def cell(found):
    """A figure as text: value [interval] ±spread."""
    if found is None:
        return ""
    value, interval, seeds = found
    text = f"{value:.3f}"
    if interval is not None:
        text += f" [{interval[0]:.3f}, {interval[1]:.3f}]"
    return text if not seeds else f"{text} ±{(max(seeds) - min(seeds)) / 2:.3f}"


def table(results, hand, prober):
    """Rows: folder x encoder; columns: figures."""
    lines = ["| set | encoder | " + " | ".join(TITLES[f] for f in FIGURES) + " |", "| --- " * (len(FIGURES) + 2) + "|"]
    for name in prober.folders:
        for title, result in results.items():
            cells = " | ".join(cell(figure(result.folders[name], f)) for f in FIGURES)
            lines.append(f"| {name} | {title} | {cells} |")
        for title, by_folder in hand.items():
            shots = by_folder[name]
            cells = (cell((s.dice, s.interval, s.per_seed)) if (s := shots.get(n)) else "" for n in SIZES)
            if shots:
                lines.append(f"| {name} | {title} | " + " | ".join(cells) + " | | |")
    for title, result in results.items():
        body = result.body()
        means = {**{f"fewshot{n}": d for n, d in result.fewshot.items()}, "linear": result.linear, "knn": result.knn}
        found = [(means[f], body["interval"].get(f), None) if means.get(f) is not None else None for f in FIGURES]
        lines.append(f"| **mean** | {title} | " + " | ".join(cell(f) for f in found) + " |")
    return lines


def differences(verdicts, against):
    """Rows: encoder; columns: paired differences over all folders."""
    lines = [
        f"Minus {against}, paired by subject; [95 % interval], part of the redraws above 0.",
        "",
    ]
    lines += ["| encoder | set | " + " | ".join(TITLES[f] for f in FIGURES) + " |", "| --- " * (len(FIGURES) + 2) + "|"]
    for title, verdict in verdicts.items():
        for name, found in [*verdict.folders.items(), ("**all**", verdict.differences)]:
            cells = (
                f"{d.mean:+.3f} [{d.low:+.3f}, {d.high:+.3f}] {d.share_above:.0%}" if (d := found.get(f)) else ""
                for f in FIGURES
            )
            lines.append(f"| {title} | {name} | " + " | ".join(cells) + " |")
    return lines


def coded(body):
    """The result with subjects named by codes: it may be published."""
    for folder in body["folders"].values():
        folder["per_subject"] = {subject_code(s): v for s, v in folder["per_subject"].items()}
    return body


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, nargs="+", required=True)
    parser.add_argument("--encoder", nargs="+", required=True)
    parser.add_argument("--against")
    parser.add_argument("--role", choices=["decide", "steer"], default="decide")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--no-filters", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("encoder_probe"))
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    device = choose_device(given.device, given.threads)
    folders = snapshots(given.data, given.out / "read")
    prober = Prober(folders, given.role, quick=given.quick, device=device)
    results = {}
    for name in given.encoder:
        title = name if Path(name).name == name else f"{Path(name).parent.name}/{Path(name).name}"
        kept = given.out / f"{title.replace('/', '-').replace(':', '-')}.json"
        results[title] = scored(prober, name, given.seed, kept)
        print(title, json.dumps({k: v for k, v in results[title].body().items() if k != "folders"}), flush=True)
    hand = {} if given.no_filters else filters(prober, given.out / "filters.json")
    write(given, results, hand, prober, device)


def write(given, results, hand, prober, device):
    """The table for people and the figures for programs."""
    against = given.against or list(results)[min(1, len(results) - 1)]
    gate = None
    if hand:
        gate = {name: shots[20].dice for name, shots in hand["59 filters, Fourier"].items() if 20 in shots}
    verdicts = {t: approval(r, results[against], gate) for t, r in results.items() if t != against}
    lines = [f"# Encoders, frozen, probed: {given.role}{', quick' if given.quick else ''}", ""]
    lines += [f"{device.name}, {device.kind}, {device.threads} thread(s). "]
    lines += [
        "Value [95 % interval over subjects] ±half the spread over the five seeds of the subset.",
        "",
        *table(results, hand, prober),
        "",
    ]
    lines += [*differences(verdicts, against), "", *(f"- {t} after {against}: {v.reason}" for t, v in verdicts.items())]
    lines += ["", "Seconds (processor: of this process, all threads):", ""]
    lines += [f"- {t}: " + ", ".join(f"{k} {v:.0f}" for k, v in r.seconds.items()) for t, r in results.items()]
    (given.out / "encoder_probe.md").write_text("\n".join(lines) + "\n", "utf-8")
    body = {
        "encoders": {t: coded(r.body()) for t, r in results.items()},
        "verdicts": {t: v.body() for t, v in verdicts.items()},
        "filters": {
            title: {name: {n: s.dice for n, s in shots.items()} for name, shots in by_folder.items()}
            for title, by_folder in hand.items()
        },
    }
    (given.out / "encoder_probe.json").write_text(json.dumps(body, indent=1) + "\n", "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
