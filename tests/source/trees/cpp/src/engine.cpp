#include "engine.hpp"

#include <algorithm>

#include "log.hpp"

double Microprice::fair(const Book& book) const {
  const Level& bid = book.best_bid();
  const Level& ask = book.best_ask();
  return (bid.price * ask.qty + ask.price * bid.qty) / (bid.qty + ask.qty);
}

Engine::Engine(const Settings& settings, std::unique_ptr<Pricer> pricer)
    : settings_(settings), pricer_(std::move(pricer)) {}

void Engine::on_book_update(const Update& update) {
  if (!book_.apply(update) || !book_.two_sided()) {
    withdraw();
    return;
  }
  requote();
}

void Engine::withdraw() {
  if (quote_.bid_qty > 0 || quote_.ask_qty > 0) {
    spdlog::warn("quotes withdrawn");
  }
  quote_.bid_qty = 0;
  quote_.ask_qty = 0;
}

void Engine::requote() {
  const double fair = pricer_->fair(book_);
  const double half = fair * settings_.min_spread_bps / 2e4;
  const double skew = -position_ / settings_.max_position * settings_.max_skew_bps * fair / 1e4;
  quote_.bid = std::min(fair + skew - half, book_.best_ask().price);
  quote_.ask = std::max(fair + skew + half, book_.best_bid().price);
  quote_.bid_qty = size(settings_.max_position - position_);
  quote_.ask_qty = size(settings_.max_position + position_);
}

double Engine::size(double room) const { return std::max(0.0, std::min(settings_.order_qty, room)); }
