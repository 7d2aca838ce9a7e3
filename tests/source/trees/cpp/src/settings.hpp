#pragma once

#include <map>
#include <string>

// The parameters of config/bot.json; docs/parameters.md says what each does.
struct Settings {
  bool dry_run = true;
  double min_spread_bps = 0;
  double max_skew_bps = 0;
  double order_qty = 0;
  double max_position = 0;
  double max_notional = 0;
  double max_drawdown = 0;
  double book_stale_ms = 0;
};

using Values = std::map<std::string, double>;

Settings settings_of(const Values& values);
