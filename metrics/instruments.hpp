#pragma once

namespace prometheus {
class Counter;
class Gauge;
class Histogram;
} // namespace prometheus

namespace penstock::metrics {

/// Something that only grows. Copies refer to the same series; all functions are thread-safe.
class counter {
 public:
  counter() = default;
  explicit counter(prometheus::Counter* impl) noexcept : impl_{impl} {}
  void add(double amount = 1) const;
  [[nodiscard]] double value() const;

 private:
  prometheus::Counter* impl_ = nullptr;
};

/// Something that goes up and down. Copies refer to the same series; all functions are thread-safe.
class gauge {
 public:
  gauge() = default;
  explicit gauge(prometheus::Gauge* impl) noexcept : impl_{impl} {}
  void set(double value) const;
  void add(double amount) const;
  [[nodiscard]] double value() const;

 private:
  prometheus::Gauge* impl_ = nullptr;
};

/// A distribution. Copies refer to the same series; all functions are thread-safe.
class histogram {
 public:
  histogram() = default;
  explicit histogram(prometheus::Histogram* impl) noexcept : impl_{impl} {}
  void observe(double value) const;

 private:
  prometheus::Histogram* impl_ = nullptr;
};

} // namespace penstock::metrics
