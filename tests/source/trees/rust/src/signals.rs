//! What the engine follows beside the book.

use crate::book::Level;

/// What gives a fair value; a strategy is one of these.
pub trait Pricer {
    fn fair(&mut self, bid: &Level, ask: &Level) -> f64;
}

/// The microprice, averaged.
pub struct Average {
    alpha: f64,
    value: f64,
}

impl Average {
    pub fn new(span: f64) -> Self {
        Self { alpha: 2.0 / (span + 1.0), value: 0.0 }
    }
}

impl Pricer for Average {
    fn fair(&mut self, bid: &Level, ask: &Level) -> f64 {
        let micro = (bid.price * ask.qty + ask.price * bid.qty) / (bid.qty + ask.qty);
        self.value = if self.value == 0.0 { micro } else { self.value + self.alpha * (micro - self.value) };
        self.value
    }
}
