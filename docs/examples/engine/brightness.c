/* An engine in one file: its "model" is a text, `brightness WIDTH HEIGHT`, and it finds the brightest pixel of each
 * picture (of its first channel). It answers with the 8x8 cell around it, like an SSD detector (`head: ssd`); `scale:
 * 1/255`.
 *
 *   cc -shared -fPIC -O2 -I inference -o libpenstock-engine-brightness.so docs/examples/engine/brightness.c
 */
#include "engine_abi.h"

#include <stdio.h>
#include <stdlib.h>

struct penstock_session {
  int64_t shape[4]; /* of the images */
  penstock_tensor_info input;
  penstock_model model;
};

struct penstock_outputs {
  int64_t shapes[2][3];
  penstock_tensor tensors[2];
  float values[]; /* scores of every picture, then boxes */
};

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
  static const int64_t scores[] = {-1, 1, 2}, boxes[] = {-1, 1, 4}; /* -1: as many pictures as there are */
  static const penstock_tensor_info outputs[] = {{"scores", PENSTOCK_F32, 3, scores},
                                                 {"boxes", PENSTOCK_F32, 3, boxes}};
  FILE* file = fopen(options->model, "r");
  if (file == NULL) return failed(error, PENSTOCK_IO, "cannot be opened");
  int width = 0, height = 0;
  const int found = fscanf(file, "brightness %d %d", &width, &height);
  fclose(file);
  if (found != 2) return failed(error, PENSTOCK_CORRUPT, "is not a text `brightness WIDTH HEIGHT`");
  if (width < 8 || height < 8) return failed(error, PENSTOCK_UNSUPPORTED, "pictures must have 8x8 pixels");
  penstock_session* s = malloc(sizeof *s);
  if (s == NULL) return failed(error, PENSTOCK_FAILED, "no memory");
  *s = (penstock_session){.shape = {-1, 3, height, width}, .input = {"images", PENSTOCK_F32, 4, s->shape}};
  s->model = (penstock_model){sizeof s->model, 1, 2, &s->input, outputs, PENSTOCK_HOST, ""};
  *session = s;
  return PENSTOCK_OK;
}

static void unload(penstock_session* session) { free(session); }
static const penstock_model* model(const penstock_session* session) { return &session->model; }

/* Called by several threads at once: it writes to nothing but what it makes. */
static int32_t run(const penstock_session* session, const penstock_tensor* inputs, int32_t input_count, void* stream,
                   penstock_outputs** outputs, penstock_error* error) {
  (void)input_count, (void)stream;
  const int64_t n = inputs[0].shape[0], height = session->shape[2], width = session->shape[3];
  penstock_outputs* out = malloc(sizeof *out + (size_t)n * 6 * sizeof(float));
  if (out == NULL) return failed(error, PENSTOCK_FAILED, "no memory");
  float *scores = out->values, *boxes = scores + 2 * n;
  *out = (penstock_outputs){{{n, 1, 2}, {n, 1, 4}},
                            {{scores, PENSTOCK_F32, PENSTOCK_HOST, 3, out->shapes[0]},
                             {boxes, PENSTOCK_F32, PENSTOCK_HOST, 3, out->shapes[1]}}};
  for (int64_t i = 0; i < n; ++i, scores += 2, boxes += 4) {
    const float* picture = (const float*)inputs[0].data + i * 3 * height * width;
    int64_t best = 0;
    for (int64_t p = 1; p < height * width; ++p)
      if (picture[p] > picture[best]) best = p;
    const int64_t x = best % width / 8 * 8, y = best / width / 8 * 8;
    scores[0] = 1 - picture[best], scores[1] = picture[best]; /* the background, and the one class */
    boxes[0] = (float)x / (float)width, boxes[2] = (float)(x + 8) / (float)width;
    boxes[1] = (float)y / (float)height, boxes[3] = (float)(y + 8) / (float)height;
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
