/* The example engine with one fault, for the loader: FAULT says which. */
#define penstock_engine_module sound_module
#include "docs/examples/engine/brightness.c"
#undef penstock_engine_module

#define NO_SYMBOL 0
#define NO_TABLE 1
#define OTHER_ABI 2
#define SHORT_TABLE 3
#define GAP 4
#define OTHER_NAME 5
#define RUN_FAILS 6
#define NO_DEVICE 7
#define BAD_OUTPUT 8

#if FAULT != NO_SYMBOL
static int32_t fail_to_run(const penstock_session* session, const penstock_tensor* inputs, int32_t input_count,
                           void* stream, penstock_outputs** outputs, penstock_error* error) {
  (void)session, (void)inputs, (void)input_count, (void)stream, (void)outputs;
  return failed(error, PENSTOCK_FAILED, "the lamp is broken");
}

static int32_t broken_device(const penstock_engine_device** list) {
  static const penstock_engine_device lamp = {"lamp", "it is switched off"};
  *list = &lamp;
  return 1;
}

static const penstock_tensor* broken_outputs(const penstock_outputs* outputs) {
  static penstock_tensor wrong[2];
  (void)outputs;
  wrong[0].type = 77;
  return wrong;
}

__attribute__((visibility("default"))) const penstock_engine* penstock_engine_module(uint32_t abi);
const penstock_engine* penstock_engine_module(uint32_t abi) {
  static penstock_engine engine;
  engine = *sound_module(abi);
  engine.name = "faulty";
  if (FAULT == OTHER_ABI) engine.abi = 99;
  if (FAULT == SHORT_TABLE) engine.size_bytes = 16;
  if (FAULT == GAP) engine.release = NULL;
  if (FAULT == OTHER_NAME) engine.name = "elsewhere";
  if (FAULT == RUN_FAILS) engine.run = fail_to_run;
  if (FAULT == NO_DEVICE) engine.devices = broken_device;
  if (FAULT == BAD_OUTPUT) engine.tensors = broken_outputs;
  return FAULT == NO_TABLE ? NULL : &engine;
}
#endif
