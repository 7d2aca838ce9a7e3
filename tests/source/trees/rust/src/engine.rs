//! The hot path: from a book update to the quote.

use crate::book::{Book, Update};
use crate::settings::Settings;
use crate::signals::{Average, Pricer};

#[derive(Clone, Copy, Default)]
pub struct Quote {
    pub bid: f64,
    pub bid_qty: f64,
    pub ask: f64,
    pub ask_qty: f64,
}

pub struct Engine {
    settings: Settings,
    book: Book,
    pricer: Box<dyn Pricer>,
    quote: Quote,
    position: f64,
}

impl Engine {
    pub fn new(settings: Settings) -> Self {
        let pricer = Box::new(Average::new(settings.vol_span));
        Self { settings, book: Book::new(), pricer, quote: Quote::default(), position: 0.0 }
    }

    pub fn quote(&self) -> &Quote {
        &self.quote
    }

    /// The book takes the update, and the quote is set or withdrawn.
    pub fn on_book_update(&mut self, update: &Update) {
        if !self.book.apply(update) {
            self.withdraw();
            return;
        }
        self.requote();
    }

    fn withdraw(&mut self) {
        if self.quote.bid_qty > 0.0 || self.quote.ask_qty > 0.0 {
            tracing::warn!("quotes withdrawn");
        }
        self.quote.bid_qty = 0.0;
        self.quote.ask_qty = 0.0;
    }

    fn requote(&mut self) {
        let (Some(bid), Some(ask)) = (self.book.bids.best(), self.book.asks.best()) else { return };
        let fair = self.pricer.fair(bid, ask);
        let half = fair * self.settings.min_spread_bps / 2e4;
        let skew = -self.position / self.settings.max_position * self.settings.max_skew_bps * fair / 1e4;
        self.quote.bid = (fair + skew - half).min(ask.price);
        self.quote.ask = (fair + skew + half).max(bid.price);
        self.quote.bid_qty = self.room(self.settings.max_position - self.position);
        self.quote.ask_qty = self.room(self.settings.max_position + self.position);
    }

    fn room(&self, room: f64) -> f64 {
        self.settings.order_qty.min(room).max(0.0)
    }
}
