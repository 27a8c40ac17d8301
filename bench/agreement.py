"""How far two sets of results agree: the share of objects that the other has too."""
import json
import pathlib


def load(file: pathlib.Path) -> dict[int, list]:
    with open(file, encoding="utf-8") as lines:
        return {r["seq"]: r["objects"] for r in map(json.loads, lines)}


def iou(a, b) -> float:
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a[2] * a[3] + b[2] * b[3] - width * height)


def matched(objects: dict[int, list], others: dict[int, list]) -> tuple[int, int]:
    """Of how many objects the other side has one of the same class with IoU of at least 0.85; and of how many in all."""
    found = total = 0
    for seq, wanted in objects.items():
        free = list(others.get(seq, []))
        for one in wanted:
            same = [o for o in free if o["class"] == one["class"]]
            best = max(same, key=lambda o: iou(o["box"], one["box"]), default=None)
            total += 1
            if best and iou(best["box"], one["box"]) >= 0.85:
                free.remove(best)
                found += 1
    return found, total
