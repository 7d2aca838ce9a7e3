#include "settings.hpp"

#include <stdexcept>

// A parameter that is missing is an error: there is no fallback.
static double at(const Values& values, const std::string& name) {
  const auto found = values.find(name);
  if (found == values.end()) {
    throw std::invalid_argument(name + " is missing");
  }
  return found->second;
}

Settings settings_of(const Values& values) {
  Settings settings;
  settings.dry_run = at(values, "dry_run") != 0;
  settings.min_spread_bps = at(values, "min_spread_bps");
  settings.max_skew_bps = at(values, "max_skew_bps");
  settings.order_qty = at(values, "order_qty");
  settings.max_position = at(values, "max_position");
  settings.max_notional = at(values, "max_notional");
  settings.max_drawdown = at(values, "max_drawdown");
  settings.book_stale_ms = at(values, "book_stale_ms");
  return settings;
}
