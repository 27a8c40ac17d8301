"""The tables of docs/benchmarks-gpu.md from the figures of one run."""


def table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, ["---"] * len(head), *rows])


def median(spread: dict) -> float:
    return spread["median"]


def ranged(spread: dict, digits: int = 1) -> str:
    return f"{spread['median']:.{digits}f} ({spread['low']:.{digits}f} – {spread['high']:.{digits}f})"


def minimal_us(result: dict) -> float:
    """Time that preprocessing's minimal bytes take at the measured copy bandwidth."""
    p = result["preprocess"]
    return (p["read_bytes"] + p["written_bytes"]) / result["copy"]["bytes_per_s"] * 1e6


def best_eager(result: dict) -> dict | None:
    """The fastest of torch's ways that runs operator by operator."""
    ways = [w for w in result.get("torch", {}).get("ways", []) if not w["way"].startswith("compiled")]
    return min(ways, key=lambda w: w["us"]) if ways else None


def per_image_ratio(result: dict, way: dict) -> float:
    own = median(result["preprocess"]["us"]) / result["preprocess"]["images"]
    return way["us"] / result["torch"]["images"] / own


def targets(result: dict) -> list[dict]:
    """What was aimed at, and what was measured, of the parts that ran."""
    rows = []

    def add(what: str, measured: float, target: float, at_most: bool) -> None:
        met = measured <= target if at_most else measured >= target
        rows.append({"what": what, "measured": measured, "target": target, "at_most": at_most, "met": met})

    if "preprocess" in result and "copy" in result:
        add("preprocess: time / that of its minimal bytes at copy bandwidth",
            median(result["preprocess"]["us"]) / minimal_us(result), 1.25, True)
    if "preprocess" in result and (way := best_eager(result)):
        add("preprocess: torch's fastest operators / Penstock", per_image_ratio(result, way), 3, False)
    for row in result.get("decode", []):
        if row["candidates"] in (100, 1000):
            add(f"decode + NMS, {row['type']}, {row['candidates']} candidates an image, ms", median(row["us"]) / 1e3, 0.5,
                True)
    if "pipeline" in result:
        add("frames on the device: pipeline / raw engine", median(result["pipeline"]["device_share"]), 0.98, False)
        add("frames in host memory: pipeline / raw engine", median(result["pipeline"]["host_share"]), 0.95, False)
    return rows


def heading(result: dict) -> list[str]:
    if not result["measurement"]:
        return ["**A trial of the benchmark's logic on the CPU, at small sizes. Nothing here is a measurement.**"]
    d = result.get("device", {})
    lines = [f"{d.get('model')} ({d.get('capability')}, {d.get('multiprocessors')} multiprocessors, L2 "
             f"{d.get('l2_bytes', 0) / 2**20:.0f} MiB), driver {d.get('driver')}, CUDA {d.get('cuda_runtime')}, "
             f"{result['date']}; host load at the start {result['load_at_start']:.1f}."]
    if "shared" in result:
        lines.append(f"**Another process used the GPU: {result['shared']}.**")
    for name, clocks in result.get("clocks", {}).items():
        ranges = [f"{key} {low:g} – {high:g}" for key, (low, high) in
                  ((k, v) for k, v in clocks.items() if k != "samples")]
        if ranges:
            lines.append(f"During {name}: " + ", ".join(ranges) + f" ({clocks['samples']} samples).")
    return lines


def preprocess(result: dict) -> list[str]:
    p, own = result["preprocess"], median(result["preprocess"]["us"])
    rows = [["Penstock, fused", ranged(p["us"]), "1", ""]]
    if "copy" in result:
        rows.insert(0, ["minimal bytes at copy bandwidth", f"{minimal_us(result):.1f}", f"{minimal_us(result) / own:.2f}", ""])
    for way in result.get("torch", {}).get("ways", []):
        us = way["us"] / result["torch"]["images"] * p["images"]
        rows.append([f"torch: {way['way']}, {way['inside']}", f"{us:.1f}", f"{us / own:.2f}",
                     f"{way['mean_difference']:.3f}, at most {way['most_difference']:.1f}"])
    lines = [f"### Preprocess: {p['images']} × 1080p NV12 → 640×640 f16 letterbox\n",
             table(["", "µs", "times Penstock's", "difference, 1/255"], rows),
             f"\nMinimal bytes: {p['read_bytes']:,} read, {p['written_bytes']:,} written. The call itself takes "
             f"{median(p['host_us_of_the_call']):.0f} µs of the host."]
    lines += [f"\nNot run: {name}: {why}." for name, why in result.get("torch", {}).get("missing", {}).items()]
    return lines


def decode(result: dict) -> list[str]:
    rows = [[d["type"], str(d["candidates"]), f"{d['objects_per_item']:.0f}", ranged(d["us"]),
             f"{d['read_bytes'] / median(d['us']) / 1e3:.0f}" if median(d["us"]) > 0 else ""] for d in result["decode"]]
    return [f"### Decode + NMS: {result['decode'][0]['items']} × 84 × 8,400\n",
            table(["type", "candidates an image", "objects an image", "µs", "scores read, GB/s"], rows)]


def pipeline(result: dict) -> list[str]:
    p = result["pipeline"]
    rows = [["raw engine", ranged(p["raw_images_per_s"]), ""],
            ["pipeline, frames on the device", ranged(p["device_images_per_s"]), ranged(p["device_share"], 3)],
            ["pipeline, frames in host memory", ranged(p["host_images_per_s"]), ranged(p["host_share"], 3)]]
    return [f"### Pipeline: {p['model']}, {p['engine']} on {p['runs_on']}, {p['input']}, batch {p['batch']}, {p['lanes']} lanes\n",
            table(["", "images/s", "share of raw"], rows),
            f"\n{p['objects_per_image']:.0f} objects an image; the ring takes {p['ring_device_bytes'] / 2**20:.0f} MiB of "
            f"the device, {p['ring_pinned_bytes'] / 2**20:.0f} MiB pinned when fed from the host."]


def twins(result: dict) -> list[str]:
    rows = [[t["kernel"], ranged(t["device_us"], 2), ranged(t["cpu_us"], 0), f"{t['times']:.0f}"] for t in result["twins"]]
    return ["### Kernels beside their twins on one core, per picture\n",
            table(["kernel", "device, µs", "CPU, µs", "times"], rows)]


def copy(result: dict) -> list[str]:
    c = result["copy"]
    rows = [["the driver's copy", f"{c['driver_bytes_per_s'] / 1e9:.0f}"]]
    if "kernel_bytes_per_s" in c:
        rows.append(["a kernel of 16-byte loads and stores", f"{c['kernel_bytes_per_s'] / 1e9:.0f}"])
    return [f"### Copy bandwidth, {c['bytes'] / 2**20:.0f} MiB\n", table(["", "GB/s, read + written"], rows)]


def markdown(result: dict) -> str:
    lines = [*heading(result)]
    if rows := targets(result) if result["measurement"] else []:
        lines += ["\n### Targets\n", table(["target", "", "measured", ""], [
            [t["what"], f"{'at most' if t['at_most'] else 'at least'} {t['target']:g}", f"{t['measured']:.3f}",
             "met" if t["met"] else "**missed**"] for t in rows])]
    for name, part in (("copy", copy), ("preprocess", preprocess), ("decode", decode), ("twins", twins),
                       ("pipeline", pipeline)):
        if name in result:
            lines += ["", *part(result)]
    lines += [f"\n**{f['part']} failed: {f['why']}.**" for f in result["failed"]]
    return "\n".join(lines)
