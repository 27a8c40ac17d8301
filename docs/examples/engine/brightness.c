/* An engine in one file: its "model" is a text, `brightness WIDTH HEIGHT`, and it finds the brightest 8x8 cell of each
 * picture. It answers like an SSD detector (`head: ssd`), values from 0 to 1 (`scale: 1/255`).
 *
 *   cc -shared -fPIC -O2 -I inference -o libpenstock-engine-brightness.so docs/examples/engine/brightness.c
 */
#include "engine_abi.h"

#include <stdio.h>
#include <stdlib.h>

enum { CELL = 8 };

struct penstock_session {
  int64_t shape[4]; /* of the input; the batch is open */
  penstock_tensor_info input;
  penstock_model model;
};

struct penstock_outputs {
  int64_t scores_shape[3], boxes_shape[3];
  penstock_tensor tensors[2];
  float values[]; /* scores of every picture, then boxes */
};

static const int64_t scores_shape[] = {-1, 1, 2}, boxes_shape[] = {-1, 1, 4};
static const penstock_tensor_info outputs_info[] = {{"scores", PENSTOCK_F32, 3, scores_shape},
                                                    {"boxes", PENSTOCK_F32, 3, boxes_shape}};

static int32_t failed(penstock_error* error, int32_t code, const char* message) {
  snprintf(error->message, sizeof error->message, "%s", message);
  return code;
}

static int32_t devices(const penstock_engine_device** list) {
  static const penstock_engine_device cpu = {"cpu", NULL};
  *list = &cpu;
  return 1;
}

static int32_t load(const penstock_load_options* options, penstock_session** session, penstock_error* error) {
  FILE* file = fopen(options->model, "r");
  if (file == NULL) return failed(error, PENSTOCK_IO, "cannot be opened");
  int width = 0, height = 0;
  const int found = fscanf(file, "brightness %d %d", &width, &height);
  fclose(file);
  if (found != 2) return failed(error, PENSTOCK_CORRUPT, "is not a text `brightness WIDTH HEIGHT`");
  if (width < CELL || height < CELL) return failed(error, PENSTOCK_UNSUPPORTED, "pictures must have 8x8 pixels");
  penstock_session* s = calloc(1, sizeof *s);
  if (s == NULL) return failed(error, PENSTOCK_FAILED, "no memory");
  *s = (penstock_session){.shape = {-1, 3, height, width}, .input = {"images", PENSTOCK_F32, 4, s->shape}};
  s->model = (penstock_model){sizeof s->model, 1, 2, &s->input, outputs_info, PENSTOCK_HOST, ""};
  *session = s;
  return PENSTOCK_OK;
}

static void unload(penstock_session* session) { free(session); }

static const penstock_model* model(const penstock_session* session) { return &session->model; }

/* Mean of a cell's three channels. */
static float brightness(const float* picture, int64_t width, int64_t height, int64_t x, int64_t y) {
  float sum = 0;
  for (int c = 0; c < 3; ++c)
    for (int64_t i = 0; i < CELL * CELL; ++i) sum += picture[(c * height + y + i / CELL) * width + x + i % CELL];
  return sum / (3 * CELL * CELL);
}

/* Called by several threads at once: it writes to nothing but what it makes. */
static int32_t run(const penstock_session* session, const penstock_tensor* inputs, int32_t input_count, void* stream,
                   penstock_outputs** outputs, penstock_error* error) {
  (void)input_count, (void)stream;
  const int64_t n = inputs[0].shape[0], height = session->shape[2], width = session->shape[3];
  penstock_outputs* out = malloc(sizeof *out + (size_t)n * 6 * sizeof(float));
  if (out == NULL) return failed(error, PENSTOCK_FAILED, "no memory");
  *out = (penstock_outputs){.scores_shape = {n, 1, 2}, .boxes_shape = {n, 1, 4}};
  out->tensors[0] = (penstock_tensor){out->values, PENSTOCK_F32, PENSTOCK_HOST, 3, out->scores_shape};
  out->tensors[1] = (penstock_tensor){out->values + 2 * n, PENSTOCK_F32, PENSTOCK_HOST, 3, out->boxes_shape};
  for (int64_t i = 0; i < n; ++i) {
    const float* picture = (const float*)inputs[0].data + i * 3 * width * height;
    float best = -1;
    float* box = out->values + 2 * n + 4 * i;
    for (int64_t y = 0; y + CELL <= height; y += CELL)
      for (int64_t x = 0; x + CELL <= width; x += CELL) {
        const float value = brightness(picture, width, height, x, y);
        if (value <= best) continue;
        best = value;
        box[0] = (float)x / (float)width, box[1] = (float)y / (float)height;
        box[2] = (float)(x + CELL) / (float)width, box[3] = (float)(y + CELL) / (float)height;
      }
    out->values[2 * i] = 1 - best; /* the background */
    out->values[2 * i + 1] = best;
  }
  *outputs = out;
  return PENSTOCK_OK;
}

static const penstock_tensor* tensors(const penstock_outputs* outputs) { return outputs->tensors; }

static void release(penstock_outputs* outputs) { free(outputs); }

const penstock_engine* penstock_engine_module(uint32_t abi) {
  static const penstock_engine engine = {
      PENSTOCK_ENGINE_ABI, sizeof engine, "brightness", "1.0", devices, load, unload, model, run, tensors, release};
  (void)abi; /* the program compares */
  return &engine;
}
