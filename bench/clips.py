"""The clips that benchmarks run on, made once from the shared footage."""
import os
import pathlib
import subprocess

FRAMES = 600
SHARED = pathlib.Path(os.environ.get("PENSTOCK_SHARED", "../shared"))
# 1080p, x264's defaults (three B-frames), a keyframe every 50 frames. Four streams that differ.
RECIPES = {
    "road": ("car-detection.mp4", "null"),
    "room": ("one-by-one-person-detection.mp4", "null"),
    "road-mirrored": ("car-detection.mp4", "hflip"),
    "room-mirrored": ("one-by-one-person-detection.mp4", "hflip"),
}


def make(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Makes what is not there yet; returns the clips by name, the first being the one for single streams."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = {}
    for name, (source, change) in RECIPES.items():
        clips[name] = folder / f"{name}.mp4"
        if clips[name].exists():
            continue
        print(f"making {clips[name]} …", flush=True)
        unfinished = folder / f"{name}.unfinished.mp4"
        subprocess.run(
            ["ffmpeg", "-v", "error", "-y", "-stream_loop", "-1", "-i", SHARED / "media" / source,
             "-frames:v", str(FRAMES), "-an", "-vf", f"{change},scale=1920:1080:flags=bicubic",
             "-c:v", "libx264", "-preset", "medium", "-crf", "23", "-g", "50", "-pix_fmt", "yuv420p", unfinished],
            check=True)
        unfinished.rename(clips[name])
    return clips
