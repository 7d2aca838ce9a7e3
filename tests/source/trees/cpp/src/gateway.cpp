#include "gateway.hpp"

#include <cstdlib>
#include <ctime>
#include <stdexcept>
#include <thread>

#include "log.hpp"

static std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) {
    throw std::runtime_error(std::string(name) + " is not set");
  }
  return value;
}

Gateway::Gateway(const Settings& settings) : dry_run_(settings.dry_run) {
  if (!dry_run_) {
    api_key_ = from_environment("QUOTER_API_KEY");
    api_secret_ = from_environment("QUOTER_API_SECRET");
  }
}

std::string Gateway::stamp() const {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  return text;
}

bool Gateway::place(const std::string& side, double price, double qty) {
  spdlog::info("{} {} {} at {}", stamp(), side, qty, price);
  if (dry_run_) {
    return true;
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(1));
  return false;
}
