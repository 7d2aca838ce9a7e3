#pragma once

#include <memory>

#include "book.hpp"
#include "settings.hpp"

struct Quote {
  double bid = 0;
  double bid_qty = 0;
  double ask = 0;
  double ask_qty = 0;
};

// What the engine asks for a fair value; a strategy is one of these.
class Pricer {
 public:
  virtual ~Pricer() = default;
  virtual double fair(const Book& book) const = 0;
};

class Microprice : public Pricer {
 public:
  double fair(const Book& book) const override;
};

class Engine {
 public:
  Engine(const Settings& settings, std::unique_ptr<Pricer> pricer);

  // The hot path: the book takes the update, and the quote is set or withdrawn.
  void on_book_update(const Update& update);
  const Quote& quote() const { return quote_; }

 private:
  void withdraw();
  void requote();
  double size(double room) const;

  Settings settings_;
  std::unique_ptr<Pricer> pricer_;
  Book book_;
  Quote quote_;
  double position_ = 0;
};
