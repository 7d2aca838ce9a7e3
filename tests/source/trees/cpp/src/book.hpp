#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

constexpr std::size_t kDepth = 25;

struct Level {
  double price = 0;
  double qty = 0;
};

struct Update {
  std::uint64_t seq = 0;
  std::uint64_t prev_seq = 0;
  std::int64_t ts_exchange_ns = 0;
  bool is_bid = false;
  Level level;
};

// The levels of one side, best first, in places that are made once.
class Side {
 public:
  explicit Side(bool is_bid) : is_bid_(is_bid) {}

  void set(const Level& level) {
    std::size_t place = 0;
    for (; place < size_ && better(levels_[place].price, level.price); ++place) {
    }
    const bool there = place < size_ && levels_[place].price == level.price;
    if (level.qty == 0) {
      if (there) {
        remove(place);
      }
    } else if (there) {
      levels_[place].qty = level.qty;
    } else if (place < kDepth) {
      insert(place, level);
    }
  }

  bool empty() const { return size_ == 0; }
  const Level& best() const { return levels_[0]; }

 private:
  bool better(double left, double right) const { return is_bid_ ? left > right : left < right; }

  void insert(std::size_t place, const Level& level) {
    size_ += size_ < kDepth ? 1 : 0;
    for (std::size_t n = size_ - 1; n > place; --n) {
      levels_[n] = levels_[n - 1];
    }
    levels_[place] = level;
  }

  void remove(std::size_t place) {
    for (std::size_t n = place; n + 1 < size_; ++n) {
      levels_[n] = levels_[n + 1];
    }
    --size_;
  }

  bool is_bid_;
  std::size_t size_ = 0;
  std::array<Level, kDepth> levels_{};
};

class Book {
 public:
  // Applies a delta; a gap makes the book invalid until the next snapshot.
  bool apply(const Update& update) {
    valid_ = valid_ && update.prev_seq == seq_;
    seq_ = update.seq;
    if (valid_) {
      (update.is_bid ? bids_ : asks_).set(update.level);
    }
    return valid_;
  }

  bool two_sided() const { return !bids_.empty() && !asks_.empty(); }
  const Level& best_bid() const { return bids_.best(); }
  const Level& best_ask() const { return asks_.best(); }

 private:
  Side bids_{true};
  Side asks_{false};
  std::uint64_t seq_ = 0;
  bool valid_ = true;
};
