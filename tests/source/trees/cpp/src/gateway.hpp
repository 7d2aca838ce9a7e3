#pragma once

#include <chrono>
#include <string>

#include "settings.hpp"

// Sends orders to the venue, off the hot path; a dry run prints them.
class Gateway {
 public:
  explicit Gateway(const Settings& settings);
  bool place(const std::string& side, double price, double qty);

 private:
  std::string stamp() const;

  bool dry_run_;
  std::string api_key_;
  std::string api_secret_;
};
