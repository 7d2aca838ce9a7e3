#pragma once

#include <spdlog/async.h>
#include <spdlog/sinks/basic_file_sink.h>

// Records go to a queue; a thread of spdlog's writes them.
inline void start_log(const char* path) {
  spdlog::init_thread_pool(8192, 1);
  spdlog::set_default_logger(spdlog::create_async<spdlog::sinks::basic_file_sink_mt>("bot", path));
}
