#include <cstdio>
#include <cstring>
#include <iostream>

#include "engine.hpp"
#include "gateway.hpp"
#include "log.hpp"

// quoter --config FILE: reads updates from standard input until it ends.
int main(int argc, char** argv) {
  if (argc != 3 || std::strcmp(argv[1], "--config") != 0) {
    std::fprintf(stderr, "quoter --config FILE\n");
    return 2;
  }
  start_log("quoter.log");
  const Settings settings = settings_of({{"dry_run", 1}, {"order_qty", 0.001}});
  Gateway gateway(settings);
  Engine engine(settings, std::make_unique<Microprice>());
  while (true) {
    Update update;
    if (!(std::cin >> update.seq >> update.prev_seq >> update.level.price >> update.level.qty)) {
      break;
    }
    engine.on_book_update(update);
    if (engine.quote().bid_qty > 0) {
      gateway.place("buy", engine.quote().bid, engine.quote().bid_qty);
    }
  }
  return 0;
}
