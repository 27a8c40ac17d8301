#include "metrics/instruments.hpp"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

namespace penstock::metrics {

void counter::add(double amount) const {
  if (impl_ != nullptr) impl_->Increment(amount);
}

double counter::value() const { return impl_ == nullptr ? 0 : impl_->Value(); }

double gauge::value() const { return impl_ == nullptr ? 0 : impl_->Value(); }

void gauge::set(double value) const {
  if (impl_ != nullptr) impl_->Set(value);
}

void gauge::add(double amount) const {
  if (impl_ != nullptr) impl_->Increment(amount);
}

void histogram::observe(double value) const {
  if (impl_ != nullptr) impl_->Observe(value);
}

} // namespace penstock::metrics
