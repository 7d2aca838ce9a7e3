//! maker run --config FILE: reads updates from standard input until it ends.

mod book;
mod engine;
mod gateway;
mod logs;
mod settings;
mod signals;

use std::io::BufRead;

use crate::engine::Engine;
use crate::gateway::Gateway;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.len() != 4 || arguments[1] != "run" || arguments[2] != "--config" {
        eprintln!("maker run --config FILE");
        std::process::exit(2);
    }
    let settings = settings::load(&arguments[3]).expect("a configuration");
    let _guard = logs::start();
    let gateway = Gateway::new(settings.dry_run);
    let mut engine = Engine::new(settings);
    let mut lines = std::io::stdin().lock().lines();
    loop {
        let Some(Ok(line)) = lines.next() else { break };
        if let Some(update) = book::parse(&line) {
            engine.on_book_update(&update);
            gateway.follow(engine.quote());
        }
    }
}
