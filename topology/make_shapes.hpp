#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "topology/container_shapes.hpp"
#include "topology/object_shape.hpp"

/// Short names for shapes around others, for the tables of keys.
namespace penstock::topology {

/// A map that keys are added to.
template <class C>
[[nodiscard]] std::shared_ptr<object_shape<C>> object() {
  return std::make_shared<object_shape<C>>();
}

template <class T>
[[nodiscard]] shape_of<std::optional<T>> automatic(shape_of<T> inner) {
  return std::make_shared<auto_shape<T>>(std::move(inner));
}

template <class T, class S>
[[nodiscard]] shape_of<std::vector<T>> list_of(std::shared_ptr<S> item) {
  return std::make_shared<list_shape<T>>(shape_of<T>{std::move(item)});
}

} // namespace penstock::topology
