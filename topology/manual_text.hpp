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
| `push://NAME` | a program pushes it, see [the protocol](protocol.md) | live, unless its producer asks for lossless |
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

## Going on

With `checkpoint` a head that ended before its streams did goes on where it was, at the next start with the same file:

- Streams that were done are not run again. Others are read from their beginning without decoding what was done, and
  go on at the segment where sinks had not taken every frame.
- A `jsonl` file is continued behind its last complete line; a torn one is cut. An `mp4` file cannot be continued: a new
  one is begun beside it (`door-2.mp4`), with the noted frame. The last two seconds of the first may be lost if the program
  was killed, and its last frames may be in both.
- A stop (SIGINT, SIGTERM) is quick: what was read and is not done is left to the next start (`shutdown` in the ledger).
- Every frame is in a `jsonl` file once, over all lives. Sinks that cannot tell what they had get frames from the noted one
  on again. `received` and `delivered` count from where the stream went on, which the report at exit names ("resumed at
  frame N"). Trackers start anew there.
- Nothing goes on if an input has changed (size or time), or what is done with its frames (`stages` but for where and how
  fast, `tracking`, `sinks`): the program says so and ends. `--fresh` forgets the checkpoint and begins anew.
- Streams that are new in the file are begun. Live streams are not noted: they go on with what comes.
- Only one head at a time may use the folder. Each of its lives has a larger epoch, so results that workers owe to an
  earlier one are not taken.

## Cutting the work

`decode` to `postprocess` may be done by two roles, for example by machines without and with a GPU:

```yaml
nodes:
  head: {stages: [source, collector], listen: "tcp://0.0.0.0:7400"}
  cpu: {stages: [decode, preprocess], dial: "tcp://head:7400", link: {tensors: fp16}}
  gpu: {stages: [inference, postprocess], dial: "tcp://head:7400", listen: "tcp://0.0.0.0:7402"}
```

- There are two cuts: before `preprocess` (frames cross the link) and before `inference` (tensors do). Where the model runs
  on a GPU, frames take the shorter way: they are preprocessed there, and objects found there too.
- Machines of both roles dial the head. Those of the second one tell it where they listen (with `0.0.0.0`: the address they
  have towards the head), and it tells those of the first, whenever that changes. Each of the first role's machines sends
  to all of the second's, to the one with the least under way for its size.
- Leases stay with the role that decodes, which keeps every frame until its outcome is back. A machine of the second role
  may die at any time: what it had goes to another one. While there is none, nothing is leased, and nothing counts against
  a segment.
- Memory is bounded: `batch.max` × (`instances` + 2) frames or tensors on each machine before the link, and the second
  role's credit for all that send to it.
- Every machine needs the model's file, which is part of what they must agree on. A role that preprocesses loads it on the
  CPU for a moment to learn its input; one that only decodes does not load it.
- Frames before a link are decoded on the CPU.

## The HTTP door

`http` at the head's role opens [the door](http.md); the section `http` says who may come in and how much of what:

```yaml
nodes:
  head: {stages: [all], http: "0.0.0.0:8080"}
http:
  tokens: [{name: shop, sha256: "${SHOP_TOKEN_SHA256}", scopes: [detect]}]
  tls: {certificate: cert.pem, key: key.pem}
  limits: {image: 8MiB}
```

- With a door, `streams` and `sinks` may be empty: the answers are the results (`configs/images.yaml`).
- No file holds a token, only its SHA-256: `printf %s TOKEN | sha256sum`.
- Beyond loopback the door does not open without tokens, unless `security.insecure: true` is written out.

## Problems

A wrong file is never run: every problem stands on standard error as `FILE:LINE:COLUMN: path: message`, with the value
found and the values allowed, and the program ends with exit code 78. In overrides, FILE is `--set` and LINE counts them.
Lines with `note:` tell about keys that are right but that this version does not act on; they stop nothing.
)";

} // namespace penstock::topology
