#include "topology/schema_table.hpp"

#include <memory>

#include "topology/container_shapes.hpp"
#include "topology/http_table.hpp"
#include "topology/make_shapes.hpp"
#include "topology/scalar_shapes.hpp"
#include "topology/scaling_table.hpp"

namespace penstock::topology {
namespace {

using std::chrono::milliseconds;

auto devices() { return choice<device>({{"auto", device::automatic}, {"cpu", device::cpu}, {"cuda", device::cuda}}); }

auto stream() {
  auto reconnect = object<reconnect_config>();
  reconnect->add("min", &reconnect_config::min, time_span(milliseconds{1}), "Wait before the first new attempt.")
      .add("max", &reconnect_config::max, time_span(milliseconds{1}), "Longest wait; each attempt doubles it.");
  auto s = object<stream_config>();
  s->need("id", &stream_config::id, name(), "Name of the stream in results, metrics and paths.")
      .need("uri", &stream_config::uri, uri(), "Where its pictures come from; see [Streams](#streams).")
      .add("policy", &stream_config::policy,
           automatic(choice<stream_policy>({{"live", stream_policy::live}, {"lossless", stream_policy::lossless}})),
           "What happens when frames come faster than they are worked on: `live` sheds, `lossless` waits. `auto`: "
           "`lossless` where the source ends by itself, otherwise `live`.")
      .add("sample_fps", &stream_config::sample_fps, automatic(number(0)),
           "Frames per second of this stream that are worked on; `auto`: as `stages.decode.sample_fps`.")
      .add("transport", &stream_config::transport,
           choice<rtsp_transport>({{"tcp", rtsp_transport::tcp}, {"udp", rtsp_transport::udp}}),
           "How an RTSP camera sends.")
      .add("reconnect", &stream_config::reconnect, reconnect,
           "How often a live source that is away is tried again, with jitter.");
  return s;
}

auto decode() {
  auto s = object<decode_config>();
  s->add("device", &decode_config::device, devices(),
         "Where frames are decoded. `auto`: on the GPU that runs the model, what its decoder can, and the rest on the "
         "CPU.")
      .add("sample_fps", &decode_config::sample_fps, number(0),
           "Frames per second of a stream that are worked on; 0: all. The others are dropped as `sampled`, where "
           "possible without decoding them.")
      .add("effort", &decode_config::effort,
           choice<decode_effort>({{"exact", decode_effort::exact}, {"fast", decode_effort::fast}}),
           "`fast` skips the loop filter on frames that no other frame refers to. Measured: 5 % more frames/s with "
           "B-frames, over 99 % of the objects the same; nothing either way without B-frames (docs/benchmarks.md).")
      .add("concurrency", &decode_config::concurrency, automatic(whole(1, 1024)),
           "Segments decoded at the same time; `auto`: one per core.");
  return s;
}

auto preprocess() {
  auto s = object<preprocess_config>();
  s->add("fit", &preprocess_config::fit,
         choice<resize_fit>(
             {{"letterbox", resize_fit::letterbox}, {"stretch", resize_fit::stretch}, {"crop", resize_fit::crop}}),
         "How a frame fills the model's input: `letterbox` keeps the aspect ratio and pads, `stretch` changes it, "
         "`crop` keeps it and cuts.")
      .add("filter", &preprocess_config::filter,
           choice<resize_filter>({{"bilinear", resize_filter::bilinear}, {"area", resize_filter::area}}),
           "`area` averages all pixels of a reduction, `bilinear` samples four.")
      .add("color", &preprocess_config::color,
           choice<color_order>({{"rgb", color_order::rgb}, {"bgr", color_order::bgr}}), "Order of the channels.")
      .add("mean", &preprocess_config::mean, per_channel(),
           "The tensor holds `(value - mean) * scale`, value 0 to 255; one number, or one per channel.")
      .add("scale", &preprocess_config::scale, per_channel(), "See `mean`.")
      .add("pad", &preprocess_config::pad, number_f32(0, 255), "Value of letterbox borders, before `mean` and `scale`.")
      .add("size", &preprocess_config::size, automatic(size()),
           "Width and height of the model's input; `auto`: as the model says.");
  return s;
}

auto inference() {
  auto batch = object<batch_config>();
  batch->add("max", &batch_config::max, whole(1, 1024), "Most images of one batch.")
      .add("wait", &batch_config::wait, time_span(duration{0}), "Longest wait of the first image for others.");
  auto s = object<inference_config>();
  s->need("model", &inference_config::model, path(), "The model: ONNX, or TorchScript for the engine `torch`.")
      .add("engine", &inference_config::engine, word(&vocabulary::engines, {"auto"}),
           "What runs it; `auto`: the first engine that loads it.")
      .add("device", &inference_config::device, devices(),
           "Where it runs; `auto`: on a GPU where there is one that the engine can use. `penstock devices` tells.")
      .add("precision", &inference_config::precision,
           choice<precision>({{"auto", precision::automatic}, {"fp32", precision::fp32}, {"fp16", precision::fp16}}),
           "Numbers inside the model; `auto`: as they are in the file. `fp16` halves what a GPU has to move.")
      .add("providers", &inference_config::providers,
           list_of<provider>(
               choice<provider>({{"tensorrt", provider::tensorrt}, {"cuda", provider::cuda}, {"cpu", provider::cpu}})),
           "What the engine `onnxruntime` runs the model with, in order of preference; `[]`: its own choice.")
      .add("cache", &inference_config::cache, path(true),
           "Folder for engines compiled for a model and GPU (TensorRT), so that it is done once; none: at each start.")
      .add("batch", &inference_config::batch, batch, "How images of all streams are put together.")
      .add("instances", &inference_config::instances, automatic(whole(1, 1024)),
           "Batches under way at the same time; `auto`: one per core on a CPU, on a GPU 3, so that one is fed, one "
           "computed "
           "and one read back.")
      .add("threads", &inference_config::threads, whole(1, 1024),
           "Threads inside one instance; more instances gain more than more threads.");
  return s;
}

auto postprocess() {
  auto s = object<postprocess_config>();
  s->need("head", &postprocess_config::head, word(&vocabulary::heads), "How the model's outputs become objects.")
      .add("labels", &postprocess_config::labels, path(true), "Text file with one class name a line; none: numbers.")
      .add("score", &postprocess_config::score, number_f32(0, 1), "Objects with a lower score are left out.")
      .add("iou", &postprocess_config::iou, number_f32(0, 1),
           "Of two boxes of a class that overlap more than this, the better one stays.")
      .add("max_objects", &postprocess_config::max_objects, whole(1, 100'000), "Most objects of a frame, the best.")
      .add("top_k", &postprocess_config::top_k, whole(1, 100'000), "Classes per frame of the head `classify`.")
      .add("class_agnostic", &postprocess_config::class_agnostic, boolean(),
           "Compare boxes across classes when overlaps are removed.");
  return s;
}

auto stages() {
  auto s = object<stages_config>();
  s->add("decode", &stages_config::decode, decode(), "From compressed packets to frames.")
      .add("preprocess", &stages_config::preprocess, preprocess(), "From a frame to the model's input.")
      .add("inference", &stages_config::inference, inference(), "The model and what runs it.")
      .add("postprocess", &stages_config::postprocess, postprocess(), "From the model's outputs to objects.");
  return s;
}

auto tracking() {
  auto s = object<tracking_config>();
  s->add("kind", &tracking_config::kind, word(&vocabulary::tracker_kinds),
         "`iou`: greedy overlap; `sort`: Kalman filter and optimal assignment (Bewley et al. 2016).")
      .add("min_iou", &tracking_config::min_iou, number_f32(0.001, 1), "Least overlap with the track's expected box.")
      .add("max_age", &tracking_config::max_age, whole(0), "Frames that a track survives unseen.")
      .add("min_hits", &tracking_config::min_hits, whole(1), "Frames until a new track is reported.");
  return s;
}

auto sink() {
  auto s = object<sink_config>();
  s->need("kind", &sink_config::kind, word(&vocabulary::sink_kinds),
          "`jsonl`: one JSON object per frame and line; `mp4`: the video with boxes, labels and tracks; `zmq`: results "
          "for subscribers, see [the protocol](protocol.md).")
      .add("path", &sink_config::path, path(true),
           "File to write; `{stream}` stands for the stream's id. Folders are made. `zmq` has none.")
      .add("listen", &sink_config::listen, tcp_address(), "Where `zmq` publishes the results of all streams.")
      .add("queue", &sink_config::queue, whole(1, 1'000'000), "Results of a stream that may wait for this sink.")
      .add("fps", &sink_config::fps, automatic(number(0.001, 1000)),
           "Nominal rate of an `mp4`; `auto`: the stream's own, after sampling.");
  return s;
}

auto dispatch() {
  auto read_ahead = object<read_ahead_config>();
  read_ahead->add("packets", &read_ahead_config::packets, whole(32), "Packets of a stream without a result.")
      .add("bytes", &read_ahead_config::bytes, byte_count(1 << 16), "Their compressed size.");
  auto s = object<dispatch_config>();
  s->add("attempts", &dispatch_config::attempts, whole(1, 100),
         "Failures after which a segment is given up; its frames are dropped as `poison`.")
      .add("lease_timeout", &dispatch_config::lease_timeout, time_span(milliseconds{1}),
           "Silence after which a worker counts as dead and its segments move.")
      .add("stall_timeout", &dispatch_config::stall_timeout, time_span(milliseconds{1}),
           "Time without any progress after which a living worker loses a segment.")
      .add("steal_after", &dispatch_config::steal_after, time_span(milliseconds{1}),
           "Age of a live stream's backlog at which its next segment goes to another worker.")
      .add("read_ahead", &dispatch_config::read_ahead, read_ahead,
           "How far a lossless source runs ahead of its results.")
      .add("requests", &dispatch_config::requests, whole(1, 100'000),
           "Pictures of `/v1/detect` that one worker has at a time. More keeps workers busy over long links, fewer "
           "leaves "
           "the choice of the next one, by deadline, to the head for longer.")
      .add("retain", &dispatch_config::retain, byte_count(1 << 20),
           "Bytes of one segment that are kept for another attempt.");
  return s;
}

auto live() {
  auto s = object<live_config>();
  s->add("queue", &live_config::queue, whole(1), "Frames of a live stream in flight; newer ones are shed.")
      .add("max_lag", &live_config::max_lag, time_span(milliseconds{1}),
           "Age of the oldest frame in flight at which a live stream sheds up to its next keyframe.");
  return s;
}

auto media() {
  auto s = object<media_config>();
  s->add("max_pixels", &media_config::max_pixels, pixel_count(1), "Larger pictures are refused before decoding.");
  return s;
}

auto shutdown() {
  auto s = object<shutdown_config>();
  s->add("grace", &shutdown_config::grace, time_span(duration{0}), "Time to drain after SIGINT or SIGTERM.");
  return s;
}

auto limits() {
  auto s = object<limits_config>();
  s->add("open_streams", &limits_config::open_streams, whole(1),
         "Finite streams open at the same time; the others wait. Live streams are always open.")
      .add("quarantine_segments", &limits_config::quarantine_segments, whole(0),
           "Segments kept in `quarantine`, those of earlier runs among them; further ones are only logged and counted.")
      .add("quarantine_bytes", &limits_config::quarantine_bytes, byte_count(0), "Bytes of them.");
  return s;
}

auto metrics() {
  auto s = object<metrics_config>();
  s->add("listen", &metrics_config::listen, host_port(),
         "Address of `/metrics`, `/healthz` and `/readyz`; `\"\"`: off.")
      .add("streams", &metrics_config::streams, whole(1, 1'000'000),
           "Most streams that have series of their own, the first that appear; the others share the label `other`.");
  return s;
}

auto ingest() {
  auto s = object<ingest_config>();
  s->add("listen", &ingest_config::listen, tcp_address(), "Where producers connect.")
      .add("accept", &ingest_config::accept,
           choice<ingest_accept>({{"declared", ingest_accept::declared}, {"any", ingest_accept::any}}),
           "Streams that may be pushed: those with a uri `push://NAME`, or any.")
      .add("streams", &ingest_config::streams, whole(1, 1'000'000), "Most streams that may appear by `any`.");
  return s;
}

auto role() {
  auto scale = object<scale_config>();
  scale->add("min", &scale_config::min, whole(0), "Fewest machines of the role.")
      .add("max", &scale_config::max, whole(1), "Most machines of the role.");
  auto link = object<link_config>();
  link->add(
          "frames", &link_config::frames, choice<link_frames>({{"raw", link_frames::raw}, {"jpeg", link_frames::jpeg}}),
          "Frames of a role that only decodes. `raw`: 3.1 MB each at 1080p, and the same objects as without the cut. "
          "`jpeg`: about a tenth of that, at the cost of encoding, decoding, and small changes to pixels and objects.")
      .add("quality", &link_config::quality, whole(1, 100), "Of `jpeg`.")
      .add("tensors", &link_config::tensors,
           choice<link_tensors>({{"fp32", link_tensors::fp32}, {"fp16", link_tensors::fp16}}),
           "Tensors of a role that decodes and preprocesses. `fp32`: as the model takes them. `fp16`: half the bytes; "
           "values between 0 and 1 change by at most 0.00025, so boxes and scores may change in their last digits. "
           "Models "
           "that take another type than fp32 get theirs either way.");
  const std::vector<std::pair<std::string_view, stage>> stages{
      {"source", stage::source},       {"decode", stage::decode},           {"preprocess", stage::preprocess},
      {"inference", stage::inference}, {"postprocess", stage::postprocess}, {"collector", stage::collector}};
  std::vector<stage> every;
  every.reserve(stages.size());
  for (const auto& [word, value] : stages) every.push_back(value);
  auto s = object<node_config>();
  s->need(
       "stages", &node_config::stages,
       std::make_shared<all_or_list_shape<stage>>(std::move(every), list_of<stage>(choice<stage>(stages))),
       "What machines of the role run; `[all]`: everything. The work (`decode` to `postprocess`) is done by one role, "
       "or cut in two: before `preprocess`, where frames cross the link, or before `inference`, where tensors do.")
      .add("listen", &node_config::listen, tcp_address(),
           "Where the role waits for others: the head for workers; the second role of a cut for those of the first, "
           "which learn its machines' addresses from the head (port 0: any free one).")
      .add("dial", &node_config::dial, tcp_address(), "The head, that this role connects to.")
      .add("http", &node_config::http, host_port(),
           "Address of the HTTP door, at the role with `source`; "
           "what it lets in is set under [`http`](#http). See [the HTTP door](http.md).")
      .add("ingest", &node_config::ingest, std::make_shared<short_form_shape<ingest_config>>("listen", ingest()),
           "Where programs push video; the address alone is enough. See [the protocol](protocol.md).")
      .add("scale", &node_config::scale, scale, "How many machines the role may have.")
      .add(
          "scheduled_events", &node_config::scheduled_events, boolean(),
          "Workers of the role ask Azure's metadata service, and drain in time when their machine is to be taken away. "
          "See [Scaling](scaling.md#how-a-worker-leaves).")
      .add("link", &node_config::link, link, "What the first role of a cut sends to the second.");
  return s;
}

auto security() {
  auto s = object<security_config>();
  s->add("keys", &security_config::keys, path(), "Folder of the CURVE keys.")
      .add("insecure", &security_config::insecure, boolean(),
           "Allow links beyond loopback without keys, and an HTTP door beyond loopback without tokens.");
  return s;
}

auto jobs() {
  auto queue = object<job_queue_config>();
  queue
      ->add("kind", &job_queue_config::kind,
            choice<queue_kind>(
                {{"sqlite", queue_kind::sqlite}, {"nats", queue_kind::nats}, {"azure", queue_kind::azure}}),
            "What keeps the jobs.")
      .add("path", &job_queue_config::path, path(), "Database of `sqlite`.")
      .add("url", &job_queue_config::url, text(true), "Address of `nats` or `azure`.");
  auto blobs = object<job_blobs_config>();
  blobs
      ->add("kind", &job_blobs_config::kind,
            choice<blobs_kind>({{"local", blobs_kind::local}, {"azure", blobs_kind::azure}}), "What keeps the files.")
      .add("path", &job_blobs_config::path, path(), "Folder of `local`.")
      .add("url", &job_blobs_config::url, text(true), "Address of `azure`.");
  auto s = object<jobs_config>();
  s->add("queue", &jobs_config::queue, queue, "The queue of durable jobs.")
      .add("blobs", &jobs_config::blobs, blobs, "Inputs and results of durable jobs.")
      .add("concurrent", &jobs_config::concurrent, whole(1, 256),
           "Jobs that one head works on at the same time. Workers are shared by all of them.")
      .add("max_attempts", &jobs_config::max_attempts, whole(1, 1000),
           "Attempts after which a job is dead. A worker that is lost counts unless the job got further.")
      .add("spool", &jobs_config::spool, path(),
           "Folder for the inputs that are worked on, where `blobs` has no files on this machine. They are gone when "
           "the program ends, however it does.")
      .add("spool_bytes", &jobs_config::spool_bytes, byte_count(1 << 20),
           "Their size, all together. A larger input is refused, others wait.");
  return s;
}

std::unique_ptr<const object_shape<config>> make_config_shape() {
  auto s = std::make_unique<object_shape<config>>();
  s->add("pipeline", &config::pipeline, name(), "Name of the pipeline in metrics and logs.")
      .add("streams", &config::streams, list_of<stream_config>(stream()), "One item per source of pictures.")
      .add("stages", &config::stages, stages(), "What is done with each frame.")
      .add("tracking", &config::tracking, tracking(), "Objects keep a number from frame to frame.")
      .add("sinks", &config::sinks, list_of<sink_config>(sink()), "Where results go.")
      .add(
          "checkpoint", &config::checkpoint, path(true),
          "Folder in which a head notes how far its lossless finite streams are, so that its next start goes on there: "
          "each frame reaches the sinks once, whatever ends the program. None: every start begins anew. See "
          "[Going on](#going-on).")
      .add("quarantine", &config::quarantine, path(true),
           "Folder for the packets of segments that were given up as `poison`, with the reasons; `\"\"`: not kept.")
      .add("dispatch", &config::dispatch, dispatch(), "How segments are handed to workers.")
      .add("live", &config::live, live(), "When live streams shed.")
      .add("media", &config::media, media(), "Limits on what is decoded.")
      .add("shutdown", &config::shutdown, shutdown(), "How the program ends when it is asked to.")
      .add("limits", &config::limits, limits(), "Limits of one process.")
      .add("metrics", &config::metrics, metrics(), "Prometheus metrics.")
      .add("nodes", &config::nodes,
           std::make_shared<named_shape<node_config>>(&node_config::role, "ROLE", shape_of<node_config>{role()}),
           "Roles of machines, by name. Without roles everything runs in one process.")
      .add("http", &config::http, http_shape(),
           "The HTTP door, whose address is `nodes.ROLE.http`. See [its manual](http.md).")
      .add("security", &config::security, security(), "Keys of the links between machines.")
      .add("jobs", &config::jobs, std::make_shared<optional_shape<jobs_config>>(shape_of<jobs_config>{jobs()}),
           "Durable jobs.")
      .add("scaling", &config::scaling, std::make_shared<optional_shape<scaling_config>>(scaling_shape()),
           "How many machines run. See [its manual](scaling.md).");
  return s;
}

} // namespace

const object_shape<config>& config_shape() {
  static const auto shape = make_config_shape();
  return *shape;
}

} // namespace penstock::topology
