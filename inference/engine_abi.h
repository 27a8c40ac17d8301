/* The interface between Penstock and an engine module, libpenstock-engine-NAME.so: plain C, so that a module may be built
 * with another compiler, another standard library, or in another language than the program. docs/engines.md is the guide.
 *
 * A module exports one function, `penstock_engine_module`, which returns a table of functions. Rules for all of them:
 * - Nothing throws across this boundary. What fails returns a code other than PENSTOCK_OK and writes a message that names
 *   the cause into `error` (never null).
 * - Everything is thread-safe. `run` in particular: several threads run one session at once and share its weights.
 * - Strings are UTF-8 and end with a zero. What a function returns a pointer to belongs to the module and lives as long
 *   as the thing it was asked of (the module, the session, the outputs).
 * - Structs begin with their size where they may grow: a module reads no further than `size_bytes`, and takes what is
 *   beyond as zero. Incompatible changes raise PENSTOCK_ENGINE_ABI.
 */
#ifndef PENSTOCK_INFERENCE_ENGINE_ABI_H
#define PENSTOCK_INFERENCE_ENGINE_ABI_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PENSTOCK_ENGINE_ABI 1u

enum penstock_code {
  PENSTOCK_OK = 0,
  PENSTOCK_NOT_FOUND = 1,   /* the model file is not there */
  PENSTOCK_IO = 2,          /* the model file cannot be read */
  PENSTOCK_CORRUPT = 3,     /* it is not a model, or damaged */
  PENSTOCK_UNSUPPORTED = 4, /* valid, but not for this engine, device or precision */
  PENSTOCK_FAILED = 5,      /* the engine failed */
  PENSTOCK_INVALID = 6      /* the caller's arguments do not fit */
};

enum penstock_type { /* as core::element_type */
  PENSTOCK_F32 = 0,
  PENSTOCK_F16 = 1,
  PENSTOCK_I8 = 2,
  PENSTOCK_U8 = 3,
  PENSTOCK_I32 = 4,
  PENSTOCK_I64 = 5
};

enum penstock_memory { PENSTOCK_HOST = 0, PENSTOCK_DEVICE = 1 };

enum penstock_precision { PENSTOCK_PRECISION_MODEL = 0, PENSTOCK_PRECISION_F32 = 1, PENSTOCK_PRECISION_F16 = 2 };

typedef struct penstock_error {
  char message[2048]; /* ends with a zero */
} penstock_error;

/* A dense tensor, row-major. */
typedef struct penstock_tensor {
  const void* data;
  int32_t type;   /* penstock_type */
  int32_t memory; /* penstock_memory */
  int32_t rank;
  const int64_t* shape;
} penstock_tensor;

/* An input or output of a model; extents that it leaves open are -1. */
typedef struct penstock_tensor_info {
  const char* name;
  int32_t type;
  int32_t rank;
  const int64_t* shape;
} penstock_tensor_info;

/* A kind of device that the engine could run on. */
typedef struct penstock_engine_device {
  const char* name;   /* "cpu", "cuda" */
  const char* absent; /* why it cannot be used here; null when it can */
} penstock_engine_device;

typedef struct penstock_load_options {
  uint32_t size_bytes;
  const char* model;        /* path of the file */
  const char* device;       /* one of the engine's usable device names */
  int32_t device_index;     /* which of that kind */
  int32_t threads;          /* inside one run; at least 1 */
  int32_t precision;        /* penstock_precision */
  const char* providers;    /* comma-separated, in order of preference; "" for the engine's own choice */
  const char* cache_folder; /* for what is expensive to build and can be kept (compiled engines); "" for none */
  const char* model_digest; /* SHA-256 of the file, hexadecimal: part of the key of what is cached */
  int32_t width_px;         /* of the images that will come, 0 when the topology says nothing: for engines whose models do */
  int32_t height_px;        /* not tell their input's size */
  int32_t max_batch;        /* most images of one run that will be asked for */
  void (*progress)(void* context, const char* text); /* null, or to be told what takes long; during `load` only */
  void* progress_context;
} penstock_load_options;

typedef struct penstock_model {
  uint32_t size_bytes;
  int32_t input_count;
  int32_t output_count;
  const penstock_tensor_info* inputs;
  const penstock_tensor_info* outputs;
  int32_t memory;     /* where `run` takes the images and leaves the outputs: PENSTOCK_DEVICE on a GPU */
  const char* detail; /* what else an operator wants to know, e.g. "TensorrtExecutionProvider, fp16"; "" for nothing */
} penstock_model;

typedef struct penstock_session penstock_session;
typedef struct penstock_outputs penstock_outputs;

typedef struct penstock_engine {
  uint32_t abi; /* PENSTOCK_ENGINE_ABI of the header it was built with */
  uint32_t size_bytes;
  const char* name;    /* as in the file's name */
  const char* version; /* of the library behind it */

  /* The devices the engine knows, preferred first; returns how many. */
  int32_t (*devices)(const penstock_engine_device** devices);

  /* Loads a model. On success `*session` is the caller's until `unload`. */
  int32_t (*load)(const penstock_load_options* options, penstock_session** session, penstock_error* error);
  void (*unload)(penstock_session* session);

  /* What the model looks like: valid until `unload`. */
  const penstock_model* (*model)(const penstock_session* session);

  /* Runs the model. `inputs` has one tensor for each of the model's inputs, in their order; the images lie where
   * `penstock_model::memory` says, small auxiliary inputs in host memory. Inputs stay unchanged until the run is over: when
   * the call returns (host memory), or when `stream` is past what the call put there (device memory).
   *
   * On a GPU `stream` is a cudaStream_t: the images are ready when its earlier work is done, and outputs must be ready for
   * what is put on it after the call has returned. The call may return before the run is over.
   *
   * On success `*outputs` is the caller's until `release`; it may outlive other runs, but not the session. */
  int32_t (*run)(const penstock_session* session, const penstock_tensor* inputs, int32_t input_count, void* stream,
                 penstock_outputs** outputs, penstock_error* error);

  /* The outputs, as many and in the order of the model's. They are stable until `release`. */
  const penstock_tensor* (*tensors)(const penstock_outputs* outputs);
  void (*release)(penstock_outputs* outputs);
} penstock_engine;

/* What a module exports. `abi` is the caller's PENSTOCK_ENGINE_ABI; a module that cannot serve it still returns its table,
 * with its own number, so that the refusal can name both. */
#if defined(__GNUC__)
__attribute__((visibility("default")))
#endif
const penstock_engine* penstock_engine_module(uint32_t abi);

#define PENSTOCK_ENGINE_SYMBOL "penstock_engine_module"

#ifdef __cplusplus
}
#endif

#endif
