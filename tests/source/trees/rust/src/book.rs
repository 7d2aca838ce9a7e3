//! The book: levels in places that are made once.

pub const DEPTH: usize = 25;

#[derive(Clone, Copy, Default)]
pub struct Level {
    pub price: f64,
    pub qty: f64,
}

pub struct Update {
    pub seq: u64,
    pub prev_seq: u64,
    pub is_bid: bool,
    pub level: Level,
}

/// Reads an update from a line of four numbers.
pub fn parse(line: &str) -> Option<Update> {
    let mut words = line.split_whitespace();
    let seq = words.next()?.parse().ok()?;
    let prev_seq = words.next()?.parse().ok()?;
    let price = words.next()?.parse().ok()?;
    let qty = words.next()?.parse().ok()?;
    Some(Update { seq, prev_seq, is_bid: qty >= 0.0, level: Level { price, qty } })
}

pub struct Side {
    is_bid: bool,
    size: usize,
    levels: [Level; DEPTH],
}

impl Side {
    pub fn new(is_bid: bool) -> Self {
        Self { is_bid, size: 0, levels: [Level::default(); DEPTH] }
    }

    pub fn set(&mut self, level: Level) {
        let place = self.place(level.price);
        let there = place < self.size && self.levels[place].price == level.price;
        if level.qty == 0.0 {
            if there {
                self.remove(place);
            }
        } else if there {
            self.levels[place].qty = level.qty;
        } else if place < DEPTH {
            self.put(place, level);
        }
    }

    pub fn best(&self) -> Option<&Level> {
        self.levels[..self.size].first()
    }

    fn place(&self, price: f64) -> usize {
        let mut low = 0;
        let mut high = self.size;
        while low < high {
            let mid = (low + high) / 2;
            let better = if self.is_bid { self.levels[mid].price > price } else { self.levels[mid].price < price };
            if better {
                low = mid + 1;
            } else {
                high = mid;
            }
        }
        low
    }

    fn put(&mut self, place: usize, level: Level) {
        self.size = (self.size + 1).min(DEPTH);
        for n in (place + 1..self.size).rev() {
            self.levels[n] = self.levels[n - 1];
        }
        self.levels[place] = level;
    }

    fn remove(&mut self, place: usize) {
        for n in place..self.size - 1 {
            self.levels[n] = self.levels[n + 1];
        }
        self.size -= 1;
    }
}

pub struct Book {
    pub bids: Side,
    pub asks: Side,
    seq: u64,
    valid: bool,
}

impl Book {
    pub fn new() -> Self {
        Self { bids: Side::new(true), asks: Side::new(false), seq: 0, valid: true }
    }

    /// Applies a delta; a gap makes the book invalid until the next snapshot.
    pub fn apply(&mut self, update: &Update) -> bool {
        self.valid = self.valid && update.prev_seq == self.seq;
        self.seq = update.seq;
        if self.valid {
            let side = if update.is_bid { &mut self.bids } else { &mut self.asks };
            side.set(update.level);
        }
        self.valid
    }
}
