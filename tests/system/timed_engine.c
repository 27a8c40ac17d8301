/* An engine whose pictures take a time that does not depend on the machine: its "model" is a text, `timed
 * MICROSECONDS`. It reads the bar codes of barcode.py as the model there does, and waits until a batch has taken so
 * long for each of its pictures. */
#include "engine_abi.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CELLS = 8, BITS = CELLS * CELLS, WIDTH = 32, HEIGHT = 24, ROWS = 5 };

struct penstock_session {
  int64_t picture_ns;
  penstock_model model;
};

struct penstock_outputs {
  int64_t shape[3];
  penstock_tensor tensor;
  float values[]; /* of each picture: x, y, width, height and score of the object of every bit */
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
  static const int64_t images[] = {-1, 3, HEIGHT, WIDTH}, objects[] = {-1, ROWS, BITS};
  static const penstock_tensor_info input = {"images", PENSTOCK_F32, 4, images};
  static const penstock_tensor_info output = {"objects", PENSTOCK_F32, 3, objects};
  FILE* file = fopen(options->model, "r");
  if (file == NULL) return failed(error, PENSTOCK_IO, "cannot be opened");
  long us = 0;
  const int found = fscanf(file, "timed %ld", &us);
  fclose(file);
  if (found != 1 || us < 0) return failed(error, PENSTOCK_CORRUPT, "is not a text `timed MICROSECONDS`");
  penstock_session* s = malloc(sizeof *s);
  if (s == NULL) return failed(error, PENSTOCK_FAILED, "no memory");
  *s = (penstock_session){us * 1000, {sizeof s->model, 1, 1, &input, &output, PENSTOCK_HOST, ""}};
  *session = s;
  return PENSTOCK_OK;
}

static void unload(penstock_session* session) { free(session); }
static const penstock_model* model(const penstock_session* session) { return &session->model; }

static void read_code(const float* picture, float* out) {
  const float* green = picture + HEIGHT * WIDTH;
  for (int bit = 0; bit < BITS; ++bit) {
    out[bit] = 13 + (float)(bit % CELLS) * 2.25F;
    out[BITS + bit] = 13 + (float)(bit / CELLS) * 1.25F;
    out[2 * BITS + bit] = 2;
    out[3 * BITS + bit] = 1;
    out[4 * BITS + bit] = green[bit / CELLS * WIDTH + bit % CELLS];
  }
}

static int32_t run(const penstock_session* session, const penstock_tensor* inputs, int32_t input_count, void* stream,
                   penstock_outputs** outputs, penstock_error* error) {
  (void)input_count, (void)stream;
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  const int64_t n = inputs[0].shape[0];
  penstock_outputs* out = malloc(sizeof *out + (size_t)n * ROWS * BITS * sizeof(float));
  if (out == NULL) return failed(error, PENSTOCK_FAILED, "no memory");
  *out = (penstock_outputs){{n, ROWS, BITS}, {out->values, PENSTOCK_F32, PENSTOCK_HOST, 3, out->shape}};
  for (int64_t i = 0; i < n; ++i)
    read_code((const float*)inputs[0].data + i * 3 * HEIGHT * WIDTH, out->values + i * ROWS * BITS);
  const int64_t ns = until.tv_nsec + n * session->picture_ns;
  until.tv_sec += ns / 1000000000;
  until.tv_nsec = ns % 1000000000;
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) != 0) {
  }
  *outputs = out;
  return PENSTOCK_OK;
}

static const penstock_tensor* tensors(const penstock_outputs* outputs) { return &outputs->tensor; }
static void release(penstock_outputs* outputs) { free(outputs); }

const penstock_engine* penstock_engine_module(uint32_t abi) {
  static const penstock_engine engine = {
      PENSTOCK_ENGINE_ABI, sizeof engine, "timed", "1.0", devices, load, unload, model, run, tensors, release};
  (void)abi; /* the program compares */
  return &engine;
}
