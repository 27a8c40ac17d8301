#pragma once

#include <vector>

#include "inference/head.hpp"
#include "inference/heads/outputs_of.hpp"

namespace penstock::inference {

/// A spec with what the options say; the head fills in the rest.
[[nodiscard]] kernels::object_spec object_spec_of(const head_options& options);

/// A head that is nothing but a description of outputs: `slots` are those that `spec` reads. `classes` as in
/// `decoder_head`.
[[nodiscard]] head_ptr make_object_head(kernels::object_spec spec, std::vector<output_slot> slots, std::size_t classes);

} // namespace penstock::inference
