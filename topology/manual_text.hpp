#pragma once

#include <string_view>

namespace penstock::topology {

/// The part of the manual that no table can say.
inline constexpr std::string_view manual_introduction = R"(# Topology files

<!-- Printed by `penstock schema --markdown`; a test compares. -->

A topology file says which pictures come in, what is done with each frame, and where results go. `penstock validate FILE`
checks it and prints every problem with its place; `penstock validate FILE --resolved` prints it with every default;
`penstock graph FILE` draws it; `penstock schema` prints the JSON Schema for editors:

```yaml
# yaml-language-server: $schema=./topology.schema.json
pipeline: lobby
streams:
  - {id: door, uri: "rtsp://10.0.0.8/main"}
  - {id: archive, uri: "recordings/*.mp4"}
stages:
  decode: {sample_fps: 10}
  preprocess: {fit: letterbox, color: rgb, mean: 0, scale: 1/255}
  inference: {model: yolov8n.onnx}
  postprocess: {head: yolov8, labels: coco.txt, score: 0.25, iou: 0.45}
tracking: {kind: iou}
sinks:
  - {kind: jsonl, path: "results/{stream}.jsonl"}
```

## Streams

| `uri` | is | policy `auto` |
|---|---|---|
| `clip.mp4`, `file:///data/clip.mkv` | one video file | lossless |
| `recordings/*.mp4` | one stream per video, named `ID/STEM` after the file | lossless |
| `recordings/` | a folder: its videos as above, or its pictures as below | lossless |
| `photo.jpg`, `shots/*.png` | JPEG, PNG, WebP and BMP pictures: one stream, one frame per picture | lossless |
| `rtsp://…`, `rtmp://…`, `srt://…`, `udp://…` | a camera or live server | live |
| `http://…`, `https://…` | a file; a camera or live server where it is a playlist (`.m3u8`) or `policy: live` says so | lossless, live for playlists |
| `/dev/video0`, `v4l2:///dev/video0` | a V4L2 device | live |
| `synthetic://?frames=250&fps=25` | a made-up scene for tests; `live=1` paces it | lossless, live with `live=1` |

A folder or glob that has videos and pictures is a problem: name one or the other by its extension.

## Values

- Times have a unit: `250us`, `4ms`, `3s`, `5min`, `1h`. Sizes: `64MiB`, `10MB` or plain bytes; pictures: `64Mpx`.
- Numbers may be fractions: `1/255`.
- `auto` leaves a decision to the program.
- `${NAME}` stands for an environment variable, `${NAME:-default}` has a default for one that is empty or not set, and
  `$${` is a literal `${`. A variable that is not set is a problem.
- Paths are relative to the file.
- YAML's anchors and merge keys (`<<: *base`) work.
- `--set path=value` replaces a value or adds one, with dots between keys and the index of list items:
  `--set stages.decode.sample_fps=5 --set streams.0.uri=other.mp4`. Lists, maps and quoted text are
  YAML (`--set 'sinks=[]'`), anything else is the value as it stands.

## Problems

A wrong file is never run: every problem stands on standard error as `FILE:LINE:COLUMN: path: message`, with the value
found and the values allowed, and the program ends with exit code 78. In overrides, FILE is `--set` and LINE counts them.
Lines with `note:` tell about keys that are right but that this version does not act on; they stop nothing.
)";

} // namespace penstock::topology
